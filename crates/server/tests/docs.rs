//! docs/operations.md says what the program does: its tables are made from the same lists.
//! `UPDATE_EXPECT=1 cargo test -p crosspoint --test docs` writes them anew.

use cp_server::config::KEYS;
use expect_test::expect_file;
use std::fmt::Write;
use std::path::Path;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operations.md");

/// The text with what stands between `<!-- name -->` and `<!-- end -->` replaced.
fn with_part(text: &str, name: &str, part: &str) -> String {
    let open = format!("<!-- {name} -->\n");
    let (before, rest) = text
        .split_once(&open)
        .unwrap_or_else(|| panic!("no {open}"));
    let at = rest.find("<!-- end -->").expect("an end of the part");
    format!("{before}{open}{part}{}", &rest[at..])
}

fn settings() -> String {
    let mut table = String::from("| key | default | what it is |\n|---|---|---|\n");
    for (key, default, what) in KEYS {
        let default = match *default {
            "" => String::new(),
            d => format!("`{d}`"),
        };
        let _ = writeln!(table, "| `{key}` | {default} | {what} |");
    }
    table
}

#[test]
fn the_table_of_settings_is_the_one_of_the_program() {
    let text = std::fs::read_to_string(FILE).expect("docs/operations.md");
    expect_file![Path::new(FILE)].assert_eq(&with_part(&text, "settings", &settings()));
}

#[test]
fn every_setting_is_said_once() {
    let mut keys: Vec<_> = KEYS.iter().map(|(k, ..)| *k).collect();
    let count = keys.len();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), count);
    for (key, _, what) in KEYS {
        assert!(!what.is_empty() && !what.contains('|'), "{key}");
    }
}
