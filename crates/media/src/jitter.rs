//! Adaptive playout: packets in as they come, one frame out per 20 ms of the node's clock.
//!
//! The delay follows the arrivals: a histogram of how much later than the quickest packet the others
//! came, with forgetting, gives the delay that would have let nearly all of them in time. It grows by
//! concealment when packets are late and shrinks by cutting pitch periods out.

mod delay;

use crate::codec::Decoder;
use crate::comfort::Noise;
use crate::conceal::{Concealer, best_lag};
use crate::error::MediaError;
use cp_vocab::Timestamp;
use cp_vocab::media::Codec;
use delay::Delay;

/// Packets waiting; at the limit the oldest is given up, which also bounds the delay.
const PACKETS_MAX: usize = 64;
/// Later than the quickest by more than this is no delay but another line of timestamps, in us.
const JUMP_US: i64 = 500_000;
/// Above the target by this much for `SHRINK_AFTER` frames: a period is cut out.
const SHRINK_ABOVE_US: i64 = 30_000;
const SHRINK_AFTER: u32 = 25;
/// Concealed frames in a row after which the sender is taken to be silent.
const STARVED_MAX: u32 = 4;
/// A timestamp this far ahead is a new beginning, not a pause, in ms.
const GAP_MS_MAX: u32 = 10_000;

/// What a packet carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Content {
    Audio,
    /// RFC 3389.
    Noise,
}

#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Kind {
    #[default]
    Audio,
    Noise,
    Nothing,
}

#[derive(Default)]
struct Waiting {
    used: bool,
    ext: u32,
    timestamp: u32,
    kind: Kind,
    bytes: Vec<u8>,
}

/// Totals of one playout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlayoutCounters {
    pub played: u64,
    pub concealed: u64,
    pub late: u64,
    pub overflowed: u64,
    pub undecodable: u64,
    /// Pitch periods cut out to lower the delay.
    pub shrunk: u64,
}

/// The playout of one incoming stream: buffer, decoder, concealment.
pub struct Playout {
    decoder: Decoder,
    codec: Codec,
    clock_hz: u32,
    rate_hz: u32,
    waiting: Vec<Waiting>,
    count: usize,
    epoch: u32,
    /// Extended sequence number to play next; `None` while nothing plays.
    next: Option<u32>,
    newest: u32,
    play_timestamp: u32,
    /// `play_timestamp` in us, unwrapped, on the sender's line.
    line_us: i64,
    /// Units of the RTP clock in the last audio packet.
    packet_units: u32,
    /// When the oldest waiting packet of a beginning came.
    first_arrival: Option<Timestamp>,
    delay: Delay,
    ready: Vec<i16>,
    taken: usize,
    concealer: Option<Concealer>,
    noise: Option<Noise>,
    starved: u32,
    /// Concealed while nothing waited, in RTP units: a loss that shows later is already paid for.
    credit: u32,
    above: u32,
    seed: u32,
    counters: PlayoutCounters,
}

impl Playout {
    /// # Errors
    /// As [`Decoder::new`].
    pub fn new(codec: Codec, opus_rate_hz: u32, seed: u32) -> Result<Self, MediaError> {
        let decoder = Decoder::new(codec, opus_rate_hz)?;
        let rate_hz = decoder.rate_hz();
        Ok(Self {
            codec,
            clock_hz: codec.clock_hz(),
            rate_hz,
            concealer: (codec != Codec::Opus).then(|| Concealer::new(rate_hz)),
            decoder,
            waiting: Vec::new(),
            count: 0,
            epoch: 0,
            next: None,
            newest: 0,
            play_timestamp: 0,
            line_us: 0,
            packet_units: codec.clock_hz() / 50,
            first_arrival: None,
            delay: Delay::new(),
            ready: Vec::new(),
            taken: 0,
            noise: None,
            starved: 0,
            credit: 0,
            above: 0,
            seed,
            counters: PlayoutCounters::default(),
        })
    }

    pub fn codec(&self) -> Codec {
        self.codec
    }
    /// Rate of the frames given, in Hz.
    pub fn rate_hz(&self) -> u32 {
        self.rate_hz
    }
    pub fn counters(&self) -> PlayoutCounters {
        self.counters
    }
    /// Delay aimed at, in ms.
    pub fn target_ms(&self) -> u32 {
        (self.delay.target_us / 1_000) as u32
    }

