//! The program as a person at a shell meets it.

use std::process::{Command, Output};

fn crosspoint(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crosspoint"));
    command
        .args(arguments)
        .env_clear()
        .envs(environment.iter().copied());
    command.output().expect("the program starts")
}

#[test]
fn every_error_of_a_configuration_is_reported_at_once() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("bad.toml");
    let text = "durability = \"sometimes\"\ndrain_ms_max = -1\nnonsense = 1\n\
        [http]\nlisten = \"nowhere\"\n\
        [sip]\nudp = \"x\"\ntcp = \"y:z\"\nsession_expires_s = 7\n\
        [media]\nports = \"9-1\"\naddress = \"home\"\nworkers = \"many\"\n";
    std::fs::write(&file, text).expect("write");
    let path = file.to_str().expect("UTF-8");
    let done = crosspoint(&["check", path], &[]);
    assert!(!done.status.success());
    let told = String::from_utf8_lossy(&done.stderr).into_owned();
    for key in [
        "durability",
        "drain_ms_max",
        "nonsense",
        "http.listen",
        "sip.udp",
        "sip.tcp",
        "sip.session_expires_s",
        "media.ports",
        "media.address",
        "media.workers",
    ] {
        assert!(told.contains(key), "{key} is not in:\n{told}");
    }
}

#[test]
fn the_sample_is_valid() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("sample.toml");
    let sample = crosspoint(&["sample"], &[]);
    assert!(sample.status.success());
    std::fs::write(&file, &sample.stdout).expect("write");
    let done = crosspoint(&["check", file.to_str().expect("UTF-8")], &[]);
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
}

#[test]
fn a_misspelt_variable_is_an_error() {
    let done = crosspoint(&["check"], &[("CROSSPOINT_HTPP_LISTEN", "127.0.0.1:1")]);
    assert!(!done.status.success());
    let told = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(told.contains("CROSSPOINT_HTPP_LISTEN"), "{told}");
}

#[test]
fn a_broken_file_is_told_by_its_lines() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("broken.toml");
    let text = "data = 3\ndurability = full\n[http]\nlisten = \"here\"\n[sip\n";
    std::fs::write(&file, text).expect("write");
    let done = crosspoint(&["check", file.to_str().expect("UTF-8")], &[]);
    assert!(!done.status.success());
    let told = String::from_utf8_lossy(&done.stderr).into_owned();
    for part in [
        "4 errors",
        "\n  data: is the number 3; a text in quotes is wanted (line 1)",
        "\n  file: invalid boolean",
        "(line 2)",
        "\n  http.listen: \"here\" is not an address with port (line 4)",
        "(line 5)",
    ] {
        assert!(told.contains(part), "{part:?} is not in:\n{told}");
    }
}
