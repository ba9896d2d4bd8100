//! Legs that are browsers' peer connections: found by their datagrams, driven by their timers,
//! negotiated by the engine's asks.

use super::tracks::Tracks;
use super::{Node, Slot};
use crate::peer::rtc::{Anchor, RtcMaker};
use crate::peer::{Agreed, Incoming, Peer, PeerAddresses, PeerError, PeerMaker, PeerOutput, stun};
use crate::rtp::Header;
use cp_vocab::media::{MediaEvent, MediaPlan};
use cp_vocab::web::{Connection, PeerAgreed, PeerAsk, PeerSaid};
use cp_vocab::{LegId, Timestamp};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::{Ipv4Addr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// Addresses remembered of one browser; a laptop that changes networks uses few. The oldest goes.
const ADDRESSES_MAX: usize = 8;
/// A peer that never came through DTLS is given up after this long.
const CONNECT_MAX: Duration = Duration::from_secs(30);
/// Without a datagram for this long a browser counts as disconnected: it checks its path every 2.5 s.
const QUIET: Duration = Duration::from_secs(5);
/// Rounds in which peers may cause one another's work before the next call; more waits for it.
const FLUSH_ROUNDS_MAX: usize = 4;

/// Browsers on a node.
#[derive(Clone, Debug)]
pub struct PeerConfig {
    pub anchor: Anchor,
    pub addresses: PeerAddresses,
    /// Browser legs at most; further ones are refused as busy.
    pub legs_max: usize,
    /// Of them not connected yet at most: what a flood of offers can hold for 30 s.
    pub half_open_max: usize,
}

/// Browser legs per worker unless set otherwise.
pub const PEER_LEGS_MAX: usize = 4_000;
/// Of them half-open.
pub const PEER_HALF_OPEN_MAX: usize = 500;

/// The peers of a node.
pub(crate) struct Peers {
    maker: Box<dyn PeerMaker>,
    config: PeerConfig,
    by_ufrag: FxHashMap<String, Slot>,
    by_address: FxHashMap<(bool, SocketAddr), Slot>,
    due: BinaryHeap<Reverse<(Timestamp, Slot)>>,
    open: usize,
    half_open: usize,
    arrived: Vec<Incoming>,
}

impl Peers {
    pub(crate) fn new(config: PeerConfig) -> Self {
        Self {
            maker: Box::new(RtcMaker::new(config.anchor, config.addresses.clone())),
            config,
            by_ufrag: FxHashMap::default(),
            by_address: FxHashMap::default(),
            due: BinaryHeap::new(),
            open: 0,
            half_open: 0,
            arrived: Vec::new(),
        }
    }

    pub(crate) fn next_timeout(&self) -> Option<Timestamp> {
        self.due.peek().map(|Reverse((at, _))| *at)
    }
}

/// The transport of one leg.
pub(crate) struct Web {
    pub(crate) peer: Box<dyn Peer>,
    pub(crate) slot: Slot,
    /// In the list of those with something to send.
    pub(crate) dirty: bool,
    ufrag: String,
    addresses: SmallVec<[(bool, SocketAddr); 2]>,
    opened_at: Timestamp,
    heard_at: Timestamp,
    up: bool,
    told: Option<Connection>,
    given_up: bool,
    /// Earliest entry of this leg in the heap of timers.
    queued: Option<Timestamp>,
    pub(crate) video: super::video::Forward,
    pub(crate) tracks: Tracks,
}

impl Node {
    /// One datagram from the worker's socket for browsers, or one frame of a TCP connection
    /// (RFC 4571).
    pub fn receive_peer(&mut self, now: Timestamp, tcp: bool, from: SocketAddr, bytes: &[u8]) {
        self.outbox.now = now;
        let Some(peers) = &self.peers else { return };
        let named = stun::addressee(bytes).and_then(|u| peers.by_ufrag.get(u));
        let known = || peers.by_address.get(&(tcp, from));
        let is_stun = stun::is_stun(bytes);
        let slot = if is_stun { named } else { known() };
        let Some(&slot) = slot else {
            self.counters.stranger += 1;
            return;
        };
        let Some(web) = self.leg_mut(slot).and_then(|l| l.web.as_mut()) else {
            return;
        };
        // A fault in a library that reads what strangers send costs this leg, not the worker.
        let taken = catch_unwind(AssertUnwindSafe(|| web.peer.receive(now, tcp, from, bytes)));
        match taken {
            Ok(true) => {
                web.heard_at = now;
                if is_stun {
                    self.learn(slot, tcp, from);
                }
                if let Some(leg) = self.leg_mut(slot) {
                    leg.sign_of_life(now);
                }
                self.pump(now, slot);
            }
            Ok(false) => self.counters.stranger += 1,
            Err(_) => self.lose_peer(slot),
        }
    }

    /// The browser proved by STUN that it is there.
    fn learn(&mut self, slot: Slot, tcp: bool, from: SocketAddr) {
        let Some(peers) = &mut self.peers else { return };
        if peers.by_address.insert((tcp, from), slot) == Some(slot) {
            return;
        }
        let leg = self.legs.get_mut(slot as usize).and_then(|l| l.as_mut());
        let Some(web) = leg.and_then(|l| l.web.as_mut()) else {
            return;
        };
        web.addresses.retain(|a| *a != (tcp, from));
        if web.addresses.len() == ADDRESSES_MAX {
            let oldest = web.addresses.remove(0);
            peers.by_address.remove(&oldest);
        }
        web.addresses.push((tcp, from));
    }

    pub(super) fn peer_ask(&mut self, now: Timestamp, leg: LegId, ask: PeerAsk) {
        let said = match ask {
            PeerAsk::TakeOffer { sdp, fresh } => self.take_offer(now, leg, &sdp, fresh),
            PeerAsk::MakeOffer => self.make_offer(now, leg),
            PeerAsk::TakeAnswer { sdp } => self.take_answer(now, leg, &sdp),
            PeerAsk::Candidate { candidate } => {
                let done = self.with_peer(leg, |p| p.add_candidate(&candidate));
                done.map(|()| None)
            }
            PeerAsk::Press { digits } => {
                if let Some(slot) = self.slot_of(leg) {
                    for digit in digits.chars() {
                        self.press(slot, digit);
                    }
                }
                Ok(None)
            }
        };
        match said {
            Ok(Some(said)) => self.outbox.event(MediaEvent::Peer { leg, said }),
            Ok(None) => {}
            Err(e) => {
                let said = PeerSaid::Refused {
                    code: e.code(),
                    detail: e.to_string(),
                    open: self.by_id.contains_key(&leg),
                };
                self.outbox.event(MediaEvent::Peer { leg, said });
            }
        }
        if let Some(&slot) = self.by_id.get(&leg) {
            self.pump(now, slot);
        }
    }

    fn take_offer(
        &mut self,
        now: Timestamp,
        leg: LegId,
        sdp: &str,
        fresh: bool,
    ) -> Result<Option<PeerSaid>, PeerError> {
        let there = self.by_id.contains_key(&leg);
        let sdp = if there && !fresh {
            self.with_peer(leg, |p| p.take_offer(sdp))?
        } else {
            let mut peer = self.new_peer(now, there)?;
            let answer = guarded(|| peer.take_offer(sdp))?;
            self.install(now, leg, peer);
            answer
        };
        let agreed = self.settle(now, leg)?;
        Ok(Some(PeerSaid::Answer { sdp, agreed }))
    }

    fn make_offer(&mut self, now: Timestamp, leg: LegId) -> Result<Option<PeerSaid>, PeerError> {
        let sdp = if self.by_id.contains_key(&leg) {
            self.with_peer(leg, |p| p.make_offer())?
        } else {
            let mut peer = self.new_peer(now, false)?;
            let sdp = guarded(|| peer.make_offer())?;
            self.install(now, leg, peer);
            sdp
        };
        Ok(Some(PeerSaid::Offer { sdp }))
    }

    fn take_answer(
        &mut self,
        now: Timestamp,
        leg: LegId,
        sdp: &str,
    ) -> Result<Option<PeerSaid>, PeerError> {
        self.with_peer(leg, |p| p.take_answer(sdp))?;
        let agreed = self.settle(now, leg)?;
        Ok(Some(PeerSaid::Agreed(agreed)))
    }

    fn with_peer<T>(
        &mut self,
        leg: LegId,
        run: impl FnOnce(&mut dyn Peer) -> Result<T, PeerError>,
    ) -> Result<T, PeerError> {
        let slot = self.slot_of(leg).ok_or(PeerError::State("no such leg"))?;
        let web = self.leg_mut(slot).and_then(|l| l.web.as_mut());
        let web = web.ok_or(PeerError::State("the peer connection is gone"))?;
        let peer = &mut *web.peer;
        guarded(move || run(peer))
    }

    fn new_peer(&mut self, now: Timestamp, instead: bool) -> Result<Box<dyn Peer>, PeerError> {
        let peers = self.peers.as_ref().ok_or(PeerError::Off)?;
        let full = peers.open >= peers.config.legs_max && !instead;
        if full || peers.half_open >= peers.config.half_open_max {
            return Err(PeerError::Busy);
        }
        Ok(peers.maker.make(now))
    }

    /// Puts a peer connection below a leg, which is opened if need be.
    fn install(&mut self, now: Timestamp, id: LegId, mut peer: Box<dyn Peer>) {
        let slot = match self.by_id.get(&id) {
            Some(&slot) => {
                self.remove_peer(now, slot);
                slot
            }
            None => self.add_leg(now, id, 0),
        };
        let ufrag = peer.ufrag();
        if let Some(peers) = &mut self.peers {
            peers.by_ufrag.insert(ufrag.clone(), slot);
            peers.open += 1;
            peers.half_open += 1;
        }
        if let Some(leg) = self.leg_mut(slot) {
            leg.web = Some(Box::new(Web {
                peer,
                slot,
                dirty: false,
                ufrag,
                addresses: SmallVec::new(),
                opened_at: now,
                heard_at: now,
                up: false,
                told: None,
                given_up: false,
                queued: None,
                video: super::video::Forward::default(),
                tracks: Tracks::default(),
            }));
        }
    }

    /// What was agreed becomes the leg's plan.
    fn settle(&mut self, now: Timestamp, leg: LegId) -> Result<PeerAgreed, PeerError> {
        let gone = PeerError::State("the peer connection is gone");
        let Some(slot) = self.slot_of(leg) else {
            return Err(gone);
        };
        let web = self.legs[slot as usize]
            .as_mut()
            .and_then(|l| l.web.as_mut());
        let web = web.ok_or(gone)?;
        let ufrag = web.peer.ufrag();
        if ufrag != web.ufrag
            && let Some(peers) = &mut self.peers
        {
            peers.by_ufrag.remove(&web.ufrag);
            peers.by_ufrag.insert(ufrag.clone(), slot);
            web.ufrag = ufrag;
        }
        let agreed = web.peer.agreed().cloned();
        let agreed = agreed.ok_or(PeerError::State("nothing was agreed"))?;
        self.set_plan(now, slot, plan_of(&agreed));
        Ok(PeerAgreed {
            codec: agreed.codec,
            send: agreed.send,
            receive: agreed.receive,
            video: agreed.video.is_some(),
        })
    }

    /// Takes the peer connection from a leg, with a goodbye.
    pub(super) fn remove_peer(&mut self, now: Timestamp, slot: Slot) {
        self.untrack(slot);
        let Some(mut web) = self.leg_mut(slot).and_then(|l| l.web.take()) else {
            return;
        };
        let outbox = &mut self.outbox;
        let _ = catch_unwind(AssertUnwindSafe(|| {
            web.peer.close(now);
            web.peer.drain(&mut |o| {
                if let PeerOutput::Send { tcp, to, bytes } = o {
                    outbox.peer_datagram(tcp, to, bytes);
                }
            });
        }));
        self.forget_peer(&web);
    }

    fn forget_peer(&mut self, web: &Web) {
        let Some(peers) = &mut self.peers else { return };
        peers.by_ufrag.remove(&web.ufrag);
        for address in &web.addresses {
            if peers.by_address.get(address) == Some(&web.slot) {
                peers.by_address.remove(address);
            }
        }
        peers.open -= 1;
        peers.half_open -= usize::from(!web.up);
    }

    /// The library panicked, or DTLS failed for good: the leg is silent, and the engine ends it.
    fn lose_peer(&mut self, slot: Slot) {
        self.untrack(slot);
        let Some(leg) = self.leg_mut(slot) else {
            return;
        };
        let id = leg.id;
        leg.plan = None;
        if let Some(web) = leg.web.take() {
            self.forget_peer(&web);
        }
        self.rewire(slot);
        self.outbox.event(MediaEvent::Unreachable { leg: id });
    }

    /// Takes everything that came up out of one peer.
    pub(super) fn pump(&mut self, now: Timestamp, slot: Slot) {
        let Some(mut web) = self.leg_mut(slot).and_then(|l| l.web.take()) else {
            return;
        };
        web.dirty = false;
        let Some(peers) = &mut self.peers else { return };
        let mut arrived = std::mem::take(&mut peers.arrived);
        let outbox = &mut self.outbox;
        let (mut connected, mut wanted, mut closed) = (false, false, false);
        let drained = catch_unwind(AssertUnwindSafe(|| {
            web.peer.drain(&mut |o| match o {
                PeerOutput::Send { tcp, to, bytes } => outbox.peer_datagram(tcp, to, bytes),
                PeerOutput::Packet(p) => arrived.push(p),
                PeerOutput::Connected => connected = true,
                PeerOutput::PictureWanted => wanted = true,
                PeerOutput::Closed => closed = true,
            })
        }));
        if connected && !web.up {
            web.up = true;
            peers.half_open -= 1;
        }
        if let Ok(due) = drained
            && due != Timestamp::FAR
        {
            // The frame clock is fine enough, and a library that asks for "now" must not spin us.
            let due = due.max(now + Duration::from_millis(1));
            if web.queued.is_none_or(|q| due < q) {
                web.queued = Some(due);
                peers.due.push(Reverse((due, slot)));
            }
        }
        let alive = web.up && now.since(web.heard_at) < QUIET;
        let news = alive && web.told != Some(Connection::Connected);
        if news {
            web.told = Some(Connection::Connected);
        }
        let Some(leg) = self.leg_mut(slot) else {
            return;
        };
        let id = leg.id;
        leg.web = Some(web);
        if news {
            let said = PeerSaid::Connection(Connection::Connected);
            self.outbox.event(MediaEvent::Peer { leg: id, said });
        }
        for packet in arrived.drain(..) {
            if packet.video {
                self.forward_video(now, slot, &packet);
            } else {
                self.peer_audio(now, slot, &packet);
            }
        }
        if let Some(peers) = &mut self.peers {
            peers.arrived = arrived;
        }
        if wanted {
            self.picture_wanted(slot);
        }
        if drained.is_err() {
            self.lose_peer(slot);
        } else if closed {
            self.peer_closed(now, slot);
        }
    }

    /// The browser closed it: it may come back with a new one, until the engine gives it up.
    fn peer_closed(&mut self, now: Timestamp, slot: Slot) {
        let Some(leg) = self.leg_mut(slot) else {
            return;
        };
        let id = leg.id;
        self.remove_peer(now, slot);
        let said = PeerSaid::Connection(Connection::Disconnected);
        self.outbox.event(MediaEvent::Peer { leg: id, said });
    }

    fn peer_audio(&mut self, now: Timestamp, slot: Slot, packet: &Incoming) {
        let Some(leg) = self.leg_mut(slot) else {
            return;
        };
        if !leg.within_rate(now) {
            self.counters.flood += 1;
            return;
        }
        let agreed = leg.web.as_ref().and_then(|w| w.peer.agreed());
        let kind = super::receive::Kind::of_peer(agreed, packet.payload_type);
        let Some(kind) = kind else {
            self.counters.unknown_payload_type += 1;
            return;
        };
        let header = Header {
            marker: packet.marker,
            payload_type: packet.payload_type,
            sequence: packet.sequence as u16,
            timestamp: packet.timestamp,
            ssrc: packet.ssrc,
        };
        self.accepted(now, slot, kind, header, &packet.payload);
    }

    /// Timers of peers that are due.
    pub(super) fn run_peers(&mut self, now: Timestamp) {
        while let Some(peers) = &mut self.peers
            && let Some(&Reverse((at, slot))) = peers.due.peek()
            && at <= now
        {
            peers.due.pop();
            let Some(web) = self.leg_mut(slot).and_then(|l| l.web.as_mut()) else {
                continue;
            };
            if web.queued != Some(at) {
                continue;
            }
            web.queued = None;
            self.advance_peer(now, slot);
        }
    }

    fn advance_peer(&mut self, now: Timestamp, slot: Slot) {
        let Some(web) = self.leg_mut(slot).and_then(|l| l.web.as_mut()) else {
            return;
        };
        if catch_unwind(AssertUnwindSafe(|| web.peer.advance(now))).is_err() {
            return self.lose_peer(slot);
        }
        self.pump(now, slot);
    }

    /// Sends what was given to peers since the last time.
    pub(super) fn flush_peers(&mut self) {
        let now = self.outbox.now;
        for _ in 0..FLUSH_ROUNDS_MAX {
            if self.outbox.dirty.is_empty() {
                return;
            }
            let mut dirty = std::mem::take(&mut self.outbox.dirty);
            for slot in dirty.drain(..) {
                self.advance_peer(now, slot);
            }
            if self.outbox.dirty.is_empty() {
                self.outbox.dirty = dirty;
            }
        }
    }

    /// Once a second: is the browser still there?
    pub(super) fn look_after_peer(&mut self, slot: Slot, now: Timestamp) {
        let Some(leg) = self.leg_mut(slot) else {
            return;
        };
        let id = leg.id;
        let Some(web) = &mut leg.web else { return };
        if !web.up && !web.given_up && now.since(web.opened_at) >= CONNECT_MAX {
            web.given_up = true;
            return self.outbox.event(MediaEvent::Unreachable { leg: id });
        }
        let quiet = now.since(web.heard_at) >= QUIET;
        if quiet && web.told == Some(Connection::Connected) {
            web.told = Some(Connection::Disconnected);
            let said = PeerSaid::Connection(Connection::Disconnected);
            self.outbox.event(MediaEvent::Peer { leg: id, said });
        }
    }
}

/// Runs a library over what strangers wrote.
fn guarded<T>(run: impl FnOnce() -> Result<T, PeerError>) -> Result<T, PeerError> {
    let panicked = || Err(PeerError::Malformed("it cannot be understood".into()));
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| panicked())
}

/// The plan of a leg whose packets go through a peer: addresses are the peer's business.
fn plan_of(agreed: &Agreed) -> MediaPlan {
    let pt = agreed.payload_type;
    MediaPlan {
        remote: SocketAddr::from((Ipv4Addr::LOCALHOST, 9)),
        remote_rtcp: None,
        codec: agreed.codec,
        payload_type_send: pt,
        payload_type_receive: pt,
        dtmf: agreed.events.first().map(|(pt, _)| (*pt, *pt)),
        ptime_ms: 20,
        send: agreed.send,
        receive: agreed.receive,
        srtp: None,
        comfort_noise: false,
        stereo: agreed.stereo,
    }
}