    fn transit(&self, now: Timestamp, timestamp: u32) -> i64 {
        // Relative to the play line, so that the 32-bit wrap does not show.
        let ahead = i64::from(timestamp.wrapping_sub(self.play_timestamp) as i32);
        (now.0 as i64)
            .wrapping_sub(self.line_us)
            .wrapping_sub(ahead * 1_000_000 / i64::from(self.clock_hz))
    }

    /// Takes a packet that is not a duplicate. `epoch` changes when the sender started anew.
    pub fn insert(
        &mut self,
        now: Timestamp,
        epoch: u32,
        ext: u32,
        timestamp: u32,
        content: Content,
        payload: &[u8],
    ) {
        if epoch != self.epoch || (self.count == 0 && self.next.is_none()) {
            if epoch != self.epoch {
                self.restart();
                self.delay = Delay::new();
                self.line_us = 0;
            }
            self.epoch = epoch;
            if self.count == 0 {
                self.move_line(timestamp);
            }
        }
        if content == Content::Audio {
            let transit = self.transit(now, timestamp);
            // The sender's line jumped (it was put on hold and stopped its timestamps): what was
            // learnt about the delay says nothing any more.
            if self.delay.count > 0 && transit.wrapping_sub(self.delay.base()) > JUMP_US {
                self.delay = Delay::new();
            }
            self.delay.arrive(now, transit);
        }
        if self.next.is_some_and(|n| ext < n) {
            self.counters.late += 1;
            return;
        }
        if self.waiting.is_empty() {
            self.waiting.resize_with(PACKETS_MAX, Waiting::default);
        }
        if self.count == 0 {
            self.first_arrival = Some(now);
            self.newest = ext;
        }
        self.newest = self.newest.max(ext);
        let slot = &mut self.waiting[ext as usize % PACKETS_MAX];
        if slot.used {
            if slot.ext >= ext {
                return;
            }
            self.counters.overflowed += 1;
            self.count -= 1;
        }
        slot.used = true;
        slot.ext = ext;
        slot.timestamp = timestamp;
        slot.kind = match content {
            Content::Audio => Kind::Audio,
            Content::Noise => Kind::Noise,
        };
        slot.bytes.clear();
        slot.bytes.extend_from_slice(payload);
        self.count += 1;
    }

    /// A packet of the stream that is not audio (an RFC 4733 event): its number is no loss.
    pub fn event(&mut self, epoch: u32, ext: u32) {
        if epoch != self.epoch || self.next.is_none_or(|n| ext < n) || self.waiting.is_empty() {
            return;
        }
        let slot = &mut self.waiting[ext as usize % PACKETS_MAX];
        if slot.used {
            return;
        }
        slot.used = true;
        slot.ext = ext;
        slot.kind = Kind::Nothing;
        self.count += 1;
        self.newest = self.newest.max(ext);
    }

    /// The play line jumps to `timestamp` without a jump in the transit arithmetic.
    fn move_line(&mut self, timestamp: u32) {
        let ahead = i64::from(timestamp.wrapping_sub(self.play_timestamp) as i32);
        // A sender that jumps for hours may wrap this; it only moves its own audio.
        self.line_us = self
            .line_us
            .wrapping_add(ahead * 1_000_000 / i64::from(self.clock_hz));
        self.play_timestamp = timestamp;
    }

    fn restart(&mut self) {
        for w in &mut self.waiting {
            w.used = false;
        }
        self.count = 0;
        self.next = None;
        self.first_arrival = None;
        self.starved = 0;
        self.credit = 0;
        self.noise = None;
    }

