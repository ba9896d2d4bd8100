//! From the log of one interaction to its spans: one for the interaction, one for each leg.
//!
//! Ids, kinds, codes and durations only. No number, name, address or word of a person is read here.

use cp_vocab::event::{Direction, Endpoint, EventRecord, LegRole, QueueExit};
use cp_vocab::media::Quality;
use cp_vocab::*;
use opentelemetry::trace::{
    Event as SpanEvent, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use std::time::{Duration, SystemTime};

/// Legs shown of one interaction; a conference with more is cut, and the root says how many there were.
pub const LEGS_MAX: usize = 200;
/// Moments shown of one span; later ones are counted as dropped.
pub const MOMENTS_MAX: usize = 64;

struct Span {
    id: SpanId,
    parent: SpanId,
    name: &'static str,
    kind: SpanKind,
    start: Timestamp,
    end: Option<Timestamp>,
    attributes: Vec<KeyValue>,
    moments: Vec<SpanEvent>,
    moments_dropped: u32,
    reason: Option<EndReason>,
}

struct LegSpan {
    leg: LegId,
    answered: Option<Timestamp>,
    span: Span,
}

/// The spans of an interaction from its log; the root first. Empty for a log without a start.
pub fn of_interaction(id: InteractionId, records: &[EventRecord]) -> Vec<SpanData> {
    let Some(root) = records.first().and_then(|r| started(id, r)) else {
        return Vec::new();
    };
    let mut builder = Builder {
        root,
        legs: Vec::new(),
        legs_seen: 0,
    };
    for record in records {
        builder.take(record);
    }
    builder.finish(id, records)
}

struct Builder {
    root: Span,
    legs: Vec<LegSpan>,
    legs_seen: i64,
}

impl Builder {
    fn take(&mut self, record: &EventRecord) {
        let at = record.at;
        match &record.event {
            Event::LegAdded {
                leg,
                role,
                direction,
                endpoint,
                agent,
                ..
            }
            | Event::LegMovedIn {
                leg,
                role,
                direction,
                endpoint,
                agent,
                ..
            } => self.add_leg(at, *leg, *role, *direction, *endpoint, *agent),
            Event::LegRinging {
                leg, early_media, ..
            } => {
                let early = KeyValue::new("crosspoint.early_media", *early_media);
                self.moment(*leg, at, "ringing", vec![early]);
            }
            Event::LegAnswered {
                leg, codec, secure, ..
            } => self.answered(at, *leg, codec.as_deref(), *secure),
            Event::LegHeld { leg, .. } => self.moment(*leg, at, "held", vec![]),
            Event::LegResumed { leg, .. } => self.moment(*leg, at, "resumed", vec![]),
            Event::LegQuality { leg, quality } => self.quality(*leg, quality),
            Event::LegEnded { leg, reason, .. } => self.end_leg(at, *leg, *reason),
            Event::LegMovedOut { leg, .. } => self.end_leg(at, *leg, EndReason::Transferred),
            Event::Ended { reason, .. } => {
                self.root.end = Some(at);
                self.root.reason = Some(*reason);
            }
            other => self.of_root(at, other),
        }
    }

    fn of_root(&mut self, at: Timestamp, event: &Event) {
        match event {
            Event::Queued { queue, .. } => {
                let queue = KeyValue::new("crosspoint.queue", queue.to_string());
                self.root.attributes.push(queue.clone());
                self.root.moment(at, event.kind(), vec![queue]);
            }
            Event::Dequeued {
                exit, waited_ms, ..
            } => {
                let of = vec![
                    KeyValue::new("crosspoint.queue.exit", exit_code(*exit)),
                    KeyValue::new("crosspoint.queue.waited_ms", signed(*waited_ms)),
                ];
                self.root.attributes.extend(of.clone());
                self.root.moment(at, event.kind(), of);
            }
            Event::OfferMade { offer, agent, .. } | Event::OfferEnded { offer, agent, .. } => {
                let of = vec![
                    KeyValue::new("crosspoint.offer", offer.to_string()),
                    KeyValue::new("crosspoint.agent", agent.to_string()),
                ];
                self.root.moment(at, event.kind(), of);
            }
            Event::Bridged { .. }
            | Event::TransferStarted { .. }
            | Event::TransferCompleted { .. }
            | Event::TransferFailed { .. }
            | Event::ConsultStarted { .. }
            | Event::ConsultEnded { .. }
            | Event::Merged { .. }
            | Event::Parked { .. }
            | Event::ParkReturned { .. }
            | Event::ParkRetrieved { .. }
            | Event::SuperviseStarted { .. }
            | Event::TakenOver { .. }
            | Event::RecordingStarted { .. }
            | Event::RecordingEnded { .. } => self.root.moment(at, event.kind(), vec![]),
            _ => {}
        }
    }

    fn add_leg(
        &mut self,
        at: Timestamp,
        leg: LegId,
        role: LegRole,
        direction: Direction,
        endpoint: Endpoint,
        agent: Option<AgentId>,
    ) {
        self.legs_seen += 1;
        if self.legs.len() >= LEGS_MAX {
            return;
        }
        let kind = match direction {
            Direction::Inbound => SpanKind::Server,
            Direction::Outbound | Direction::Internal => SpanKind::Client,
        };
        let mut span = Span::new(leg_span(leg), self.root.id, "leg", kind, at);
        let (by, peer) = match endpoint {
            Endpoint::Trunk(id) => ("trunk", Some(id.to_string())),
            Endpoint::Phone(id) => ("phone", Some(id.to_string())),
            Endpoint::Uri => ("uri", None),
            Endpoint::Browser => ("browser", None),
        };
        span.attributes = vec![
            KeyValue::new("crosspoint.leg", leg.to_string()),
            KeyValue::new("crosspoint.leg.role", role_code(role)),
            KeyValue::new("crosspoint.direction", direction_code(direction)),
            KeyValue::new("crosspoint.endpoint", by),
        ];
        let peer = peer.map(|p| KeyValue::new("crosspoint.endpoint.id", p));
        let agent = agent.map(|a| KeyValue::new("crosspoint.agent", a.to_string()));
        span.attributes.extend(peer.into_iter().chain(agent));
        self.legs.push(LegSpan {
            leg,
            answered: None,
            span,
        });
    }

    fn leg(&mut self, leg: LegId) -> Option<&mut LegSpan> {
        // A leg that comes back is a span of its own; the last one is meant.
        self.legs.iter_mut().rev().find(|l| l.leg == leg)
    }

    fn moment(&mut self, leg: LegId, at: Timestamp, name: &'static str, of: Vec<KeyValue>) {
        if let Some(l) = self.leg(leg) {
            l.span.moment(at, name, of);
        }
    }

    fn answered(&mut self, at: Timestamp, leg: LegId, codec: Option<&str>, secure: bool) {
        let Some(l) = self.leg(leg) else { return };
        l.answered = Some(at);
        let rang = millis(at.since(l.span.start));
        let codec = codec.map(|c| KeyValue::new("crosspoint.codec", c.to_string()));
        l.span.attributes.extend(codec);
        l.span.attributes.extend([
            KeyValue::new("crosspoint.secure", secure),
            KeyValue::new("crosspoint.setup_ms", rang),
        ]);
        l.span.moment(at, "answered", vec![]);
    }

    fn quality(&mut self, leg: LegId, q: &Quality) {
        let Some(l) = self.leg(leg) else { return };
        l.span.attributes.extend([
            KeyValue::new("crosspoint.mos", f64::from(q.mos)),
            KeyValue::new("crosspoint.jitter_ms", f64::from(q.jitter_ms)),
            KeyValue::new("crosspoint.packets_received", signed(q.packets_received)),
            KeyValue::new("crosspoint.packets_lost", signed(q.packets_lost)),
        ]);
    }

    fn end_leg(&mut self, at: Timestamp, leg: LegId, reason: EndReason) {
        let Some(l) = self.leg(leg) else { return };
        l.span.end = Some(at);
        l.span.reason = Some(reason);
        if let Some(answered) = l.answered {
            let talked = KeyValue::new("crosspoint.talk_ms", millis(at.since(answered)));
            l.span.attributes.push(talked);
        }
    }

    fn finish(mut self, id: InteractionId, records: &[EventRecord]) -> Vec<SpanData> {
        let last = records.last().map_or(self.root.start, |r| r.at);
        let legs = KeyValue::new("crosspoint.legs", self.legs_seen);
        self.root.attributes.push(legs);
        let end = self.root.end.unwrap_or(last);
        let trace = TraceId::from_bytes(id.as_u128().to_be_bytes());
        let legs = self.legs.into_iter().map(|l| l.span);
        std::iter::once(self.root)
            .chain(legs)
            .map(|s| s.into_data(trace, end))
            .collect()
    }
}

fn started(id: InteractionId, record: &EventRecord) -> Option<Span> {
    let Event::Started {
        direction,
        number,
        trunk,
        ..
    } = &record.event
    else {
        return None;
    };
    let own = SpanId::from_bytes((id.as_u128() as u64).to_be_bytes());
    let mut span = Span::new(
        own,
        SpanId::INVALID,
        "interaction",
        SpanKind::Internal,
        record.at,
    );
    span.attributes = vec![
        KeyValue::new("crosspoint.interaction", id.to_string()),
        KeyValue::new("crosspoint.tenant", record.tenant.to_string()),
        KeyValue::new("crosspoint.direction", direction_code(*direction)),
    ];
    let number = number.map(|n| KeyValue::new("crosspoint.number", n.to_string()));
    let trunk = trunk.map(|t| KeyValue::new("crosspoint.trunk", t.to_string()));
    span.attributes.extend(number.into_iter().chain(trunk));
    Some(span)
}

impl Span {
    fn new(id: SpanId, parent: SpanId, name: &'static str, kind: SpanKind, at: Timestamp) -> Self {
        Self {
            id,
            parent,
            name,
            kind,
            start: at,
            end: None,
            attributes: Vec::new(),
            moments: Vec::new(),
            moments_dropped: 0,
            reason: None,
        }
    }

    fn moment(&mut self, at: Timestamp, name: &'static str, attributes: Vec<KeyValue>) {
        if self.moments.len() >= MOMENTS_MAX {
            self.moments_dropped += 1;
            return;
        }
        self.moments
            .push(SpanEvent::new(name, system_time(at), attributes, 0));
    }

    fn into_data(self, trace: TraceId, end: Timestamp) -> SpanData {
        let mut attributes = self.attributes;
        let reason = self.reason.map(EndReason::code);
        attributes.extend(reason.map(|r| KeyValue::new("crosspoint.end_reason", r)));
        let mut events = SpanEvents::default();
        events.events = self.moments;
        events.dropped_count = self.moments_dropped;
        SpanData {
            span_context: SpanContext::new(
                trace,
                self.id,
                TraceFlags::SAMPLED,
                false,
                TraceState::NONE,
            ),
            parent_span_id: self.parent,
            parent_span_is_remote: false,
            span_kind: self.kind,
            name: self.name.into(),
            start_time: system_time(self.start),
            end_time: system_time(self.end.unwrap_or(end).max(self.start)),
            attributes,
            dropped_attributes_count: 0,
            events,
            links: SpanLinks::default(),
            status: match self.reason {
                Some(r) if is_fault(r) => Status::error(r.code()),
                _ => Status::Unset,
            },
            instrumentation_scope: InstrumentationScope::builder("crosspoint").build(),
        }
    }
}

/// Ends that somebody who looks after the machine wants to see.
fn is_fault(reason: EndReason) -> bool {
    use EndReason::{Incompatible, Internal, Overload};
    reason.is_drop() || matches!(reason, Internal | Overload | Incompatible)
}

fn leg_span(leg: LegId) -> SpanId {
    SpanId::from_bytes((leg.as_u128() as u64).to_be_bytes())
}

fn system_time(at: Timestamp) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_micros(at.as_micros())
}

fn millis(d: Duration) -> i64 {
    d.as_millis().min(i64::MAX as u128) as i64
}

fn signed(n: u64) -> i64 {
    n.min(i64::MAX as u64) as i64
}

fn direction_code(d: Direction) -> &'static str {
    match d {
        Direction::Inbound => "inbound",
        Direction::Outbound => "outbound",
        Direction::Internal => "internal",
    }
}

fn role_code(r: LegRole) -> &'static str {
    match r {
        LegRole::Customer => "customer",
        LegRole::Agent => "agent",
        LegRole::Consulted => "consulted",
        LegRole::Supervisor => "supervisor",
        LegRole::Party => "party",
    }
}

fn exit_code(e: QueueExit) -> &'static str {
    match e {
        QueueExit::Answered => "answered",
        QueueExit::Abandoned => "abandoned",
        QueueExit::Overflowed => "overflowed",
        QueueExit::TimedOut => "timed_out",
        QueueExit::Transferred => "transferred",
        QueueExit::Released => "released",
    }
}
