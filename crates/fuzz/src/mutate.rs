//! Breaks inputs, the same way for the same seed.

/// A small generator of numbers (xorshift64*); not for secrets.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed | 1)
    }
    pub fn roll(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }
    /// From 0 to `n` - 1; 0 when `n` is 0.
    pub fn below(&mut self, n: usize) -> usize {
        match n {
            0 => 0,
            n => (self.roll() % n as u64) as usize,
        }
    }
}

/// Longest input that is made.
pub const INPUT_BYTES_MAX: usize = 64 * 1024;

/// Numbers that parsers get wrong, as text.
const NUMBERS: &[&str] = &[
    "0",
    "-1",
    "1",
    "255",
    "256",
    "65535",
    "65536",
    "2147483648",
    "4294967295",
    "4294967296",
    "18446744073709551616",
    "1e999",
    "NaN",
];

/// Bytes that mean something somewhere.
const BYTES: &[u8] = b" \r\n\t\0\"<>;,:=@%{}[]\\/-+*#a0\xff\x80";

/// One broken input from a corpus of good and bad ones.
pub fn broken(dice: &mut Dice, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = corpus
        .get(dice.below(corpus.len()))
        .cloned()
        .unwrap_or_default();
    for _ in 0..=dice.below(5) {
        change(dice, corpus, &mut bytes);
        bytes.truncate(INPUT_BYTES_MAX);
    }
    bytes
}

fn change(dice: &mut Dice, corpus: &[Vec<u8>], bytes: &mut Vec<u8>) {
    let at = dice.below(bytes.len() + 1);
    match dice.below(9) {
        0 if at < bytes.len() => bytes[at] = dice.roll() as u8,
        1 if at < bytes.len() => bytes[at] ^= 1 << dice.below(8),
        2 => {
            let until = (at + dice.below(32)).min(bytes.len());
            bytes.drain(at..until);
        }
        3 => bytes.truncate(at),
        4 => {
            let until = (at + dice.below(64)).min(bytes.len());
            let again = bytes[at..until].to_vec();
            let to = dice.below(bytes.len() + 1);
            bytes.splice(to..to, again);
        }
        5 => {
            let number = NUMBERS[dice.below(NUMBERS.len())].bytes();
            let until = at
                + bytes[at..]
                    .iter()
                    .take_while(|b| b.is_ascii_digit())
                    .count();
            bytes.splice(at..until, number);
        }
        6 => {
            let other = corpus
                .get(dice.below(corpus.len()))
                .map_or(&[][..], Vec::as_slice);
            let from = dice.below(other.len());
            bytes.truncate(at);
            bytes.extend_from_slice(&other[from..]);
        }
        7 => {
            let byte = BYTES[dice.below(BYTES.len())];
            let count = 1 << dice.below(11);
            bytes.splice(at..at, std::iter::repeat_n(byte, count));
        }
        _ => {
            let random: Vec<u8> = (0..dice.below(16)).map(|_| dice.roll() as u8).collect();
            bytes.splice(at..at, random);
        }
    }
}
