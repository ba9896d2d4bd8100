//! A bounded run of every target; `CP_FUZZ` multiplies it, `CP_FUZZ_SEED` begins elsewhere.

use crate::mutate::{Dice, broken};
use crate::{TARGETS, Target};
use std::path::PathBuf;

/// Inputs for each target in every test run.
const INPUTS: u64 = 3_000;

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(name);
    let files = std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut paths: Vec<_> = files.flatten().map(|e| e.path()).collect();
    paths.sort();
    let corpus: Vec<Vec<u8>> = paths.iter().map(|p| std::fs::read(p).unwrap()).collect();
    assert!(!corpus.is_empty(), "no corpus for {name}");
    corpus
}

fn run((name, target): &Target) {
    let number = |name| std::env::var(name).ok().and_then(|v| v.parse::<u64>().ok());
    let corpus = corpus(name);
    // What was found once is tried first, as it is.
    corpus.iter().for_each(|input| target(input));
    let mut dice = Dice::new(number("CP_FUZZ_SEED").unwrap_or(1));
    for n in 0..INPUTS * number("CP_FUZZ").unwrap_or(1) {
        let input = broken(&mut dice, &corpus);
        let outcome = std::panic::catch_unwind(|| target(&input));
        if outcome.is_err() {
            let file = std::env::temp_dir().join(format!("cp-fuzz-{name}-{n}"));
            std::fs::write(&file, &input).unwrap();
            panic!(
                "{name} broke at input {n}; it is in {}: put it into fuzz/corpus/{name}",
                file.display()
            );
        }
    }
}

macro_rules! bounded {
    ($($from:literal $to:literal $name:ident;)*) => {$(
        #[test]
        fn $name() {
            TARGETS[$from..$to].iter().for_each(run);
        }
    )*};
}

bounded! {
    0 3 messages;
    3 6 descriptions_and_addresses;
    6 10 media;
    10 18 identity_and_numbers;
    18 21 bodies;
    21 25 browsers_and_signing_in;
}

#[test]
fn every_target_is_run_and_has_a_libfuzzer_twin() {
    assert_eq!(TARGETS.len(), 25, "say in `bounded!` what is new");
    for (name, _) in TARGETS {
        let twin = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/fuzz_targets/");
        assert!(
            std::fs::exists(format!("{twin}{name}.rs")).unwrap(),
            "{name}"
        );
    }
}
