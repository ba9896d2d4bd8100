//! SDES-SRTP (RFC 3711, RFC 4568, RFC 7714) behind a small trait, so that the cipher crate can be
//! exchanged. What the crate leaves open is closed here: unauthenticated SRTCP (E bit clear), short
//! packets, and one state per SSRC that any stranger names.

use crate::error::MediaError;
use crate::rtp;
use cp_vocab::media::{SrtpKeys, SrtpSuite};
use webrtc_srtp::context::Context;
use webrtc_srtp::option::{srtcp_replay_protection, srtp_replay_protection};
use webrtc_srtp::protection_profile::ProtectionProfile;

/// Packets behind the newest that are still told from replays.
const REPLAY_WINDOW: usize = 128;
/// SSRCs one key may see from the far side; at the limit a further one is refused until new keys come.
const SOURCES_MAX: usize = 8;
/// Unproven SSRCs tried before the probing state is thrown away.
const PROBES_MAX: usize = 32;

/// Outgoing protection of one leg.
pub trait Protect: Send {
    /// Appends the protected form of a plain RTP packet to `out`.
    fn rtp(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), MediaError>;
    /// Appends the protected form of a plain RTCP compound to `out`.
    fn rtcp(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), MediaError>;
}

/// Incoming protection of one leg.
pub trait Unprotect: Send {
    /// Decrypts in place; returns the plain length.
    fn rtp(&mut self, packet: &mut [u8]) -> Result<usize, MediaError>;
    /// Decrypts in place; returns the plain length.
    fn rtcp(&mut self, packet: &mut [u8]) -> Result<usize, MediaError>;
}

/// Outgoing and incoming protection of one leg.
pub type Pair = (Box<dyn Protect>, Box<dyn Unprotect>);

/// Both directions for the keys agreed.
///
/// # Errors
/// [`MediaError::SrtpKeys`] when a key has the wrong length.
pub fn pair(keys: &SrtpKeys) -> Result<Pair, MediaError> {
    Ok((
        protect(keys.suite, &keys.local)?,
        unprotect(keys.suite, &keys.remote)?,
    ))
}

/// Outgoing protection with one master key and salt. A key whose use goes on must keep its state: a
/// second one for the same key would repeat its keystream.
///
/// # Errors
/// [`MediaError::SrtpKeys`] when the key has the wrong length.
pub fn protect(suite: SrtpSuite, key_and_salt: &[u8]) -> Result<Box<dyn Protect>, MediaError> {
    Ok(Box::new(Outgoing(context(suite, key_and_salt)?)))
}

/// Incoming protection with one master key and salt.
///
/// # Errors
/// [`MediaError::SrtpKeys`] when the key has the wrong length.
pub fn unprotect(suite: SrtpSuite, key_and_salt: &[u8]) -> Result<Box<dyn Unprotect>, MediaError> {
    Ok(Box::new(Incoming {
        suite,
        key: key_and_salt.to_vec(),
        proven: Vec::new(),
        probe: context(suite, key_and_salt)?,
        probed: Vec::new(),
        control: context(suite, key_and_salt)?,
        control_source: None,
    }))
}

fn context(suite: SrtpSuite, key_and_salt: &[u8]) -> Result<Context, MediaError> {
    let (key_len, salt_len) = suite.key_and_salt_len();
    if key_and_salt.len() != key_len + salt_len {
        return Err(MediaError::SrtpKeys(suite.name()));
    }
    let profile = match suite {
        SrtpSuite::AesCm128HmacSha1_80 => ProtectionProfile::Aes128CmHmacSha1_80,
        SrtpSuite::AesCm128HmacSha1_32 => ProtectionProfile::Aes128CmHmacSha1_32,
        SrtpSuite::AeadAes128Gcm => ProtectionProfile::AeadAes128Gcm,
        SrtpSuite::AeadAes256Gcm => ProtectionProfile::AeadAes256Gcm,
    };
    let (key, salt) = key_and_salt.split_at(key_len);
    Context::new(
        key,
        salt,
        profile,
        Some(srtp_replay_protection(REPLAY_WINDOW)),
        Some(srtcp_replay_protection(REPLAY_WINDOW)),
    )
    .map_err(|_| MediaError::SrtpKeys(suite.name()))
}

