# Two commands are enough: `make run` and `make test`. The rest is for people who change things.
# Each target is a thin door to a script that can also be run by itself.

.PHONY: run test check gen bench attack fuzz setup help

help:            ## what can be made
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:[^#]*##/\t/' | expand -t 10

run:             ## build and start Crosspoint with a demo tenant
	@scripts/run

test:            ## all that must hold before a change is merged
	@scripts/test

check:           ## the quick part: format, lints, tidy, licences
	@scripts/check

gen:             ## make the generated files anew (OpenAPI)
	@scripts/gen

bench:           ## measure against the peers; ROW=bridge_cps measures one row
	@scripts/bench $(ROW)

attack:          ## floods, scans and a million broken messages against a running server
	@scripts/attack

fuzz:            ## every parser under libFuzzer, or our own mutator; TIME=seconds, TARGET=one of them
	@scripts/fuzz $(TIME) $(TARGET)

setup:           ## install what is missing (run and test do it by themselves)
	@scripts/setup
