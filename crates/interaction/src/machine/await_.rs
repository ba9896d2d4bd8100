//! Waiting for what is decided beside the call: the interaction says that it waits, and goes on
//! when a command or the time says how.

use super::*;
use cp_vocab::person::Awaited;
use std::time::Duration;

/// What has no time of its own waits this long.
const AWAIT_MS_DEFAULT: u64 = 60_000;

impl Interaction {
    pub(crate) fn begin_await(
        &mut self,
        ctx: &mut Ctx<'_>,
        awaiting: Awaiting,
        what: Awaited,
        timeout_ms: u64,
    ) {
        let wait = Duration::from_millis(if timeout_ms == 0 {
            AWAIT_MS_DEFAULT
        } else {
            timeout_ms
        });
        let queue = match &awaiting.then {
            Next::Queue(queue) | Next::Plan(Destination::Queue { queue }) => Some(*queue),
            Next::Plan(_) => None,
        };
        let leg = awaiting.leg;
        self.awaiting = Some(Box::new(awaiting));
        let until = ctx.wall + wait;
        self.emit(
            ctx,
            Event::AwaitStarted {
                leg,
                what,
                until,
                queue,
            },
        );
        let kind = TimerKind::Await;
        let at = Some(ctx.now + wait);
        ctx.out.push(Output::Timer { kind, at });
    }

    /// Goes on. `queue` and `priority` say where one who met it waits instead of where it was led.
    pub(crate) fn end_await(
        &mut self,
        ctx: &mut Ctx<'_>,
        met: bool,
        queue: Option<QueueId>,
        priority: i32,
    ) {
        let Some(awaiting) = self.awaiting.take() else {
            return;
        };
        let kind = TimerKind::Await;
        ctx.out.push(Output::Timer { kind, at: None });
        let leg = awaiting.leg;
        if self.collects_from(leg) {
            self.end_collect(ctx, false);
        }
        self.cut_prompt(ctx, leg);
        self.emit(ctx, Event::AwaitEnded { leg, met });
        let next = if met {
            awaiting.then
        } else {
            awaiting.otherwise
        };
        let answered = self.state.leg(leg).is_some_and(Leg::is_answered);
        let priority = priority.max(awaiting.priority);
        let elsewhere = queue.filter(|q| met && ctx.directory.queue(*q).is_some());
        match (next, elsewhere) {
            (Next::Queue(own), Some(other)) if own != other => {
                self.enter_queue(ctx, leg, other, priority)
            }
            (Next::Queue(own), _) => self.pass_gate(ctx, leg, own, priority),
            // A queue it comes to has a gate of its own.
            (Next::Plan(Destination::Queue { queue }), other) if answered => {
                self.enter_queue(ctx, leg, other.unwrap_or(queue), priority)
            }
            (Next::Plan(plan), _) => self.run(ctx, leg, plan),
        }
    }
}