fn refused(e: webrtc_srtp::Error) -> MediaError {
    match e {
        webrtc_srtp::Error::SrtpSsrcDuplicated(..)
        | webrtc_srtp::Error::SrtcpSsrcDuplicated(..) => MediaError::SrtpReplay,
        webrtc_srtp::Error::ErrExceededMaxPackets => MediaError::SrtpExhausted,
        _ => MediaError::SrtpAuthentication,
    }
}

struct Outgoing(Context);

impl Protect for Outgoing {
    fn rtp(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), MediaError> {
        let bytes = self.0.encrypt_rtp(plain).map_err(refused)?;
        out.extend_from_slice(&bytes);
        Ok(())
    }
    fn rtcp(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), MediaError> {
        let bytes = self.0.encrypt_rtcp(plain).map_err(refused)?;
        out.extend_from_slice(&bytes);
        Ok(())
    }
}

/// One context per proven SSRC, so that a stranger's invented SSRCs cannot grow the state, and so
/// that packets of an earlier SSRC stay replays after the far side took another.
struct Incoming {
    suite: SrtpSuite,
    key: Vec<u8>,
    proven: Vec<(u32, Context)>,
    probe: Context,
    probed: Vec<u32>,
    control: Context,
    control_source: Option<u32>,
}

impl Incoming {
    fn fresh(&self) -> Result<Context, MediaError> {
        context(self.suite, &self.key)
    }
}

/// Whether each element of the header extension (RFC 8285) ends within it. The library reads them before it
/// checks the tag, and panics over one that does not: found by fuzzing. The header itself is whole.
fn extension_is_whole(packet: &[u8]) -> bool {
    if packet[0] & 0x10 == 0 {
        return true;
    }
    let at = rtp::HEADER_LEN + 4 * usize::from(packet[0] & 0x0f);
    let length = 4 * usize::from(u16::from_be_bytes([packet[at + 2], packet[at + 3]]));
    let mut rest = &packet[at + 4..at + 4 + length];
    let two_bytes = match [packet[at], packet[at + 1]] {
        [0xbe, 0xde] => false,
        [0x10, 0x00] => true,
        _ => return true,
    };
    loop {
        let (len, tail) = match rest {
            [] => return true,
            [0, tail @ ..] => (0, tail),
            // Reserved: the rest is not read.
            [first, ..] if !two_bytes && first >> 4 == 15 => return true,
            [first, tail @ ..] if !two_bytes => (usize::from(first & 0x0f) + 1, tail),
            [_, len, tail @ ..] => (usize::from(*len), tail),
            [_] => return false,
        };
        match tail.get(len..) {
            Some(next) => rest = next,
            None => return false,
        }
    }
}

fn replace(packet: &mut [u8], plain: &[u8]) -> usize {
    packet[..plain.len()].copy_from_slice(plain);
    plain.len()
}

impl Unprotect for Incoming {
    fn rtp(&mut self, packet: &mut [u8]) -> Result<usize, MediaError> {
        let ssrc = rtp::parse_header(packet)?.header.ssrc;
        if !extension_is_whole(packet) {
            return Err(MediaError::SrtpAuthentication);
        }
        if let Some((_, context)) = self.proven.iter_mut().find(|(s, _)| *s == ssrc) {
            let plain = context.decrypt_rtp(packet).map_err(refused)?;
            return Ok(replace(packet, &plain));
        }
        if self.proven.len() >= SOURCES_MAX {
            return Err(MediaError::SrtpSources);
        }
        if !self.probed.contains(&ssrc) {
            if self.probed.len() >= PROBES_MAX {
                self.probe = self.fresh()?;
                self.probed.clear();
            }
            self.probed.push(ssrc);
        }
        let plain = self.probe.decrypt_rtp(packet).map_err(refused)?;
        let next = self.fresh()?;
        self.proven
            .push((ssrc, std::mem::replace(&mut self.probe, next)));
        self.probed.clear();
        Ok(replace(packet, &plain))
    }

