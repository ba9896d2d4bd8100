#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cp_fuzz_runner::run("signed_token", bytes));
