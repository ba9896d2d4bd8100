/** Adopted by the shadow root: the page's own styles and content security policy stay out of it. */
export const STYLES = `
:host { all: initial; }
:host { --ink: #14202b; --paper: #ffffff; --soft: #eef3f7; --line: #c9d4de; --brand: #0b6e5f; --brand-ink: #ffffff;
  --warn: #a4262c; --shadow: 0 18px 50px rgb(10 30 50 / .28); font: 16px/1.45 system-ui, sans-serif; color-scheme: light; }
:host([data-theme="dark"]) { --ink: #e8eef4; --paper: #17212b; --soft: #22303d; --line: #3d4f60; --brand: #4fc3ae; --brand-ink: #06211c;
  --warn: #ff9b9b; --shadow: 0 18px 50px rgb(0 0 0 / .6); color-scheme: dark; }
@media (prefers-color-scheme: dark) {
  :host(:not([data-theme="light"])) { --ink: #e8eef4; --paper: #17212b; --soft: #22303d; --line: #3d4f60; --brand: #4fc3ae; --brand-ink: #06211c;
    --warn: #ff9b9b; --shadow: 0 18px 50px rgb(0 0 0 / .6); color-scheme: dark; }
}
*, *::before, *::after { box-sizing: border-box; }
.dock { position: fixed; inset-block-end: 20px; inset-inline-end: 20px; z-index: 2147483000; color: var(--ink); }
button, input, textarea { font: inherit; color: inherit; }
button { cursor: pointer; border: 1px solid transparent; border-radius: 12px; padding: .6em 1em; background: var(--soft); }
button:hover { border-color: var(--brand); }
button:disabled { opacity: .55; cursor: default; }
:focus-visible { outline: 3px solid var(--brand); outline-offset: 2px; }
.launch { display: inline-flex; gap: .6em; align-items: center; background: var(--brand); color: var(--brand-ink); border-radius: 999px;
  padding: .8em 1.3em; font-weight: 600; box-shadow: var(--shadow); }
.panel { width: min(360px, calc(100vw - 32px)); max-height: min(640px, calc(100vh - 40px)); overflow: auto; background: var(--paper);
  border: 1px solid var(--line); border-radius: 18px; box-shadow: var(--shadow); padding: 18px; display: grid; gap: 14px; }
.panel[hidden], .launch[hidden] { display: none; }
.head { display: flex; align-items: center; justify-content: space-between; gap: 10px; }
h2 { margin: 0; font-size: 1.15em; line-height: 1.25; }
p { margin: 0; }
.close { padding: .3em .6em; background: none; }
.ways { display: grid; gap: 10px; }
.way { display: flex; gap: .8em; align-items: center; text-align: start; width: 100%; }
.way svg, .launch svg { inline-size: 1.3em; block-size: 1.3em; flex: none; }
.consent { display: flex; gap: .6em; align-items: flex-start; font-size: .87em; }
.consent input { margin-block-start: .25em; inline-size: 1.1em; block-size: 1.1em; accent-color: var(--brand); flex: none; }
form { display: grid; gap: 12px; }
label.field { display: grid; gap: 4px; font-size: .9em; }
input:not([type=checkbox]), textarea { width: 100%; padding: .55em .7em; border: 1px solid var(--line); border-radius: 10px; background: var(--paper); }
textarea { min-height: 6em; resize: vertical; }
.row { display: flex; flex-wrap: wrap; gap: 10px; }
.row > * { flex: 1 1 auto; }
.main { background: var(--brand); color: var(--brand-ink); font-weight: 600; }
.end { background: var(--warn); color: var(--paper); font-weight: 600; }
.help { border-inline-start: 4px solid var(--warn); padding-inline-start: 10px; }
.state { display: flex; gap: .6em; align-items: center; font-weight: 600; }
.state::before { content: ""; inline-size: .7em; block-size: .7em; border-radius: 50%; background: var(--brand); animation: beat 1.4s infinite; }
@keyframes beat { 50% { opacity: .25; } }
@media (prefers-reduced-motion: reduce) { .state::before { animation: none; } }
.pictures { position: relative; background: #000; border-radius: 12px; overflow: hidden; aspect-ratio: 4 / 3; }
.pictures[hidden] { display: none; }
.pictures video { inline-size: 100%; block-size: 100%; object-fit: cover; }
.pictures .own { position: absolute; inline-size: 28%; block-size: auto; inset-block-end: 8px; inset-inline-end: 8px; border-radius: 8px; border: 2px solid #fff; }
.quiet { position: absolute; inline-size: 1px; block-size: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
`;
