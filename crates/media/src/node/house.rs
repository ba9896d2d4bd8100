//! Slow work, a tenth of the legs each 100 ms: RTCP reports, quality figures, silence, keep-alive.

use super::egress::{Frame, deliver};
use super::leg::{Leg, Way};
use super::{Node, Slot};
use crate::error::MediaError;
use crate::rtcp;
use crate::stats;
use cp_vocab::Timestamp;
use cp_vocab::media::{MediaEvent, Quality};
use rand::Rng;
use std::net::SocketAddr;
use std::time::Duration;

/// One share of the legs is looked after each time; each leg once in `SHARES` times.
const SHARES: u64 = 10;
const SHARE_US: u64 = 100_000;
/// A leg that hears nobody sends one packet after this long without any, so that address
/// translations and the far side's timers stay open (RFC 6263).
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// What reports told and when the next is due.
#[derive(Clone, Copy, Default)]
pub(crate) struct Reports {
    pub(crate) next_at: Timestamp,
    pub(crate) quality_at: Timestamp,
    last_sr: u32,
    last_sr_at: Timestamp,
    sent_before: u64,
    rtt_ms: Option<f32>,
    remote_loss_pct: Option<f32>,
}

impl Node {
    pub(super) fn run_house(&mut self, now: Timestamp) {
        if now.0 / SHARE_US == self.house_at {
            return;
        }
        self.house_at = now.0 / SHARE_US;
        self.look_after_seats(now);
        self.choose_stages(now);
        let share = (self.house_at % SHARES) as usize;
        for slot in (share..self.legs.len()).step_by(SHARES as usize) {
            if self.legs[slot].is_some() {
                self.look_after(slot as Slot, now);
            }
        }
    }

    pub(super) fn next_house(&self) -> Timestamp {
        Timestamp((self.house_at + 1) * SHARE_US)
    }

    fn look_after(&mut self, slot: Slot, now: Timestamp) {
        self.check_events(now, slot);
        self.look_after_peer(slot, now);
        let interval = self.config.rtcp_interval.as_micros() as u64;
        // RFC 3550 6.2: half to one and a half of the interval, so that reports do not march in step.
        let pause = interval / 2 + u64::from(self.rng.next_u32()) * interval / u64::from(u32::MAX);
        let config = &self.config;
        let Some(leg) = self.legs[slot as usize].as_deref_mut() else {
            return;
        };
        let expects = leg.plan.as_ref().is_some_and(|p| p.receive);
        let silent = now.since(leg.alive_at);
        let limit = if leg.flowed {
            config.silent_after
        } else {
            config.silent_after_start
        };
        if expects && !leg.silent_told && silent >= limit {
            leg.silent_told = true;
            self.outbox.event(MediaEvent::Silent {
                leg: leg.id,
                silent_ms: silent.as_millis() as u64,
            });
        }
        let exchanged = leg.sender.packets > 0 || leg.flowed;
        if exchanged && now >= leg.reports.quality_at {
            leg.reports.quality_at = now + config.quality_interval;
            self.outbox.event(MediaEvent::Quality {
                leg: leg.id,
                quality: quality(leg),
                last: false,
            });
        }
        if exchanged && now >= leg.reports.next_at {
            leg.reports.next_at = now + Duration::from_micros(pause);
            self.send_report(slot, now);
        }
        self.keep_alive(slot, now);
    }

    fn keep_alive(&mut self, slot: Slot, now: Timestamp) {
        let Some(leg) = self.legs[slot as usize].as_deref_mut() else {
            return;
        };
        let quiet = now.since(leg.sender.sent_at.unwrap_or(leg.opened_at));
        if leg.way == Way::Idle && leg.flowed && quiet >= KEEP_ALIVE {
            let opus_rate_hz = self.config.opus_rate_hz;
            let (work, outbox) = (&mut self.work, &mut self.outbox);
            self.counters.sent += deliver(leg, now, Frame::Silence, opus_rate_hz, work, outbox);
            leg.sender.pause();
        }
    }

