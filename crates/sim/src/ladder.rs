//! Message ladders that a telephone engineer can read.

use cp_sip::message::Message;
use cp_vocab::Timestamp;

/// One line: time since the start, who to whom, what.
pub fn line(at: Timestamp, start: Timestamp, from: &str, to: &str, bytes: &bytes::Bytes) -> String {
    let ms = at.since(start).as_millis();
    let what = match Message::parse(bytes.clone()) {
        Ok(m) if m.is_request() => {
            let sdp = if m.body().is_empty() { "" } else { " (SDP)" };
            format!("{}{sdp}", m.method().as_str())
        }
        Ok(m) => {
            let sdp = if m.body().is_empty() { "" } else { " (SDP)" };
            format!("{} {}{sdp}", m.status(), m.method().as_str())
        }
        Err(_) => "?".to_string(),
    };
    format!(
        "{:>3}.{:03} {from:>6} -> {to:<6} {what}",
        ms / 1000,
        ms % 1000
    )
}
