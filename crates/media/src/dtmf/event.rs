//! Digits as RFC 4733 telephone events.

use super::{code_of, digit_of};
use crate::error::MediaError;
use cp_vocab::Timestamp;
use std::collections::VecDeque;
use std::time::Duration;

/// An event not heard of for this long ended, though its end packets were lost.
const LOST_END: Duration = Duration::from_millis(200);
/// Digits waiting to be sent; further ones are dropped.
pub const QUEUE_MAX: usize = 128;
/// Length of a digit we send and of the pause after it, in 20 ms frames.
const DIGIT_FRAMES: u32 = 5;
const PAUSE_FRAMES: u32 = 4;
/// Times the end is sent (RFC 4733 2.5.1.4).
const END_REPEATS: u32 = 3;
/// Packets may come this much late before they count as a new press, in seconds.
const STALE_S: u32 = 2;
/// Volume we announce, in -dBm0.
const VOLUME: u8 = 10;

/// A decoded event payload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Event {
    pub code: u8,
    pub end: bool,
    pub volume: u8,
    /// In units of the RTP clock.
    pub duration: u16,
}

impl Event {
    /// # Errors
    /// [`MediaError::Payload`] when shorter than four bytes.
    pub fn parse(payload: &[u8]) -> Result<Self, MediaError> {
        if payload.len() < 4 {
            return Err(MediaError::Payload("telephone-event"));
        }
        Ok(Self {
            code: payload[0],
            end: payload[1] & 0x80 != 0,
            volume: payload[1] & 0x3f,
            duration: u16::from_be_bytes([payload[2], payload[3]]),
        })
    }
    pub fn to_bytes(self) -> [u8; 4] {
        let d = self.duration.to_be_bytes();
        let flags = (u8::from(self.end) << 7) | (self.volume & 0x3f);
        [self.code, flags, d[0], d[1]]
    }
}

/// What the receiver concluded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Press {
    Started(char),
    Ended(char, u32),
}

#[derive(Clone, Copy)]
struct Current {
    timestamp: u32,
    digit: char,
    units: u16,
    began: Timestamp,
    heard: Timestamp,
}

/// Turns event packets (each repeated, some lost) into presses, once each.
#[derive(Default)]
pub struct Receiver {
    current: Option<Current>,
    /// Timestamp of the press last ended: its repeated end packets are ignored.
    done: Option<u32>,
}

impl Receiver {
    /// Takes one event packet; `clock_hz` is the audio codec's. `tell` gets at most three conclusions.
    pub fn receive(
        &mut self,
        now: Timestamp,
        timestamp: u32,
        clock_hz: u32,
        event: Event,
        tell: &mut dyn FnMut(Press),
    ) {
        let Some(digit) = digit_of(event.code) else {
            return;
        };
        // Repeated end packets, and packets of an earlier press reordered behind a later one.
        let stale_units = clock_hz * STALE_S;
        if self
            .done
            .is_some_and(|done| done.wrapping_sub(timestamp) < stale_units)
        {
            return;
        }
        match &mut self.current {
            Some(c) if c.timestamp == timestamp => {
                c.units = c.units.max(event.duration);
                c.heard = now;
            }
            _ => {
                self.finish(clock_hz, tell);
                self.current = Some(Current {
                    timestamp,
                    digit,
                    units: event.duration,
                    began: now,
                    heard: now,
                });
                tell(Press::Started(digit));
            }
        }
        if event.end {
            self.finish(clock_hz, tell);
        }
    }

    fn finish(&mut self, clock_hz: u32, tell: &mut dyn FnMut(Press)) {
        let Some(c) = self.current.take() else {
            return;
        };
        self.done = Some(c.timestamp);
        // Beside Opus the event's clock may be 8 kHz or 48 kHz, and browsers mix both: the one nearer
        // to the time that passed is meant.
        let passed = c.heard.since(c.began).as_millis() as u32;
        let by_clock = u32::from(c.units) * 1_000 / clock_hz.max(1);
        let by_8k = u32::from(c.units) / 8;
        let ms = if by_clock.abs_diff(passed) <= by_8k.abs_diff(passed) {
            by_clock
        } else {
            by_8k
        };
        tell(Press::Ended(c.digit, ms));
    }

    /// The sender started anew: its timestamps say nothing about earlier ones.
    pub fn reset(&mut self, clock_hz: u32, tell: &mut dyn FnMut(Press)) {
        self.finish(clock_hz, tell);
        self.done = None;
    }

    /// Whether a press is going on.
    pub fn is_pressed(&self) -> bool {
        self.current.is_some()
    }

    /// Ends a press whose end packets were lost.
    pub fn check(&mut self, now: Timestamp, clock_hz: u32, tell: &mut dyn FnMut(Press)) {
        if self.current.is_some_and(|c| now.since(c.heard) >= LOST_END) {
            self.finish(clock_hz, tell);
        }
    }
}

/// What a sender wants done in one 20 ms frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Send the event; `first` starts a timestamp, others repeat it.
    Event { event: Event, first: bool },
    /// Between digits: audio may go.
    Pause,
}

/// Paces outgoing digits.
#[derive(Default)]
pub struct DigitQueue {
    waiting: VecDeque<char>,
    /// Frames since the digit at work began.
    at: u32,
    active: Option<char>,
}

