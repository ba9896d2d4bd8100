//! A datagram's way in: judged, counted, forwarded.

use super::leg::Leg;
use super::{NO_SLOT, Node, Slot};
use crate::comfort;
use crate::error::MediaError;
use crate::jitter::Content;
use crate::peer::{Agreed, Line, Outgoing};
use crate::rtp::{self, HEADER_LEN, Header, Parsed};
use crate::stats::Arrival;
use cp_vocab::Timestamp;
use cp_vocab::media::MediaEvent;
use std::net::SocketAddr;

/// What a payload type means to a leg.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Audio,
    Event,
    Noise,
}

impl Kind {
    /// What a payload type means to a browser's leg: it may send events by any number agreed.
    pub(super) fn of_peer(agreed: Option<&Agreed>, pt: u8) -> Option<Self> {
        let agreed = agreed?;
        if pt == agreed.payload_type {
            Some(Self::Audio)
        } else if agreed.events.iter().any(|(e, _)| *e == pt) {
            Some(Self::Event)
        } else {
            None
        }
    }
}

impl Node {
    /// One datagram from the RTP (`is_rtcp` false) or RTCP socket of the leg whose RTP port is `port`.
    /// `packet` is used as scratch (decryption happens in place).
    pub fn receive(
        &mut self,
        now: Timestamp,
        port: u16,
        is_rtcp: bool,
        from: SocketAddr,
        packet: &mut [u8],
    ) {
        self.outbox.now = now;
        let slot = self.by_port[usize::from(port)];
        if slot == NO_SLOT {
            self.counters.no_leg += 1;
            return;
        }
        if is_rtcp || rtp::is_rtcp(packet) {
            self.receive_rtcp(now, slot, from, packet);
        } else {
            self.receive_rtp(now, slot, from, packet);
        }
    }

    /// An ICMP error came back on the leg's socket.
    pub fn unreachable(&mut self, now: Timestamp, port: u16) {
        let slot = self.by_port[usize::from(port)];
        let config = &self.config;
        let Some(leg) = self.legs.get_mut(slot as usize).and_then(|l| l.as_mut()) else {
            return;
        };
        let limit = if leg.flowed {
            config.unreachable_after
        } else {
            config.unreachable_after_start
        };
        let trouble = &mut leg.trouble;
        trouble.count += 1;
        let since = *trouble.since.get_or_insert(now);
        if !trouble.told && trouble.count >= UNREACHABLE_MIN && now.since(since) >= limit {
            trouble.told = true;
            let leg = leg.id;
            self.outbox.event(MediaEvent::Unreachable { leg });
        }
    }

    fn receive_rtp(&mut self, now: Timestamp, slot: Slot, from: SocketAddr, packet: &mut [u8]) {
        let Some(leg) = self.legs[slot as usize].as_deref_mut() else {
            return;
        };
        let counters = &mut self.counters;
        let Some(plan) = &leg.plan else {
            counters.unwanted += 1;
            return;
        };
        if !leg.latch.admits(now, from, plan.remote) {
            counters.stranger += 1;
            return;
        }
        if !leg.within_rate(now) {
            counters.flood += 1;
            return;
        }
        let (parsed, kind) = match open(leg, packet) {
            Ok(Some(found)) => found,
            Ok(None) => {
                counters.unknown_payload_type += 1;
                return;
            }
            Err(refused) => {
                counters.refuse(&refused);
                return;
            }
        };
        leg.latch.accept(now, from);
        leg.sign_of_life(now);
        let payload = &packet[parsed.payload];
        self.accepted(now, slot, kind, parsed.header, payload);
    }

    /// A packet that is the leg's own, decrypted: counted, and used if it is new.
    pub(super) fn accepted(
        &mut self,
        now: Timestamp,
        slot: Slot,
        kind: Kind,
        header: Header,
        payload: &[u8],
    ) {
        let Some(leg) = self.legs[slot as usize].as_deref_mut() else {
            return;
        };
        let counters = &mut self.counters;
        let Some(plan) = &leg.plan else {
            counters.unwanted += 1;
            return;
        };
        let (clock_hz, receive) = (plan.codec.clock_hz(), plan.receive);
        if header.ssrc == leg.sender.ssrc {
            // RFC 3550 8.2: ours moves; theirs goes on.
            counters.ssrc_collision += 1;
            leg.sender.ssrc = rand::Rng::next_u32(&mut self.rng);
        }
        let ext = match leg.reception.arrive(header.ssrc, header.sequence) {
            Arrival::Fresh { ext } => ext,
            Arrival::Duplicate => {
                counters.duplicate += 1;
                return;
            }
            Arrival::Stale => {
                counters.stale += 1;
                return;
            }
        };
        counters.received += 1;
        if kind == Kind::Audio {
            leg.reception.time(now, header.timestamp, clock_hz);
        }
        if !leg.flowed {
            leg.flowed = true;
            self.outbox.event(MediaEvent::Flowing { leg: leg.id });
        }
        if !receive {
            counters.unwanted += 1;
            return;
        }
        self.take_payload(now, slot, ext, kind, header, payload);
    }

