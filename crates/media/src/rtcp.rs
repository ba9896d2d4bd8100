//! RTCP compounds (RFC 3550 6): sender and receiver reports, source description, goodbye.

use crate::error::MediaError;
use cp_vocab::Timestamp;

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const GOODBYE: u8 = 203;
/// Seconds from 1900 (NTP) to 1970 (Unix).
const NTP_OFFSET_S: u64 = 2_208_988_800;
/// Longest canonical name we write, in bytes.
const CNAME_MAX: usize = 64;

/// One report block (RFC 3550 6.4.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Block {
    pub ssrc: u32,
    /// In 1/256.
    pub fraction_lost: u8,
    pub lost: u32,
    pub highest_sequence: u32,
    /// In RTP clock units.
    pub jitter: u32,
    /// Middle 32 bits of the NTP time of the last sender report; 0 when none came.
    pub last_sr: u32,
    /// Delay since it, in 1/65536 s.
    pub delay_since_sr: u32,
}

/// Sender information of an SR.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SenderInfo {
    /// 64-bit NTP time.
    pub ntp: u64,
    pub rtp_timestamp: u32,
    pub packets: u32,
    pub octets: u32,
}

/// What a received compound told us.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Summary {
    /// SSRC of the reporter.
    pub reporter: u32,
    /// NTP time (middle 32 bits) of a sender report in it.
    pub sr_middle: Option<u32>,
    /// The block about us.
    pub about_us: Option<Block>,
    pub goodbye: bool,
}

/// 64-bit NTP time of a moment.
pub fn ntp(now: Timestamp) -> u64 {
    let us = now.as_micros();
    let seconds = us / 1_000_000 + NTP_OFFSET_S;
    let fraction = ((us % 1_000_000) << 32) / 1_000_000;
    (seconds << 32) | fraction
}

/// Middle 32 bits of [`ntp`], the unit of round-trip arithmetic.
pub fn ntp_middle(now: Timestamp) -> u32 {
    (ntp(now) >> 16) as u32
}

/// Round trip in ms from a block about us (RFC 3550 6.4.1); `None` when it cannot be told.
pub fn round_trip_ms(now: Timestamp, block: &Block) -> Option<f32> {
    if block.last_sr == 0 {
        return None;
    }
    let trip = ntp_middle(now)
        .wrapping_sub(block.last_sr)
        .wrapping_sub(block.delay_since_sr) as i32;
    // A clock that runs a little faster gives a small negative value: zero. A minute is nonsense.
    if !(-65_536..65_536 * 60).contains(&trip) {
        return None;
    }
    Some(trip.max(0) as f32 * 1_000.0 / 65_536.0)
}

/// Appends SR (with `sender`) or RR, then SDES with `cname`, then BYE when `goodbye`.
pub fn write(
    out: &mut Vec<u8>,
    ssrc: u32,
    sender: Option<SenderInfo>,
    block: Option<Block>,
    cname: &str,
    goodbye: bool,
) {
    let kind = if sender.is_some() {
        SENDER_REPORT
    } else {
        RECEIVER_REPORT
    };
    let words = 1 + if sender.is_some() { 5 } else { 0 } + if block.is_some() { 6 } else { 0 };
    head(out, u8::from(block.is_some()), kind, words);
    out.extend_from_slice(&ssrc.to_be_bytes());
    if let Some(s) = sender {
        out.extend_from_slice(&s.ntp.to_be_bytes());
        out.extend_from_slice(&s.rtp_timestamp.to_be_bytes());
        out.extend_from_slice(&s.packets.to_be_bytes());
        out.extend_from_slice(&s.octets.to_be_bytes());
    }
    if let Some(b) = block {
        out.extend_from_slice(&b.ssrc.to_be_bytes());
        // 24 bits signed; ours is never negative.
        let lost = b.lost.min(0x7f_ffff);
        out.extend_from_slice(&((u32::from(b.fraction_lost) << 24) | lost).to_be_bytes());
        for v in [b.highest_sequence, b.jitter, b.last_sr, b.delay_since_sr] {
            out.extend_from_slice(&v.to_be_bytes());
        }
    }
    let cname = &cname.as_bytes()[..cname.len().min(CNAME_MAX)];
    // Item: kind 1, length, text, then at least one zero up to a word.
    let padded = (2 + cname.len() + 1).next_multiple_of(4);
    head(out, 1, SOURCE_DESCRIPTION, 1 + (padded / 4) as u16);
    out.extend_from_slice(&ssrc.to_be_bytes());
    out.extend_from_slice(&[1, cname.len() as u8]);
    out.extend_from_slice(cname);
    out.resize(out.len() + padded - 2 - cname.len(), 0);
    if goodbye {
        head(out, 1, GOODBYE, 1);
        out.extend_from_slice(&ssrc.to_be_bytes());
    }
}

