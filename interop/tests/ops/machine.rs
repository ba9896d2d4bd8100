//! A disk that is full: new calls are refused, running ones live, nothing acknowledged is lost.

use crate::world::{CALLED, call, carrier, hang_up, readyz, refused, server};
use cp_interop::{Server, wait};
use std::process::Command;

/// No file of the server may grow beyond this many bytes; `None`: as before.
fn limit_files(server: &Server, bytes: Option<u64>) {
    let limit = bytes.map_or("unlimited".to_string(), |b| b.to_string());
    let set = Command::new("prlimit")
        .args([
            "--pid",
            &server.pid().to_string(),
            &format!("--fsize={limit}:unlimited"),
        ])
        .status();
    assert!(set.is_ok_and(|s| s.success()), "prlimit");
}

#[test]
fn a_full_disk_refuses_new_calls_and_keeps_the_running_ones() {
    let server = server(&[]);
    let (mut a, mut b) = (carrier(), carrier());
    let first = call(&mut a, &server, CALLED);
    let second = call(&mut a, &server, CALLED);
    // Less than a page of the database; the server's words still find room.
    limit_files(&server, Some(4_096));
    // The next call is the first to notice; from then on they are refused at once.
    b.patience = std::time::Duration::from_secs(2);
    let noticed = refused(&mut b, &server, CALLED);
    assert!([0, 503].contains(&noticed), "{noticed}");
    let body = readyz(&server, 503);
    assert_eq!(body["draining"], false, "{body}");
    let mut c = carrier();
    assert_eq!(refused(&mut c, &server, CALLED), 503);
    assert_eq!(
        server.http.get("/healthz").map(|r| r.status).ok(),
        Some(200)
    );
    // A running call is served: it can even end.
    hang_up(&mut a, first);

    limit_files(&server, None);
    readyz(&server, 200);
    let again = wait::until_within(wait::PATIENCE, "calls are taken again", || {
        c.invite(&server.uri(CALLED), "15550100", server.sip, &[]).1
    });
    hang_up(&mut c, again);
    hang_up(&mut a, second);
    // What was held is in the log now, whole and in order. The caller who was the first to notice
    // gave up without a word; that call ends by its timers later.
    let trails = wait::until_within(wait::PATIENCE, "the end of the three calls", || {
        let trails = server.trails();
        let over = trails.iter().filter(|t| t.end_reason() == "hung_up");
        (over.count() == 3).then_some(trails)
    });
    for trail in trails {
        trail.assert_gapless();
    }
}

#[test]
fn a_read_only_folder_is_a_clear_error() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    std::fs::create_dir(&data).expect("a folder");
    let set = |mode: &str, path: &std::path::Path| {
        let done = Command::new("chmod").arg(mode).arg(path).status();
        assert!(done.is_ok_and(|s| s.success()));
    };
    set("755", folder.path());
    set("555", &data);
    let binary = cp_interop::server::binary();
    // Root may write anywhere; as nobody the folder is read-only.
    let copy = folder.path().join("crosspoint");
    std::fs::copy(binary, &copy).expect("copy the program");
    set("755", &copy);
    let root = Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|o| o.stdout.trim_ascii() == b"0");
    let mut command = if root {
        let mut c = Command::new("setpriv");
        c.args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(&copy);
        c
    } else {
        Command::new(&copy)
    };
    let output = command
        .arg("serve")
        .current_dir(folder.path())
        .env("CROSSPOINT_DATA", &data)
        .env("CROSSPOINT_HTTP_LISTEN", "127.0.0.1:0")
        .env("CROSSPOINT_SIP_UDP", "127.0.0.1:0")
        .env("CROSSPOINT_SIP_TCP", "")
        .output()
        .expect("crosspoint starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(&data.display().to_string()), "{said}");
    assert!(said.contains("Permission denied"), "{said}");
}