    /// Writes one frame of 20 ms into `out` (cleared first) and returns whether it holds a voice;
    /// silence otherwise.
    pub fn frame(&mut self, now: Timestamp, out: &mut Vec<i16>) -> bool {
        let frame = (self.rate_hz / 50) as usize;
        out.clear();
        if self.next.is_none() && !self.begin(now) {
            return self.idle(frame, out);
        }
        let mut voiced = false;
        // Each round either appends samples or moves to a later packet; the bound only guards.
        for _ in 0..PACKETS_MAX * 4 {
            if self.ready.len() - self.taken >= frame {
                break;
            }
            voiced |= self.step(frame);
            if self.next.is_none() {
                break;
            }
        }
        self.shrink(now, frame);
        let have = (self.ready.len() - self.taken).min(frame);
        out.extend_from_slice(&self.ready[self.taken..self.taken + have]);
        out.resize(frame, 0);
        self.taken += have;
        if self.taken == self.ready.len() {
            self.ready.clear();
            self.taken = 0;
        } else if self.taken > 4 * frame {
            self.ready.drain(..self.taken);
            self.taken = 0;
        }
        voiced || have > 0
    }

    fn idle(&mut self, frame: usize, out: &mut Vec<i16>) -> bool {
        match &mut self.noise {
            Some(noise) => {
                noise.fill(frame, out);
                true
            }
            None => {
                out.resize(frame, 0);
                false
            }
        }
    }

    /// Starts to play once the oldest packet waited long enough.
    fn begin(&mut self, now: Timestamp) -> bool {
        let Some(first) = self.first_arrival else {
            return false;
        };
        if (now.since(first).as_micros() as i64) < self.delay.target_us {
            return false;
        }
        let oldest = self
            .waiting
            .iter()
            .filter(|w| w.used && w.kind != Kind::Nothing)
            .min_by_key(|w| w.ext)
            .map(|w| (w.ext, w.timestamp));
        let Some((ext, timestamp)) = oldest else {
            self.first_arrival = None;
            return false;
        };
        self.next = Some(ext);
        self.move_line(timestamp);
        self.starved = 0;
        self.credit = 0;
        true
    }

    fn advance(&mut self, units: u32) {
        self.line_us = self
            .line_us
            .wrapping_add(i64::from(units) * 1_000_000 / i64::from(self.clock_hz));
        self.play_timestamp = self.play_timestamp.wrapping_add(units);
    }

    fn units_of(&self, samples: usize) -> u32 {
        (samples as u64 * u64::from(self.clock_hz) / u64::from(self.rate_hz)) as u32
    }

    /// Appends the next piece: a packet, concealment, or noise in a pause.
    fn step(&mut self, frame: usize) -> bool {
        let Some(next) = self.next else {
            return false;
        };
        let index = next as usize % PACKETS_MAX;
        let present = self
            .waiting
            .get(index)
            .is_some_and(|w| w.used && w.ext == next);
        if present {
            return self.play(index, next);
        }
        if self.count > 0 && self.newest > next {
            // Lost, or too late. What was concealed while nothing waited has paid for it already.
            let units = self.packet_units;
            self.next = Some(next.wrapping_add(1));
            if self.credit >= units {
                self.credit -= units;
            } else {
                let samples = (u64::from(units) * u64::from(self.rate_hz)
                    / u64::from(self.clock_hz)) as usize;
                self.conceal(samples, next.wrapping_add(1));
            }
            self.advance(units);
            return true;
        }
        if let Some(noise) = &mut self.noise {
            noise.fill(frame, &mut self.ready);
            self.advance(self.clock_hz / 50);
            return true;
        }
        self.starved += 1;
        if self.starved > STARVED_MAX {
            self.next = None;
            self.first_arrival = None;
            self.count = 0;
            return false;
        }
        self.credit += self.clock_hz / 50;
        self.conceal(frame, next);
        true
    }