impl DigitQueue {
    /// Adds digits; characters that are none are left out (`,` and `w` are not supported).
    pub fn push(&mut self, digits: &str) {
        for d in digits.chars().filter(|d| code_of(*d).is_some()) {
            if self.waiting.len() >= QUEUE_MAX {
                break;
            }
            self.waiting.push_back(d);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.active.is_none() && self.waiting.is_empty()
    }

    /// The digit to play as a tone, with the frame within it; `None` in a pause. For legs without events.
    pub fn tone_step(&mut self) -> Option<(char, u32)> {
        self.begin();
        let digit = self.active?;
        let at = self.at;
        self.at += 1;
        if self.at >= DIGIT_FRAMES + PAUSE_FRAMES {
            self.active = None;
        }
        (at < DIGIT_FRAMES).then_some((digit, at))
    }

    fn begin(&mut self) {
        if self.active.is_none() {
            self.active = self.waiting.pop_front();
            self.at = 0;
        }
    }

    /// The next frame's step; `None` when nothing is left to send. `frame_units` is 20 ms of RTP clock.
    pub fn event_step(&mut self, frame_units: u32) -> Option<Step> {
        self.begin();
        let code = code_of(self.active?)?;
        let at = self.at;
        self.at += 1;
        if at < DIGIT_FRAMES + END_REPEATS {
            let end = at >= DIGIT_FRAMES;
            let frames = (at + 1).min(DIGIT_FRAMES);
            return Some(Step::Event {
                event: Event {
                    code,
                    end,
                    volume: VOLUME,
                    duration: (frames * frame_units).min(u32::from(u16::MAX)) as u16,
                },
                first: at == 0,
            });
        }
        if at + 1 >= DIGIT_FRAMES + END_REPEATS + PAUSE_FRAMES {
            self.active = None;
        }
        Some(Step::Pause)
    }
}

/// Length of a digit we send, in ms.
pub const DIGIT_MS: u32 = DIGIT_FRAMES * 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn run(packets: &[(u64, u32, u8, bool, u16)], check_at: u64) -> Vec<Press> {
        let t = |ms| Timestamp::from_millis(1_000_000 + ms);
        let mut r = Receiver::default();
        let mut out = Vec::new();
        for (at, timestamp, code, end, duration) in packets {
            let event = Event {
                code: *code,
                end: *end,
                volume: 10,
                duration: *duration,
            };
            r.receive(t(*at), *timestamp, 8_000, event, &mut |p| out.push(p));
        }
        r.check(t(check_at), 8_000, &mut |p| out.push(p));
        out
    }

    #[test]
    fn presses_are_told_once() {
        use Press::*;
        // (ms, timestamp, code, end, duration)
        let press = [
            (0, 1_000, 5, false, 160),
            (20, 1_000, 5, false, 320),
            (40, 1_000, 5, true, 480),
            (40, 1_000, 5, true, 480),
            (41, 1_000, 5, true, 480),
        ];
        assert_eq!(run(&press, 60), [Started('5'), Ended('5', 60)]);
        // Only an end packet came through.
        assert_eq!(run(&press[3..], 60), [Started('5'), Ended('5', 60)]);
        // All ends lost: the next press, or time, ends it.
        assert_eq!(run(&press[..2], 100), [Started('5')]);
        assert_eq!(run(&press[..2], 300), [Started('5'), Ended('5', 40)]);
        let then = [press[0], press[1], (200, 3_000, 11, true, 800), press[2]];
        assert_eq!(
            run(&then, 210),
            [Started('5'), Ended('5', 40), Started('#'), Ended('#', 100)]
        );
        // The same digit twice.
        let twice = [press[2], (300, 4_000, 5, true, 480)];
        assert_eq!(run(&twice, 310).len(), 4);
        // Not a digit.
        assert_eq!(run(&[(0, 1, 16, true, 160)], 300), []);
    }

    #[test]
    fn lengths_are_right_whatever_clock_the_event_has() {
        // (audio clock, units per 20 ms of the event)
        for (clock_hz, step) in [(8_000, 160u16), (48_000, 960), (48_000, 160)] {
            let mut r = Receiver::default();
            let mut told = Vec::new();
            for i in 0..6u64 {
                let event = Event {
                    code: 1,
                    end: i == 5,
                    volume: 10,
                    duration: step * (i as u16 + 1),
                };
                let now = Timestamp::from_millis(1_000 + i * 20);
                r.receive(now, 77, clock_hz, event, &mut |p| told.push(p));
            }
            assert_eq!(told, [Press::Started('1'), Press::Ended('1', 120)]);
        }
    }

    #[test]
    fn short_payloads_are_refused() {
        for n in 0..4 {
            assert!(Event::parse(&vec![0; n]).is_err());
        }
        let e = Event::parse(&[1, 0x8a, 3, 0x20]).unwrap();
        assert_eq!(e.to_bytes(), [1, 0x8a, 3, 0x20]);
    }

    #[test]
    fn sends_what_it_would_receive() {
        let mut q = DigitQueue::default();
        q.push("19x*#d");
        let mut r = Receiver::default();
        let mut heard = String::new();
        let (mut now, mut line, mut timestamp) = (Timestamp::from_secs(5), 0u32, 0u32);
        let mut packets = 0;
        while let Some(step) = q.event_step(160) {
            if let Step::Event { event, first } = step {
                if first {
                    timestamp = line;
                }
                packets += 1;
                r.receive(now, timestamp, 8_000, event, &mut |p| {
                    if let Press::Ended(d, ms) = p {
                        assert_eq!(ms, DIGIT_MS);
                        heard.push(d);
                    }
                });
            }
            line += 160;
            now = now + Duration::from_millis(20);
        }
        assert_eq!(heard, "19*#D");
        assert_eq!(packets, 5 * 8);
        assert!(q.is_empty());
    }
}
