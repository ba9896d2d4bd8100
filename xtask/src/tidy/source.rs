//! A Rust file as tidy sees it: code with comments and literals blanked out, its string literals
//! apart, and which lines are tests. Not a parser: enough lexing that a banned word in a comment
//! or a brace in a string misleads nobody.

/// A string literal and the line (from 1) it starts on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Literal {
    pub(crate) line: usize,
    pub(crate) text: String,
}

#[derive(Debug)]
pub(crate) struct Source {
    /// The text with comments and the inside of literals turned into spaces; same lines, same columns.
    pub(crate) code: String,
    /// Comments alone, the rest blank.
    pub(crate) comments: String,
    pub(crate) literals: Vec<Literal>,
    /// For each line (from 0) whether it belongs to a `#[cfg(test)]` item.
    pub(crate) is_test: Vec<bool>,
}

impl Source {
    pub(crate) fn new(text: &str) -> Self {
        let mut lexer = Lexer {
            bytes: text.as_bytes(),
            at: 0,
            code: Vec::with_capacity(text.len()),
            comments: Vec::with_capacity(text.len()),
            literals: Vec::new(),
            line: 1,
        };
        lexer.run();
        let code = String::from_utf8_lossy(&lexer.code).into_owned();
        let comments = String::from_utf8_lossy(&lexer.comments).into_owned();
        let is_test = test_lines(&code);
        Self {
            code,
            comments,
            literals: lexer.literals,
            is_test,
        }
    }

    /// Lines outside tests, as (number from 1, blanked code).
    pub(crate) fn production(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.code.split('\n').enumerate();
        lines
            .filter(|(i, _)| !self.is_test[*i])
            .map(|(i, line)| (i + 1, line))
    }

    /// Every line, as (number from 1, blanked code).
    pub(crate) fn all(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.code.split('\n').enumerate();
        lines.map(|(i, line)| (i + 1, line))
    }

    pub(crate) fn is_test_line(&self, line: usize) -> bool {
        self.is_test.get(line - 1).copied().unwrap_or(false)
    }

    /// Number of lines outside tests.
    pub(crate) fn production_len(&self) -> usize {
        let lines = self.code.lines().count();
        self.is_test.iter().take(lines).filter(|t| !**t).count()
    }

    /// Names of modules that are compiled for tests only and live in files of their own.
    pub(crate) fn test_modules(&self) -> Vec<String> {
        let after = self.code.split("#[cfg(test)]").skip(1);
        let declared = after.filter_map(|rest| {
            let rest = rest.trim_start();
            let rest = rest.strip_prefix("pub(crate)").unwrap_or(rest).trim_start();
            let (name, _) = rest.strip_prefix("mod ")?.split_once(';')?;
            let name = name.trim();
            let word = |c: char| c.is_alphanumeric() || c == '_';
            name.chars().all(word).then(|| name.to_string())
        });
        declared.collect()
    }

    /// Functions outside tests as (line, name, length in lines, signature and braces included).
    pub(crate) fn functions(&self) -> Vec<(usize, String, usize)> {
        let bytes = self.code.as_bytes();
        let mut found = Vec::new();
        let mut line = 1;
        for (i, b) in bytes.iter().enumerate() {
            if *b == b'\n' {
                line += 1;
            }
            if !is_word_at(bytes, i, b"fn") {
                continue;
            }
            let name: String = self.code[i + 2..]
                .trim_start()
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect();
            if name.is_empty() || self.is_test_line(line) {
                continue;
            }
            if let Some(end) = body_end(bytes, i) {
                let length = 1 + bytes[i..end].iter().filter(|b| **b == b'\n').count();
                found.push((line, name, length));
            }
        }
        found
    }
}

/// Whether the identifier `word` stands at `i`, whole.
pub(crate) fn is_word_at(bytes: &[u8], i: usize, word: &[u8]) -> bool {
    let part = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b >= 0x80;
    bytes[i..].starts_with(word)
        && (i == 0 || !part(bytes[i - 1]))
        && bytes.get(i + word.len()).is_none_or(|b| !part(*b))
}

/// Offset after the `}` that closes the item starting at `from`; `None` when a `;` ends it first.
fn body_end(code: &[u8], from: usize) -> Option<usize> {
    let (mut parens, mut braces) = (0i32, 0i32);
    for (i, b) in code.iter().enumerate().skip(from) {
        match b {
            b'(' | b'[' => parens += 1,
            b')' | b']' => parens -= 1,
            b'{' => braces += 1,
            b'}' => {
                braces -= 1;
                if braces == 0 {
                    return Some(i + 1);
                }
            }
            b';' if parens == 0 && braces == 0 => return None,
            _ => {}
        }
        if braces < 0 {
            return None;
        }
    }
    None
}