    fn send_report(&mut self, slot: Slot, now: Timestamp) {
        let Some(leg) = self.legs[slot as usize].as_deref_mut() else {
            return;
        };
        let Some((to, own_socket)) = report_destination(leg) else {
            return;
        };
        let Some(clock_hz) = leg.plan.as_ref().map(|p| p.codec.clock_hz()) else {
            return;
        };
        let sender = &leg.sender;
        let info = (sender.packets > leg.reports.sent_before).then(|| rtcp::SenderInfo {
            ntp: rtcp::ntp(now),
            rtp_timestamp: sender.timestamp_at(now, clock_hz),
            packets: sender.packets as u32,
            octets: sender.octets as u32,
        });
        leg.reports.sent_before = sender.packets;
        let reception = &mut leg.reception;
        let block = (reception.received() > 0).then(|| {
            let since = now.since(leg.reports.last_sr_at).as_micros() as u64;
            let known = leg.reports.last_sr != 0;
            rtcp::Block {
                ssrc: reception.ssrc(),
                fraction_lost: reception.fraction_lost(),
                lost: reception.lost().min(u64::from(u32::MAX)) as u32,
                highest_sequence: reception.newest(),
                jitter: reception.jitter() as u32,
                last_sr: leg.reports.last_sr,
                delay_since_sr: if known {
                    (since * 65_536 / 1_000_000) as u32
                } else {
                    0
                },
            }
        });
        let plain = &mut self.work.plain;
        plain.clear();
        // The name tells nothing about the machine (RFC 7022): the SSRC is random.
        rtcp::write(plain, sender.ssrc, info, block, "crosspoint", false);
        let cipher = &mut leg.cipher;
        self.outbox
            .datagram(leg.port, own_socket, to, |out| match cipher {
                None => {
                    out.extend_from_slice(plain);
                    Ok::<(), MediaError>(())
                }
                Some(c) => c.out.rtcp(plain, out),
            });
    }

    pub(super) fn receive_rtcp(
        &mut self,
        now: Timestamp,
        slot: Slot,
        from: SocketAddr,
        packet: &mut [u8],
    ) {
        let Some(leg) = self.legs[slot as usize].as_deref_mut() else {
            return;
        };
        let counters = &mut self.counters;
        let Some(plan) = &leg.plan else {
            counters.unwanted += 1;
            return;
        };
        let known = leg.latch.source().unwrap_or(plan.remote).ip();
        let signalled = plan.remote_rtcp.map(|a| a.ip());
        if from.ip() != known && Some(from.ip()) != signalled {
            counters.stranger += 1;
            return;
        }
        if !leg.within_rate(now) {
            counters.flood += 1;
            return;
        }
        let mut len = packet.len();
        if let Some(cipher) = &mut leg.cipher {
            match cipher.incoming.rtcp(packet) {
                Ok(n) => len = n,
                Err(MediaError::SrtpReplay) => {
                    counters.srtp_replay += 1;
                    return;
                }
                Err(_) => {
                    counters.srtp_authentication += 1;
                    return;
                }
            }
        }
        let Ok(summary) = rtcp::parse(&packet[..len], leg.sender.ssrc) else {
            counters.rtcp_malformed += 1;
            return;
        };
        counters.rtcp_received += 1;
        leg.rtcp_source = Some(from);
        leg.sign_of_life(now);
        if let Some(middle) = summary.sr_middle {
            leg.reports.last_sr = middle;
            leg.reports.last_sr_at = now;
        }
        if let Some(block) = summary.about_us {
            leg.reports.remote_loss_pct = Some(f32::from(block.fraction_lost) * 100.0 / 256.0);
            if let Some(rtt) = rtcp::round_trip_ms(now, &block) {
                leg.reports.rtt_ms = Some(rtt);
            }
        }
    }
}

/// Where reports go, and whether from the RTCP socket (`false`: multiplexed on the RTP one).
fn report_destination(leg: &Leg) -> Option<(SocketAddr, bool)> {
    // Below a browser's leg the peer connection reports.
    let plan = leg.plan.as_ref().filter(|_| leg.web.is_none())?;
    let Some(signalled) = plan.remote_rtcp else {
        return leg.destination().map(|to| (to, false));
    };
    let to = leg.rtcp_source.unwrap_or(signalled);
    (!to.ip().is_unspecified() && to.port() != 0).then_some((to, true))
}

/// The figures of a leg.
pub(super) fn quality(leg: &Leg) -> Quality {
    let Some(plan) = &leg.plan else {
        return Quality::default();
    };
    let received = leg.reception.received();
    let lost = leg.reception.lost();
    let jitter_ms = leg.reception.jitter() * 1_000.0 / plan.codec.clock_hz() as f32;
    let loss = lost as f32 / (received + lost).max(1) as f32;
    // From mouth to ear: half the round trip, the far buffer, our buffer or none, one packet.
    let network = leg.reports.rtt_ms.unwrap_or(0.0) / 2.0;
    let delay_ms = network + 2.0 * jitter_ms + 40.0;
    Quality {
        packets_received: received,
        packets_lost: lost,
        packets_sent: leg.sender.packets,
        jitter_ms,
        rtt_ms: leg.reports.rtt_ms,
        mos: stats::mos(plan.codec, loss, delay_ms),
        remote_loss_pct: leg.reports.remote_loss_pct,
    }
}