    /// A payload that is new and wanted: to the decoder, to those it is forwarded to, to the digits.
    #[inline]
    fn take_payload(
        &mut self,
        now: Timestamp,
        slot: Slot,
        ext: u32,
        kind: Kind,
        header: Header,
        payload: &[u8],
    ) {
        let Some(leg) = self.legs[slot as usize].as_deref_mut() else {
            return;
        };
        let epoch = leg.reception.epoch();
        if let Some(voice) = &mut leg.voice {
            let content = match kind {
                Kind::Audio => Some(Content::Audio),
                Kind::Noise => Some(Content::Noise),
                Kind::Event => None,
            };
            match content {
                Some(c) => voice
                    .playout
                    .insert(now, epoch, ext, header.timestamp, c, payload),
                None => voice.playout.event(epoch, ext),
            }
        }
        let pressed = leg.events.is_pressed();
        if !leg.forwards.is_empty() {
            for hearer in leg.forwards.clone() {
                self.forward(now, slot, epoch, ext, kind, header, hearer, payload);
            }
        }
        let apart = self.leg(slot).is_some_and(|l| l.tracked.is_some());
        if apart && kind == Kind::Audio {
            self.track_packet(now, slot, (epoch, ext), header, payload);
        }
        if kind == Kind::Event {
            self.take_events(now, slot, epoch, header.timestamp, payload);
        } else if pressed {
            self.check_events(now, slot);
        }
    }

    /// Timestamps of a sender that started anew say nothing about earlier presses.
    fn take_events(
        &mut self,
        now: Timestamp,
        slot: Slot,
        epoch: u32,
        timestamp: u32,
        payload: &[u8],
    ) {
        if let Some(leg) = self.leg_mut(slot)
            && leg.events_epoch != epoch
        {
            leg.events_epoch = epoch;
            self.with_events(now, slot, |events, clock_hz, tell| {
                events.reset(clock_hz, tell);
            });
        }
        self.take_event(now, slot, timestamp, payload);
    }

    #[allow(clippy::too_many_arguments)] // one packet's facts, on the hottest path
    fn forward(
        &mut self,
        now: Timestamp,
        source: Slot,
        epoch: u32,
        ext: u32,
        kind: Kind,
        header: Header,
        hearer: Slot,
        payload: &[u8],
    ) {
        let Some(leg) = self.legs[hearer as usize].as_deref_mut() else {
            return;
        };
        let Some(to) = leg.destination() else {
            return;
        };
        let Some(plan) = &leg.plan else {
            return;
        };
        let payload_type = match kind {
            Kind::Audio => plan.payload_type_send,
            Kind::Event => match plan.dtmf {
                Some((send, _)) => send,
                None => return,
            },
            Kind::Noise if plan.comfort_noise => comfort::PAYLOAD_TYPE,
            Kind::Noise => return,
        };
        let clock_hz = plan.codec.clock_hz();
        let Some(numbers) = leg
            .sender
            .forward(now, clock_hz, source, epoch, ext, header.timestamp)
        else {
            self.counters.stale += 1;
            return;
        };
        let header = Header {
            marker: header.marker || (numbers.fresh && kind == Kind::Audio),
            payload_type,
            sequence: numbers.sequence,
            timestamp: numbers.timestamp,
            ssrc: leg.sender.ssrc,
        };
        if send_rtp(
            &mut self.outbox,
            &mut self.work.plain,
            leg,
            to,
            header,
            payload,
        ) {
            self.counters.relayed += 1;
            self.counters.sent += 1;
        }
    }
}

/// Errors of ICMP in a row below which a leg is not called unreachable.
const UNREACHABLE_MIN: u32 = 5;

/// Decrypts if need be and takes the packet apart; `None` for a payload type nobody agreed.
fn open(leg: &mut Leg, packet: &mut [u8]) -> Result<Option<(Parsed, Kind)>, MediaError> {
    let mut parsed = rtp::parse_header(packet)?;
    let Some(plan) = &leg.plan else {
        return Ok(None);
    };
    let pt = parsed.header.payload_type;
    let kind = if pt == plan.payload_type_receive {
        Kind::Audio
    } else if plan.dtmf.is_some_and(|(_, receive)| receive == pt) {
        Kind::Event
    } else if pt == comfort::PAYLOAD_TYPE && plan.codec.clock_hz() == 8_000 {
        Kind::Noise
    } else {
        return Ok(None);
    };
    let mut len = packet.len();
    if let Some(cipher) = &mut leg.cipher {
        len = cipher.incoming.rtp(packet)?;
        parsed.payload.end = len;
    }
    rtp::strip_padding(&packet[..len], &mut parsed)?;
    Ok(Some((parsed, kind)))
}

/// Puts one packet of a leg into the outbox, protected if the plan says so.
#[inline]
pub(super) fn send_rtp(
    outbox: &mut super::Outbox,
    scratch: &mut Vec<u8>,
    leg: &mut Leg,
    to: SocketAddr,
    header: Header,
    payload: &[u8],
) -> bool {
    if let Some(web) = &mut leg.web {
        let packet = Outgoing {
            line: Line::Audio,
            payload_type: header.payload_type,
            marker: header.marker,
            sequence: header.sequence,
            timestamp: header.timestamp,
            payload,
        };
        web.peer.send(outbox.now, &packet);
        if !std::mem::replace(&mut web.dirty, true) {
            outbox.dirty.push(web.slot);
        }
        leg.sender.packets += 1;
        leg.sender.octets += payload.len() as u64;
        return true;
    }
    let head = header.to_bytes();
    let sent = match &mut leg.cipher {
        None => outbox.datagram(leg.port, false, to, |out| {
            out.reserve(HEADER_LEN + payload.len());
            out.extend_from_slice(&head);
            out.extend_from_slice(payload);
            Ok::<(), MediaError>(())
        }),
        Some(cipher) => {
            scratch.clear();
            scratch.extend_from_slice(&head);
            scratch.extend_from_slice(payload);
            outbox.datagram(leg.port, false, to, |out| cipher.out.rtp(scratch, out))
        }
    };
    if sent {
        leg.sender.packets += 1;
        leg.sender.octets += payload.len() as u64;
    }
    sent
}