    fn play(&mut self, index: usize, next: u32) -> bool {
        if self.waiting[index].kind == Kind::Nothing {
            self.waiting[index].used = false;
            self.count -= 1;
            self.next = Some(next.wrapping_add(1));
            return false;
        }
        let gap = self.waiting[index]
            .timestamp
            .wrapping_sub(self.play_timestamp) as i32;
        let gap_max = (self.clock_hz / 1_000 * GAP_MS_MAX) as i32;
        if gap > 0 && gap < gap_max {
            // A pause of the sender (silence suppression): its time passes first.
            let owed = (gap as u32).saturating_sub(self.credit);
            if owed > 0 {
                let frame_units = self.clock_hz / 50;
                let units = owed.min(frame_units);
                let samples = (u64::from(units) * u64::from(self.rate_hz)
                    / u64::from(self.clock_hz)) as usize;
                match &mut self.noise {
                    Some(noise) => noise.fill(samples, &mut self.ready),
                    None => self.ready.resize(self.ready.len() + samples, 0),
                }
                self.advance(units);
                return false;
            }
        }
        let timestamp = self.waiting[index].timestamp;
        self.move_line(timestamp);
        self.credit = 0;
        self.starved = 0;
        self.next = Some(next.wrapping_add(1));
        let waiting = &mut self.waiting[index];
        waiting.used = false;
        self.count -= 1;
        if waiting.kind == Kind::Noise {
            self.seed = self.seed.wrapping_mul(69_069).wrapping_add(1);
            self.noise = Some(Noise::from_payload(&waiting.bytes, self.seed));
            return true;
        }
        self.noise = None;
        let at = self.ready.len();
        match self.decoder.decode(&waiting.bytes, &mut self.ready) {
            Ok(samples) => {
                if let Some(c) = &mut self.concealer {
                    c.good(&mut self.ready[at..]);
                }
                self.packet_units = self.units_of(samples);
                self.counters.played += 1;
            }
            Err(_) => {
                self.counters.undecodable += 1;
                let samples = (u64::from(self.packet_units) * u64::from(self.rate_hz)
                    / u64::from(self.clock_hz)) as usize;
                self.conceal(samples, next.wrapping_add(1));
            }
        }
        let units = self.packet_units;
        self.advance(units);
        true
    }

    /// Appends `samples` in place of what is missing; `after` is the packet that may bring redundancy.
    fn conceal(&mut self, samples: usize, after: u32) {
        self.counters.concealed += 1;
        if let Some(c) = &mut self.concealer {
            c.conceal(samples, &mut self.ready);
            return;
        }
        let w = &self.waiting.get(after as usize % PACKETS_MAX);
        let redundancy = w
            .filter(|w| w.used && w.ext == after && w.kind == Kind::Audio)
            .map(|w| w.bytes.as_slice());
        // libopus takes multiples of 2.5 ms only; anything else is silence.
        let unit = (self.rate_hz / 400) as usize;
        let whole = samples - samples % unit;
        if whole == 0 || !self.decoder.conceal(whole, redundancy, &mut self.ready) {
            self.ready.resize(self.ready.len() + samples, 0);
        } else {
            self.ready.resize(self.ready.len() + samples - whole, 0);
        }
    }

    /// Cuts a pitch period out of what is ready when the delay has been too long for a while.
    fn shrink(&mut self, now: Timestamp, frame: usize) {
        if self.next.is_none() || self.delay.count == 0 {
            return;
        }
        let buffered = (self.ready.len() - self.taken) as i64 * 1_000_000 / i64::from(self.rate_hz);
        // What plays now left the sender this long after the quickest possible moment.
        let delay = (now.0 as i64)
            .wrapping_sub(self.line_us)
            .wrapping_add(buffered)
            .wrapping_sub(self.delay.base());
        if delay.wrapping_sub(self.delay.target_us) < SHRINK_ABOVE_US {
            self.above = 0;
            return;
        }
        self.above += 1;
        if self.above < SHRINK_AFTER {
            return;
        }
        self.step(frame);
        let (shortest, longest) = (frame / 8, frame * 3 / 4);
        let window = frame / 2;
        let start = self.taken;
        if self.ready.len() < start + window + longest {
            return;
        }
        let end = start + window + longest;
        let lag = best_lag(&self.ready[start..end], shortest, longest, window);
        // Cross-fade from the signal into itself one period later.
        let from = end - window - lag;
        for i in 0..window {
            let a = i32::from(self.ready[from + i]);
            let b = i32::from(self.ready[from + lag + i]);
            let w = ((i + 1) * 256 / (window + 1)) as i32;
            self.ready[from + lag + i] = ((a * (256 - w) + b * w) >> 8) as i16;
        }
        self.ready.drain(from..from + lag);
        self.counters.shrunk += 1;
        // Soon again while far above, gently otherwise.
        self.above = SHRINK_AFTER / 2;
    }
}

#[cfg(test)]
mod tests;
