//! Which messages promise something that the log must hold first.

/// Whether a message must wait for the log. Answers that ask for proof or say "wait" promise
/// nothing. An ACK does: without it the phone repeats its 200, which a restarted server answers
/// with a BYE. A BYE waits too, or it would overtake what the call was told before.
pub(crate) fn promises(message: &[u8], of_call: bool) -> bool {
    let Some(rest) = message.strip_prefix(b"SIP/2.0 ") else {
        return of_call;
    };
    if rest.starts_with(b"100") {
        return false;
    }
    of_call || (rest.starts_with(b"2") && method(message) == b"REGISTER")
}

/// An INVITE outside any dialog: its To has no tag yet. It asks and promises nothing: should the
/// process die before the record is durable, the answer meets a server that does not know the call
/// and ends it.
pub(crate) fn asks(message: &[u8]) -> bool {
    message.starts_with(b"INVITE ") && !line(message, b"\r\nTo: ").windows(5).any(|w| w == b";tag=")
}

/// Whether a message ends a call. While the log cannot be written such a message does not wait: at
/// worst the end is told again after a crash.
pub(crate) fn ends(message: &[u8]) -> bool {
    if message.starts_with(b"SIP/2.0 ") {
        return matches!(method(message), b"BYE" | b"CANCEL");
    }
    message.starts_with(b"BYE ") || message.starts_with(b"CANCEL ")
}

/// Whether a message stops a ringing, or answers one that does.
pub(crate) fn cancels(message: &[u8]) -> bool {
    message.starts_with(b"CANCEL ")
        || (message.starts_with(b"SIP/2.0 ") && method(message) == b"CANCEL")
}

/// Whether a message turns a request away. While the log cannot be written it must leave all the
/// same, or callers would wait for an answer that never comes.
pub(crate) fn refuses(message: &[u8]) -> bool {
    let status = message.strip_prefix(b"SIP/2.0 ");
    status.is_some_and(|s| matches!(s.first(), Some(b'4'..=b'6')))
}

/// The method in the CSeq of a response of ours, which we write in the long form.
fn method(message: &[u8]) -> &[u8] {
    line(message, b"\r\nCSeq: ")
        .rsplit(|b| *b == b' ')
        .next()
        .unwrap_or(b"")
}

/// The value of the first header with this name, which we write in the long form.
fn line<'a>(message: &'a [u8], name: &[u8]) -> &'a [u8] {
    let Some(at) = message.windows(name.len()).position(|w| w == name) else {
        return b"";
    };
    let value = &message[at + name.len()..];
    let end = value
        .iter()
        .position(|b| *b == b'\r')
        .unwrap_or(value.len());
    &value[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_turns_away() {
        for (first, want) in [
            ("SIP/2.0 503 Service Unavailable", true),
            ("SIP/2.0 404 Not Found", true),
            ("SIP/2.0 600 Busy Everywhere", true),
            ("SIP/2.0 200 OK", false),
            ("SIP/2.0 180 Ringing", false),
            ("INVITE sip:5@x SIP/2.0", false),
        ] {
            assert_eq!(refuses(first.as_bytes()), want, "{first}");
        }
    }

    #[test]
    fn what_asks() {
        for (message, want) in [
            ("INVITE sip:a SIP/2.0\r\nTo: <sip:a>\r\n", true),
            ("INVITE sip:a SIP/2.0\r\nTo: <sip:a>;tag=1\r\n", false),
            ("BYE sip:a SIP/2.0\r\nTo: <sip:a>\r\n", false),
        ] {
            assert_eq!(asks(message.as_bytes()), want, "{message}");
        }
    }

    #[test]
    fn what_waits_for_the_log() {
        let response = |status: &str, method: &str| {
            format!("SIP/2.0 {status}\r\nVia: x\r\nCSeq: 7 {method}\r\n\r\n").into_bytes()
        };
        let table = [
            (
                b"INVITE sip:a SIP/2.0\r\nTo: <sip:a>\r\n".to_vec(),
                true,
                true,
            ),
            (
                b"INVITE sip:a SIP/2.0\r\nTo: <sip:a>;tag=1\r\n".to_vec(),
                true,
                true,
            ),
            (b"BYE sip:a SIP/2.0\r\n".to_vec(), true, true),
            (b"CANCEL sip:a SIP/2.0\r\n".to_vec(), true, true),
            (b"ACK sip:a SIP/2.0\r\n".to_vec(), true, true),
            (b"OPTIONS sip:a SIP/2.0\r\n".to_vec(), false, false),
            (response("100 Trying", "INVITE"), true, false),
            (response("180 Ringing", "INVITE"), true, true),
            (response("200 OK", "INVITE"), true, true),
            (response("200 OK", "BYE"), true, true),
            (response("200 OK", "CANCEL"), true, true),
            (response("200 OK", "REGISTER"), false, true),
            (response("401 Unauthorized", "REGISTER"), false, false),
            (response("401 Unauthorized", "INVITE"), false, false),
            (response("200 OK", "OPTIONS"), false, false),
        ];
        for (message, of_call, want) in table {
            let text = String::from_utf8_lossy(&message).into_owned();
            assert_eq!(promises(&message, of_call), want, "{text}");
        }
    }

    #[test]
    fn what_ends_a_call() {
        assert!(ends(b"BYE sip:a SIP/2.0\r\n") && ends(b"CANCEL sip:a SIP/2.0\r\n"));
        assert!(ends(b"SIP/2.0 200 OK\r\nCSeq: 3 BYE\r\n\r\n"));
        assert!(!ends(b"SIP/2.0 200 OK\r\nCSeq: 3 INVITE\r\n\r\n"));
        assert!(!ends(b"INVITE sip:a SIP/2.0\r\n"));
    }
}