/// Marks the lines of every item under `#[cfg(test)]` (or `#[cfg(all(test, …))]`).
fn test_lines(code: &str) -> Vec<bool> {
    let mut marks = vec![false; code.split('\n').count()];
    let bytes = code.as_bytes();
    for needle in ["#[cfg(test)]", "#[cfg(all(test"] {
        for (start, _) in code.match_indices(needle) {
            let end = body_end(bytes, start + needle.len())
                .or_else(|| code[start..].find(';').map(|o| start + o + 1))
                .unwrap_or(code.len());
            let first = code[..start].matches('\n').count();
            let last = code[..end].matches('\n').count();
            for mark in marks.iter_mut().take(last + 1).skip(first) {
                *mark = true;
            }
        }
    }
    marks
}

struct Lexer<'a> {
    bytes: &'a [u8],
    at: usize,
    code: Vec<u8>,
    comments: Vec<u8>,
    literals: Vec<Literal>,
    line: usize,
}

impl Lexer<'_> {
    fn run(&mut self) {
        while self.at < self.bytes.len() {
            let rest = &self.bytes[self.at..];
            if rest.starts_with(b"//") {
                let length = rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len());
                self.comment(length);
            } else if rest.starts_with(b"/*") {
                self.comment(block_comment_len(rest));
            } else if let Some((prefix, hashes)) = raw_string(rest, self.previous()) {
                self.literal(prefix, raw_string_len(rest, prefix, hashes), hashes + 1);
            } else if rest[0] == b'"' {
                self.literal(1, plain_string_len(rest), 1);
            } else if rest[0] == b'\'' && char_len(rest).is_some() {
                let length = char_len(rest).unwrap_or(1);
                self.literal(1, length, 1);
                self.literals.pop(); // a char is no text anybody searches
            } else {
                self.keep();
            }
        }
    }

    fn previous(&self) -> Option<u8> {
        self.at.checked_sub(1).map(|i| self.bytes[i])
    }

    fn keep(&mut self) {
        let b = self.bytes[self.at];
        self.code.push(b);
        self.comments.push(blank(b));
        self.line += usize::from(b == b'\n');
        self.at += 1;
    }

    fn comment(&mut self, length: usize) {
        for b in &self.bytes[self.at..self.at + length] {
            self.code.push(blank(*b));
            self.comments.push(*b);
            self.line += usize::from(*b == b'\n');
        }
        self.at += length;
    }

    /// A literal whose text lies between `open` and `close` bytes at its ends.
    fn literal(&mut self, open: usize, length: usize, close: usize) {
        let whole = &self.bytes[self.at..self.at + length];
        let inner = whole
            .get(open..length.saturating_sub(close))
            .unwrap_or_default();
        self.literals.push(Literal {
            line: self.line,
            text: String::from_utf8_lossy(inner).into_owned(),
        });
        for (i, b) in whole.iter().enumerate() {
            let outside = i < open || i + close >= length;
            self.code.push(if outside { *b } else { blank(*b) });
            self.comments.push(blank(*b));
            self.line += usize::from(*b == b'\n');
        }
        self.at += length;
    }
}

fn blank(b: u8) -> u8 {
    if b == b'\n' { b'\n' } else { b' ' }
}

fn block_comment_len(rest: &[u8]) -> usize {
    let (mut depth, mut i) = (0, 0);
    while i < rest.len() {
        if rest[i..].starts_with(b"/*") {
            depth += 1;
            i += 2;
        } else if rest[i..].starts_with(b"*/") {
            depth -= 1;
            i += 2;
            if depth == 0 {
                return i;
            }
        } else {
            i += 1;
        }
    }
    rest.len()
}

/// `r"`, `r#"`, `br##"` …: length of the opening and number of hashes.
fn raw_string(rest: &[u8], previous: Option<u8>) -> Option<(usize, usize)> {
    if previous.is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_') {
        return None;
    }
    let letters = if rest.starts_with(b"r") {
        1
    } else if rest.starts_with(b"br") || rest.starts_with(b"cr") {
        2
    } else {
        return None;
    };
    let hashes = rest[letters..].iter().take_while(|b| **b == b'#').count();
    (rest.get(letters + hashes) == Some(&b'"')).then_some((letters + hashes + 1, hashes))
}

fn raw_string_len(rest: &[u8], open: usize, hashes: usize) -> usize {
    let mut close = vec![b'"'];
    close.extend(std::iter::repeat_n(b'#', hashes));
    rest[open..]
        .windows(close.len())
        .position(|w| w == close)
        .map_or(rest.len(), |p| open + p + close.len())
}

fn plain_string_len(rest: &[u8]) -> usize {
    let mut i = 1;
    while i < rest.len() {
        match rest[i] {
            b'\\' => i += 2,
            b'"' => return i + 1,
            _ => i += 1,
        }
    }
    rest.len()
}

/// Length of a char literal at the start of `rest`, `None` for a lifetime or label.
fn char_len(rest: &[u8]) -> Option<usize> {
    if rest.get(1) == Some(&b'\\') {
        return rest[3..].iter().position(|b| *b == b'\'').map(|p| p + 4);
    }
    let text = std::str::from_utf8(&rest[1..rest.len().min(6)])
        .or_else(|e| std::str::from_utf8(&rest[1..1 + e.valid_up_to()]))
        .ok()?;
    let width = text.chars().next()?.len_utf8();
    (rest.get(1 + width) == Some(&b'\'')).then_some(width + 2)
}
