//! The TOML file: settings as text with their lines, and everything that is wrong with it as a file.

use super::{KEYS, Problem};
use toml::de::{DeTable, DeValue};

/// One setting of the file.
pub(super) struct Setting {
    pub key: String,
    pub value: String,
    /// From 1.
    pub line: usize,
}

/// What a key may be written as.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    Truth,
}

/// Every setting that is well written, and a problem for each that is not. After a slip in the
/// grammar the rest of the file is read all the same.
pub(super) fn read(text: &str) -> (Vec<Setting>, Vec<Problem>) {
    let (table, mut errors) = DeTable::parse_recoverable(text);
    errors.sort_by_key(|e| e.span().map(|s| s.start));
    let mut file = File {
        text,
        settings: Vec::new(),
        problems: Vec::new(),
    };
    for error in errors {
        let line = error.span().map(|s| file.line(s.start));
        // The rest of a broken line gives errors of its own that say nothing new.
        if line.is_none() || file.problems.last().and_then(|p| p.line) != line {
            let what = error.message().to_string();
            file.problem("file".into(), line, what);
        }
    }
    let broken: Vec<usize> = file.problems.iter().filter_map(|p| p.line).collect();
    file.table("", table.get_ref(), &broken);
    (file.settings, file.problems)
}

struct File<'a> {
    text: &'a str,
    settings: Vec<Setting>,
    problems: Vec<Problem>,
}

impl File<'_> {
    fn line(&self, at: usize) -> usize {
        let before = &self.text.as_bytes()[..at.min(self.text.len())];
        before.iter().filter(|b| **b == b'\n').count() + 1
    }

    fn problem(&mut self, key: String, line: Option<usize>, what: String) {
        self.problems.push(Problem { key, line, what });
    }

    /// Takes every leaf as `section.key`; what stands in a broken line is left out.
    fn table(&mut self, prefix: &str, table: &DeTable<'_>, broken: &[usize]) {
        for (name, value) in table.iter() {
            let line = self.line(name.span().start);
            let name = name.get_ref();
            let key = if prefix.is_empty() {
                name.to_string()
            } else {
                format!("{prefix}.{name}")
            };
            match value.get_ref() {
                DeValue::Table(inner) if !KEYS.iter().any(|(k, _, _)| *k == key) => {
                    self.table(&key, inner, broken);
                }
                _ if broken.contains(&line) => {}
                value => self.leaf(key, line, value),
            }
        }
    }

    fn leaf(&mut self, key: String, line: usize, value: &DeValue<'_>) {
        let Some(kind) = kind_of(&key) else {
            let what = near(&key);
            return self.problem(key, Some(line), what);
        };
        match text_of(value, kind) {
            Some(value) => self.settings.push(Setting { key, value, line }),
            None => {
                let wanted = match kind {
                    Kind::Text => "a text in quotes",
                    Kind::Number => "a number",
                    Kind::Truth => "true or false",
                };
                let what = format!("is {}; {wanted} is wanted", described(value));
                self.problem(key, Some(line), what);
            }
        }
    }
}

/// Text is taken for everything, since the environment has nothing else; a number or a truth only
/// where one is meant.
fn text_of(value: &DeValue<'_>, kind: Kind) -> Option<String> {
    match (value, kind) {
        (DeValue::String(s), _) => Some(s.to_string()),
        (DeValue::Integer(i), Kind::Number) if i.radix() == 10 => Some(i.as_str().to_string()),
        (DeValue::Boolean(b), Kind::Truth) => Some(b.to_string()),
        (DeValue::Array(list), Kind::Text) => {
            let parts = list.iter().map(|v| v.get_ref().as_str());
            Some(parts.collect::<Option<Vec<_>>>()?.join(","))
        }
        _ => None,
    }
}

fn described(value: &DeValue<'_>) -> String {
    match value {
        DeValue::Integer(i) => format!("the number {}", i.as_str()),
        DeValue::Float(f) => format!("the number {}", f.as_str()),
        DeValue::Boolean(b) => b.to_string(),
        DeValue::Array(_) => "a list of something else than texts".to_string(),
        DeValue::Table(_) => "a section".to_string(),
        DeValue::Datetime(_) => "a date".to_string(),
        DeValue::String(_) => "a text".to_string(),
    }
}

/// What a setting is, as its default shows.
fn kind_of(key: &str) -> Option<Kind> {
    let (_, default, _) = KEYS.iter().find(|(k, _, _)| *k == key)?;
    Some(match *default {
        "true" | "false" => Kind::Truth,
        _ if key == "media.workers" || default.parse::<u64>().is_ok() => Kind::Number,
        _ => Kind::Text,
    })
}

/// An unknown key, with the nearest known one.
fn near(key: &str) -> String {
    let best = KEYS.iter().map(|(k, _, _)| (distance(key, k), *k)).min();
    match best {
        Some((d, k)) if d <= 3 => format!("is not a setting; did you mean {k}?"),
        _ => "is not a setting of Crosspoint".to_string(),
    }
}

fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let next = (diagonal + usize::from(ca != *cb))
                .min(row[j] + 1)
                .min(row[j + 1] + 1);
            diagonal = row[j + 1];
            row[j + 1] = next;
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Vec<String> {
        let (_, problems) = read(text);
        problems
            .iter()
            .map(|p| format!("{} {:?} {}", p.key, p.line, p.what))
            .collect()
    }

    #[test]
    fn each_wrong_kind_is_told_with_its_line() {
        let text = "data = 3\ndrain_ms_max = 1.5\n\n[http]\ntls = 1\nlisten = true\n[sip]\nudp = [1, 2]\nlisten = { a = 1 }\n";
        assert_eq!(
            told(text),
            [
                "data Some(1) is the number 3; a text in quotes is wanted",
                "drain_ms_max Some(2) is the number 1.5; a number is wanted",
                "http.listen Some(6) is true; a text in quotes is wanted",
                "http.tls Some(5) is the number 1; true or false is wanted",
                "sip.listen.a Some(9) is not a setting of Crosspoint",
                "sip.udp Some(8) is a list of something else than texts; a text in quotes is wanted",
            ]
        );
    }

    #[test]
    fn broken_lines_are_told_and_the_others_still_read() {
        let text =
            "data = \"/a\"\ndurability = full\n[http\nlisten = \"x\"\n[sip]\nudp = \"1.2.3.4:5\n";
        let (settings, problems) = read(text);
        let lines: Vec<_> = problems.iter().filter_map(|p| p.line).collect();
        assert_eq!(lines, [2, 3, 6], "{problems:?}");
        assert!(settings.iter().any(|s| s.key == "data" && s.value == "/a"));
    }
}
