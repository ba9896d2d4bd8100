//! Breaks messages, the same way for the same seed.

/// A small generator of numbers (xorshift64*); not for secrets.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed | 1)
    }
    pub(crate) fn roll(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }
    pub(crate) fn below(&mut self, n: usize) -> usize {
        if n == 0 {
            0
        } else {
            (self.roll() % n as u64) as usize
        }
    }
}

/// What parsers stumble over.
const PIECES: &[&[u8]] = &[
    b"\r\n",
    b"\r\n\r\n",
    b"\0",
    b"%00",
    b"%",
    b"\"",
    b"<",
    b">",
    b";",
    b",",
    b"@",
    b":",
    b" ",
    b"\t",
    b"\xff\xfe",
    b"Content-Length: -1\r\n",
    b"Content-Length: 99999999999999999999\r\n",
    b"CSeq: 4294967296 INVITE\r\n",
    b"Via: SIP/2.0/UDP x;branch=z9hG4bK\r\n",
    b"Via: SIP/2.0/UDP 255.255.255.255:65535;rport;maddr=224.0.0.1\r\n",
    b"Max-Forwards: 0\r\n",
    b"Max-Forwards: -1\r\n",
    b"Authorization: Digest username=\"",
    b"Replaces: a;to-tag=b;from-tag=c\r\n",
    b"Contact: *\r\n",
    b"Expires: 4294967295\r\n",
    b"Record-Route: <sip:x;lr>\r\n",
    b"Route: <sip:127.0.0.1:1;lr>\r\n",
    b"m=audio 65536 RTP/AVP 0\r\n",
    b"m=audio 0 RTP/AVP\r\n",
    b"a=rtpmap:999 x/0/0\r\n",
    b"c=IN IP4 999.1.1.1\r\n",
    b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AA==\r\n",
    b"Content-Type: multipart/mixed;boundary=\"\"\r\n",
    b"sip:",
    b"tel:",
    b"urn:service:sos",
];

/// One broken message from a corpus of good and bad ones.
pub(crate) fn broken(dice: &mut Dice, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = corpus[dice.below(corpus.len())].clone();
    for _ in 0..=dice.below(6) {
        let at = dice.below(bytes.len() + 1);
        match dice.below(8) {
            0 if !bytes.is_empty() => {
                let at = dice.below(bytes.len());
                bytes[at] = dice.roll() as u8;
            }
            1 => {
                let until = (at + dice.below(40)).min(bytes.len());
                bytes.drain(at..until);
            }
            2 | 3 => {
                let piece = PIECES[dice.below(PIECES.len())];
                bytes.splice(at..at, piece.iter().copied());
            }
            4 => bytes.truncate(at),
            5 => {
                // A line again, or elsewhere.
                let lines: Vec<Vec<u8>> =
                    bytes.split(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
                let mut line = lines[dice.below(lines.len())].clone();
                line.push(b'\n');
                bytes.splice(at..at, line);
            }
            6 => {
                let other = &corpus[dice.below(corpus.len())];
                let from = dice.below(other.len());
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
            _ => {
                let long = vec![b"a0;,<\"%"[dice.below(7)]; 1 << dice.below(13)];
                bytes.splice(at..at, long);
            }
        }
        bytes.truncate(60_000);
    }
    bytes
}

/// Whole messages to begin with: the ones of RFC 4475 where they are at hand, and ours.
pub(crate) fn corpus(target: &str) -> Vec<Vec<u8>> {
    let mut corpus: Vec<Vec<u8>> = [
        "INVITE",
        "REGISTER",
        "OPTIONS",
        "BYE",
        "CANCEL",
        "ACK",
        "REFER",
        "MESSAGE",
        "SUBSCRIBE",
        "NOTIFY",
        "INFO",
        "UPDATE",
        "PRACK",
        "PUBLISH",
        "NOSUCH",
    ]
    .iter()
    .map(|m| message(m, target).into_bytes())
    .collect();
    corpus.push(b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n".to_vec());
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/vectors/rfc4475");
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut torture: Vec<_> = files
        .map(|e| e.path())
        .filter(|p| p.extension().is_some_and(|e| e == "dat"))
        .collect();
    torture.sort();
    corpus.extend(torture.iter().filter_map(|p| std::fs::read(p).ok()));
    corpus
}

fn message(method: &str, target: &str) -> String {
    let body = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n";
    format!(
        "{method} sip:answer@{target} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.66:5066;branch=z9hG4bKabc;rport\r\nMax-Forwards: 70\r\n\
         From: \"Eve\" <sip:eve@127.0.0.66>;tag=t1\r\nTo: <sip:answer@{target}>\r\nCall-ID: c1@x\r\nCSeq: 1 {method}\r\n\
         Contact: <sip:eve@127.0.0.66:5066>\r\nSupported: 100rel, timer\r\nSession-Expires: 1800;refresher=uac\r\n\
         Refer-To: <sip:1001@{target}?Replaces=a%3Bto-tag%3Db%3Bfrom-tag%3Dc>\r\nExpires: 60\r\nEvent: presence\r\n\
         Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}
