//! As much of STUN (RFC 8489) as it takes to find whose a datagram is.

/// First byte, length and magic cookie of a STUN message.
pub fn is_stun(datagram: &[u8]) -> bool {
    datagram.len() >= 20 && datagram[0] < 4 && datagram[4..8] == [0x21, 0x12, 0xa4, 0x42]
}

/// Our user fragment in the USERNAME of a request (`ours:theirs`, RFC 8445 7.2.2). Nothing is
/// verified here: the peer it names checks the MESSAGE-INTEGRITY.
pub fn addressee(datagram: &[u8]) -> Option<&str> {
    if !is_stun(datagram) {
        return None;
    }
    let length = usize::from(u16::from_be_bytes([datagram[2], datagram[3]]));
    let mut rest = datagram.get(20..20 + length)?;
    while rest.len() >= 4 {
        let kind = u16::from_be_bytes([rest[0], rest[1]]);
        let len = usize::from(u16::from_be_bytes([rest[2], rest[3]]));
        let value = rest.get(4..4 + len)?;
        if kind == 0x0006 {
            let text = std::str::from_utf8(value).ok()?;
            return Some(text.split_once(':')?.0);
        }
        rest = rest.get(4 + len.next_multiple_of(4)..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn request(attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut body = Vec::new();
        for (kind, value) in attributes {
            body.extend(kind.to_be_bytes());
            body.extend((value.len() as u16).to_be_bytes());
            body.extend(*value);
            body.resize(body.len().next_multiple_of(4), 0);
        }
        let mut m = vec![0, 1];
        m.extend((body.len() as u16).to_be_bytes());
        m.extend([0x21, 0x12, 0xa4, 0x42]);
        m.extend([7; 12]);
        m.extend(body);
        m
    }

    #[test]
    fn finds_whose_it_is() {
        let m = request(&[(0x8022, b"abc"), (0x0006, b"ours:theirs")]);
        assert_eq!(addressee(&m), Some("ours"));
        assert_eq!(addressee(&request(&[(0x0006, b"nocolon")])), None);
        assert_eq!(addressee(&request(&[])), None);
        assert_eq!(addressee(b"\x80not stun at all, but long enough"), None);
    }

    proptest! {
        #[test]
        fn never_panics(mut bytes in proptest::collection::vec(any::<u8>(), 0..80), stun: bool) {
            if stun && bytes.len() >= 8 {
                bytes[0] = 0;
                bytes[4..8].copy_from_slice(&[0x21, 0x12, 0xa4, 0x42]);
            }
            let _ = addressee(&bytes);
        }
    }
}
