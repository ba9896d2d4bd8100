//! What people send in: pictures are scanned, leaked passwords are not taken.

use cp_interop::Server;
use cp_interop::server::tenant;
use serde_json::json;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

/// A picture of one pixel, and the same with the string in it that scanners take for a virus.
const PICTURE: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII=";
const HARMFUL: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYIJFSUNBUi1URVNU";
/// SHA-1 of a password that is good but for having leaked.
const LEAKED: (&str, &str) = (
    "seven leaked horses on a hill",
    "D9843A1477A708A6B7B27F3C14D61F5C00EE5F13",
);

/// Where a scanner is that speaks clamd's INSTREAM and knows one virus.
fn scanner() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address").to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = serve(stream);
        }
    });
    address
}

fn serve(mut stream: TcpStream) -> std::io::Result<()> {
    let mut command = [0; 10];
    stream.read_exact(&mut command)?;
    assert_eq!(&command, b"zINSTREAM\0");
    let mut seen = Vec::new();
    loop {
        let mut length = [0; 4];
        stream.read_exact(&mut length)?;
        match u32::from_be_bytes(length) as usize {
            0 => break,
            n => {
                let from = seen.len();
                seen.resize(from + n, 0);
                stream.read_exact(&mut seen[from..])?;
            }
        }
    }
    let found = seen.windows(10).any(|w| w == b"EICAR-TEST");
    let said: &[u8] = match found {
        true => b"stream: Eicar-Test-Signature FOUND\0",
        false => b"stream: OK\0",
    };
    stream.write_all(said)
}

/// Status and text of making a picture.
fn send(server: &Server, name: &str, data: &str) -> (u16, String) {
    let answer = server.post("/v1/pictures", &json!({ "name": name, "data": data }));
    (answer.status, answer.text())
}

#[test]
fn what_is_sent_in_is_scanned_and_refused_while_nobody_can_look() {
    let address = scanner();
    let folder = tempfile::tempdir().expect("a folder");
    let list = folder.path().join("leaked.txt");
    let others = [
        "0000000000000000000000000000000000000000",
        "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF",
    ];
    std::fs::write(
        &list,
        format!("{}:9\r\n{}:1\r\n{}:2\r\n", others[0], LEAKED.1, others[1]),
    )
    .expect("a list");
    let list = list.display().to_string();
    let settings = [
        ("CROSSPOINT_UPLOADS_SCANNER", address.as_str()),
        ("CROSSPOINT_HTTP_LEAKED_PASSWORDS", list.as_str()),
    ];
    let mut server = Server::start_with(&tenant(json!({})), &settings);
    assert_eq!(send(&server, "First", PICTURE).0, 201);
    let (status, told) = send(&server, "Second", HARMFUL);
    assert!(status == 400 && told.contains("harmful"), "{status} {told}");

    let person = |password: &str| {
        let person = json!({ "login": format!("{}@interop.test", password.len()), "name": "New", "roles": ["agent"], "password": password });
        let answer = server.post("/v1/users", &person);
        (answer.status, answer.text())
    };
    let (status, told) = person(LEAKED.0);
    assert!(
        status == 400 && told.contains("too_weak"),
        "{status} {told}"
    );
    assert_eq!(person("eight leaked horses on a hill").0, 201);

    // The scanner goes: refused, as it is set by default.
    let gone = cp_interop::ports::one().to_string();
    server.crash_with(&[("CROSSPOINT_UPLOADS_SCANNER", &format!("127.0.0.1:{gone}"))]);
    let (status, told) = send(&server, "Third", PICTURE);
    assert!(
        status == 503 && told.contains("scanner_unavailable"),
        "{status} {told}"
    );
    // Whoever wants it otherwise says so.
    server.crash_with(&[("CROSSPOINT_UPLOADS_SCAN_REQUIRED", "false")]);
    assert_eq!(send(&server, "Fourth", PICTURE).0, 201);
}
