# Shared by the scripts beside: sourced, not run.
# shellcheck shell=bash

cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '\033[1m==> %s\033[0m\n' "$*" >&2; }
fail() { printf '\033[31mError: %s\033[0m\n' "$*" >&2; exit 1; }

# step NAME COMMAND…: says what runs, and how long it took.
step() {
  local name=$1 from=$SECONDS
  shift
  say "$name"
  "$@" || fail "$name failed (command: $*)"
  printf '    %s: %s s\n' "$name" "$((SECONDS - from))" >&2
}