fn head(out: &mut Vec<u8>, count: u8, kind: u8, words: u16) {
    out.push(0x80 | count);
    out.push(kind);
    out.extend_from_slice(&words.to_be_bytes());
}

fn word(b: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([b[at], b[at + 1], b[at + 2], b[at + 3]])
}

/// Reads a compound; `ours` is the SSRC whose block is wanted.
///
/// # Errors
/// [`MediaError::Rtcp`] when a length, a version or a count does not hold.
pub fn parse(bytes: &[u8], ours: u32) -> Result<Summary, MediaError> {
    let mut summary = Summary::default();
    let mut rest = bytes;
    if rest.len() < 8 {
        return Err(MediaError::Rtcp("shorter than one packet"));
    }
    while !rest.is_empty() {
        if rest.len() < 4 {
            return Err(MediaError::Rtcp("tail shorter than a header"));
        }
        if rest[0] >> 6 != 2 {
            return Err(MediaError::Rtcp("version is not 2"));
        }
        let len = 4 * (1 + usize::from(u16::from_be_bytes([rest[2], rest[3]])));
        if len > rest.len() {
            return Err(MediaError::Rtcp("length beyond the datagram"));
        }
        let (packet, tail) = rest.split_at(len);
        read_one(packet, ours, &mut summary)?;
        rest = tail;
    }
    Ok(summary)
}

fn read_one(packet: &[u8], ours: u32, summary: &mut Summary) -> Result<(), MediaError> {
    let count = usize::from(packet[0] & 0x1f);
    let blocks_at = match packet[1] {
        SENDER_REPORT => 28,
        RECEIVER_REPORT => 8,
        GOODBYE => {
            summary.goodbye = true;
            return Ok(());
        }
        // SDES, APP, feedback and extended reports: nothing we use.
        _ => return Ok(()),
    };
    if packet.len() < blocks_at + 24 * count {
        return Err(MediaError::Rtcp("report blocks beyond the packet"));
    }
    summary.reporter = word(packet, 4);
    if packet[1] == SENDER_REPORT {
        summary.sr_middle = Some((word(packet, 8) << 16) | (word(packet, 12) >> 16));
    }
    for i in 0..count {
        let at = blocks_at + 24 * i;
        if word(packet, at) == ours {
            summary.about_us = Some(Block {
                ssrc: ours,
                fraction_lost: packet[at + 4],
                lost: word(packet, at + 4) & 0xff_ffff,
                highest_sequence: word(packet, at + 8),
                jitter: word(packet, at + 12),
                last_sr: word(packet, at + 16),
                delay_since_sr: word(packet, at + 20),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_it_writes() {
        let block = Block {
            ssrc: 42,
            fraction_lost: 12,
            lost: 34,
            highest_sequence: 0x1_0005,
            jitter: 17,
            last_sr: 0x1234_5678,
            delay_since_sr: 65_536,
        };
        let now = Timestamp::from_secs(1_700_000_000);
        let info = SenderInfo {
            ntp: ntp(now),
            rtp_timestamp: 1,
            packets: 2,
            octets: 3,
        };
        for (sender, b, bye) in [
            (Some(info), Some(block), false),
            (None, Some(block), true),
            (Some(info), None, true),
            (None, None, false),
        ] {
            let mut out = Vec::new();
            write(&mut out, 7, sender, b, "crosspoint", bye);
            assert_eq!(out.len() % 4, 0);
            let s = parse(&out, 42).unwrap();
            assert_eq!(s.reporter, 7);
            assert_eq!(s.about_us, b);
            assert_eq!(s.goodbye, bye);
            assert_eq!(s.sr_middle, sender.map(|_| ntp_middle(now)));
        }
    }

    #[test]
    fn round_trip_is_told() {
        let sent = Timestamp::from_secs(1_700_000_000);
        let now = sent + std::time::Duration::from_millis(580);
        let block = Block {
            last_sr: ntp_middle(sent),
            delay_since_sr: 65_536 / 2,
            ..Block::default()
        };
        let rtt = round_trip_ms(now, &block).unwrap();
        assert!((rtt - 80.0).abs() < 0.1, "{rtt}");
        assert_eq!(round_trip_ms(now, &Block::default()), None);
    }

    #[test]
    fn refuses_bad_compounds() {
        let mut good = Vec::new();
        write(&mut good, 7, None, Some(Block::default()), "x", false);
        let mut wrong_version = good.clone();
        wrong_version[0] &= 0x3f;
        let mut too_many = good.clone();
        too_many[0] |= 0x1f;
        let mut too_long = good.clone();
        too_long[2..4].copy_from_slice(&u16::MAX.to_be_bytes());
        for bytes in [
            &good[..3],
            &good[..good.len() - 1],
            &wrong_version,
            &too_many,
            &too_long,
        ] {
            assert_eq!(parse(bytes, 7).unwrap_err().code(), "rtcp_malformed");
        }
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes, 1);
        }
    }
}