    fn rtcp(&mut self, packet: &mut [u8]) -> Result<usize, MediaError> {
        // Header 8, index 4, tag 10 or 16. The AEAD suites put the index last, the others before the tag.
        let tag = match self.suite {
            SrtpSuite::AesCm128HmacSha1_80 | SrtpSuite::AesCm128HmacSha1_32 => 10,
            SrtpSuite::AeadAes128Gcm | SrtpSuite::AeadAes256Gcm => 16,
        };
        let len = packet.len();
        if len < 8 + 4 + tag {
            return Err(MediaError::SrtpAuthentication);
        }
        let index_at = if tag == 10 { len - 14 } else { len - 4 };
        // An E bit of 0 would skip authentication in the cipher crate.
        if packet[index_at] & 0x80 == 0 {
            return Err(MediaError::SrtpAuthentication);
        }
        let ssrc = u32::from_be_bytes([packet[4], packet[5], packet[6], packet[7]]);
        if self.control_source.is_some_and(|s| s != ssrc) {
            // The far side took another SSRC: reports of the old one would be stale anyway, and one
            // state is enough. Replays of it change no more than a figure.
            let mut context = self.fresh()?;
            let plain = context.decrypt_rtcp(packet).map_err(refused)?;
            self.control = context;
            self.control_source = Some(ssrc);
            return Ok(replace(packet, &plain));
        }
        let result = self.control.decrypt_rtcp(packet).map_err(refused);
        match result {
            Ok(plain) => {
                self.control_source = Some(ssrc);
                Ok(replace(packet, &plain))
            }
            Err(e) => {
                if self.control_source.is_none() {
                    self.control = self.fresh()?;
                }
                Err(e)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::Header;

    const SUITES: [SrtpSuite; 4] = [
        SrtpSuite::AesCm128HmacSha1_80,
        SrtpSuite::AesCm128HmacSha1_32,
        SrtpSuite::AeadAes128Gcm,
        SrtpSuite::AeadAes256Gcm,
    ];

    fn keys(suite: SrtpSuite) -> (SrtpKeys, SrtpKeys) {
        let (k, s) = suite.key_and_salt_len();
        let a: Vec<u8> = (0..(k + s) as u8).collect();
        let b: Vec<u8> = (0..(k + s) as u8).map(|i| i ^ 0x5a).collect();
        let ours = SrtpKeys {
            suite,
            local: a.clone(),
            remote: b.clone(),
        };
        let theirs = SrtpKeys {
            suite,
            local: b,
            remote: a,
        };
        (ours, theirs)
    }

    fn packet(sequence: u16, ssrc: u32) -> Vec<u8> {
        let mut p = Header {
            marker: false,
            payload_type: 0,
            sequence,
            timestamp: u32::from(sequence) * 160,
            ssrc,
        }
        .to_bytes()
        .to_vec();
        p.extend((0..160).map(|i| i as u8 ^ sequence as u8));
        p
    }

    #[test]
    fn both_directions_round_trip_across_the_sequence_wrap() {
        for suite in SUITES {
            let (ours, theirs) = keys(suite);
            let (mut out, _) = pair(&ours).unwrap();
            let (_, mut incoming) = pair(&theirs).unwrap();
            for i in 0..200u16 {
                let plain = packet(65_500u16.wrapping_add(i), 9);
                let mut wire = Vec::new();
                out.rtp(&plain, &mut wire).unwrap();
                assert_ne!(wire[12..40], plain[12..40]);
                let n = incoming.rtp(&mut wire).unwrap();
                assert_eq!(&wire[..n], &plain[..], "{suite:?} {i}");
            }
        }
    }

    #[test]
    fn header_extensions_that_reach_past_their_end_are_refused_without_a_panic() {
        let cases: [(&[u8], bool); 8] = [
            (&[0x10, 0, 0, 1, 0x5d, 200, 0, 0], false),
            (&[0x10, 0, 0, 1, 0, 0, 0, 7], false),
            (&[0x10, 0, 0, 1, 7, 2, 1, 1], true),
            (&[0xbe, 0xde, 0, 1, 0x1f, 0, 0, 0], false),
            (&[0xbe, 0xde, 0, 1, 0x12, 1, 1, 1], true),
            (&[0xbe, 0xde, 0, 1, 0xff, 1, 1, 1], true),
            (&[0xbe, 0xde, 0, 0], true),
            (&[0xab, 0xcd, 0, 1, 0xff, 0xff, 0xff, 0xff], true),
        ];
        for suite in [SrtpSuite::AesCm128HmacSha1_80, SrtpSuite::AeadAes256Gcm] {
            let (key, salt) = suite.key_and_salt_len();
            let mut incoming = unprotect(suite, &vec![9; key + salt]).unwrap();
            for (extension, whole) in cases {
                let mut packet = vec![0x90, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1];
                packet.extend_from_slice(extension);
                packet.extend_from_slice(&[1; 60]);
                assert_eq!(extension_is_whole(&packet), whole, "{extension:?}");
                assert!(incoming.rtp(&mut packet).is_err(), "{extension:?}");
            }
        }
    }

    #[test]
    fn tampered_and_replayed_are_refused() {
        for suite in SUITES {
            let (ours, theirs) = keys(suite);
            let (mut out, _) = pair(&ours).unwrap();
            let (_, mut incoming) = pair(&theirs).unwrap();
            let mut wire = Vec::new();
            out.rtp(&packet(1, 9), &mut wire).unwrap();
            let sent = wire.clone();
            for at in [1, 3, 6, 11, 12, 100, wire.len() - 1] {
                let mut bad = sent.clone();
                bad[at] ^= 1;
                assert!(incoming.rtp(&mut bad).is_err(), "{suite:?} byte {at}");
            }
            incoming.rtp(&mut sent.clone()).unwrap();
            assert_eq!(
                incoming.rtp(&mut sent.clone()),
                Err(MediaError::SrtpReplay),
                "{suite:?}"
            );
            // After a change of SSRC the old packet is still a replay.
            let mut other = Vec::new();
            out.rtp(&packet(7, 10), &mut other).unwrap();
            incoming.rtp(&mut other).unwrap();
            assert_eq!(incoming.rtp(&mut sent.clone()), Err(MediaError::SrtpReplay));
        }
    }

    #[test]
    fn invented_sources_do_not_grow_the_state() {
        let (ours, theirs) = keys(SrtpSuite::AesCm128HmacSha1_80);
        let (mut out, _) = pair(&ours).unwrap();
        let (_, mut incoming) = pair(&theirs).unwrap();
        for ssrc in 0..1_000 {
            let mut junk = packet(1, ssrc);
            junk.extend_from_slice(&[0; 10]);
            assert!(incoming.rtp(&mut junk).is_err());
        }
        let mut wire = Vec::new();
        out.rtp(&packet(1, 9), &mut wire).unwrap();
        assert!(incoming.rtp(&mut wire).is_ok());
    }

    #[test]
    fn control_packets_round_trip_and_refuse_forgeries() {
        for suite in SUITES {
            let (ours, theirs) = keys(suite);
            let (mut out, _) = pair(&ours).unwrap();
            let (_, mut incoming) = pair(&theirs).unwrap();
            let mut plain = Vec::new();
            crate::rtcp::write(&mut plain, 9, None, None, "crosspoint", false);
            let mut wire = Vec::new();
            out.rtcp(&plain, &mut wire).unwrap();
            let sent = wire.clone();
            let mut forged = plain.clone();
            forged.extend_from_slice(&[0; 20]);
            assert!(
                incoming.rtcp(&mut forged).is_err(),
                "{suite:?} unauthenticated"
            );
            let mut bad = sent.clone();
            bad[9] ^= 1;
            assert!(incoming.rtcp(&mut bad).is_err());
            for len in 0..30.min(sent.len()) {
                assert!(incoming.rtcp(&mut sent[..len].to_vec()).is_err());
            }
            let n = incoming.rtcp(&mut wire).unwrap();
            assert_eq!(&wire[..n], &plain[..]);
            assert_eq!(
                incoming.rtcp(&mut sent.clone()),
                Err(MediaError::SrtpReplay)
            );
        }
    }

    #[test]
    fn keys_of_wrong_length_are_refused() {
        let (mut ours, _) = keys(SrtpSuite::AeadAes128Gcm);
        ours.local.pop();
        assert_eq!(
            pair(&ours).err(),
            Some(MediaError::SrtpKeys("AEAD_AES_128_GCM"))
        );
    }
}
