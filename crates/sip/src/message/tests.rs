//! What a caller of the message layer sees: the 49 messages of RFC 4475, odd bytes, and round trips.

use super::*;
use crate::validate::{Verdict, validate};
use cp_vocab::net::Transport;

/// What is to become of a message: `Ok`, a status, or silence.
#[derive(PartialEq, Debug)]
enum Want {
    Ok,
    Reply(u16),
    Drop,
}
use Want::{Drop, Ok as Fine, Reply};

/// The verdicts, with the section of RFC 4475 that asks for them. Where it leaves a choice, ours stands.
const RFC4475: &[(&str, Want)] = &[
    // 3.1.1 valid messages
    ("wsinv", Fine), // 3.1.1.1; its To tag then finds no dialog: 481 by the user agent
    ("intmeth", Reply(501)), // 3.1.1.2 valid form, a method nobody implements
    ("esc01", Fine), // 3.1.1.3
    ("escnull", Fine), // 3.1.1.4
    ("esc02", Reply(501)), // 3.1.1.5 `RE%47IST%45R` is not REGISTER
    ("lwsdisp", Fine), // 3.1.1.6
    ("longreq", Fine), // 3.1.1.7
    ("dblreq", Fine), // 3.1.1.8 the second request in the datagram is ignored
    ("semiuri", Fine), // 3.1.1.9
    ("transports", Fine), // 3.1.1.10
    ("mpart01", Fine), // 3.1.1.11
    ("unreason", Fine), // 3.1.1.12
    ("noreason", Fine), // 3.1.1.13
    // 3.1.2 invalid messages
    ("badinv01", Reply(400)),   // 3.1.2.1
    ("clerr", Reply(400)),      // 3.1.2.2
    ("ncl", Reply(400)),        // 3.1.2.3
    ("scalar02", Reply(400)),   // 3.1.2.4
    ("scalarlg", Drop),         // 3.1.2.5 a response
    ("quotbal", Reply(400)),    // 3.1.2.6
    ("ltgtruri", Reply(400)),   // 3.1.2.7
    ("lwsruri", Reply(400)),    // 3.1.2.8
    ("lwsstart", Reply(400)),   // 3.1.2.9
    ("trws", Reply(400)),       // 3.1.2.10
    ("escruri", Reply(400)),    // 3.1.2.11
    ("baddate", Reply(400)),    // 3.1.2.12
    ("regbadct", Reply(400)),   // 3.1.2.13
    ("badaspec", Reply(400)),   // 3.1.2.14
    ("baddn", Reply(400)),      // 3.1.2.15
    ("badvers", Reply(505)),    // 3.1.2.16
    ("mismatch01", Reply(400)), // 3.1.2.17
    ("mismatch02", Reply(501)), // 3.1.2.18 more specific than 400
    ("bigcode", Drop),          // 3.1.2.19 a response
    // 3.2 transaction layer: treated by the rules for RFC 2543 branches
    ("badbranch", Fine), // 3.2.1
    // 3.3 application layer
    ("insuf", Reply(400)),   // 3.3.1
    ("unkscm", Reply(416)),  // 3.3.2
    ("novelsc", Reply(416)), // 3.3.3
    ("unksm2", Fine),        // 3.3.4 well formed; the registrar refuses the To
    ("bext01", Reply(420)),  // 3.3.5
    ("invut", Reply(415)),   // 3.3.6
    ("regaut01", Fine),      // 3.3.7 the registrar challenges as if there were no Authorization
    ("multi01", Reply(400)), // 3.3.8
    ("mcl01", Reply(400)),   // 3.3.9
    ("bcast", Drop),         // 3.3.10 two Via in a response
    ("zeromf", Fine),        // 3.3.11 we forward nothing, so we answer ourselves
    ("cparam01", Fine),      // 3.3.12
    ("cparam02", Fine),      // 3.3.13
    ("regescrt", Fine),      // 3.3.14
    ("sdp01", Reply(406)),   // 3.3.15
    // 3.4 backward compatibility
    ("inv2543", Fine), // 3.4.1
];

/// The folder of shared test vectors, or `None` when their absence was asked for.
fn shared() -> Option<std::path::PathBuf> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    if path.is_dir() {
        return Some(path);
    }
    assert!(
        std::env::var_os("CP_NO_SHARED").is_some_and(|v| v == "1"),
        "test vectors not found at {}; set CP_NO_SHARED=1 to go without them",
        path.display()
    );
    None
}

fn vector(name: &str) -> Option<Bytes> {
    let file = shared()?.join(format!("vectors/rfc4475/{name}.dat"));
    Some(std::fs::read(file).expect("a torture message").into())
}

fn verdict(bytes: Bytes) -> Want {
    let Ok(message) = Message::parse(bytes) else {
        return Drop;
    };
    match validate(&message, Transport::Udp) {
        Verdict::Ok => Fine,
        Verdict::Reply { status, .. } => Reply(status),
        Verdict::Drop => Drop,
    }
}

#[test]
fn rfc4475_each_message_is_judged_as_the_rfc_says() {
    assert_eq!(RFC4475.len(), 49);
    let wrong: Vec<_> = RFC4475
        .iter()
        .filter_map(|(name, want)| {
            let got = verdict(vector(name)?);
            (got != *want).then(|| format!("{name}: {got:?} instead of {want:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}
