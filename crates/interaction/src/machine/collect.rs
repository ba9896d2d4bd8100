//! Digits in private: the party is asked, the conversation waits on hold, the recording pauses,
//! and what is pressed goes to the program that asked, not to the log and not to the other parties.

use super::*;
use cp_vocab::command::{Actor, CommandResult};
use cp_vocab::media::{MediaCommand, Sound};
use std::time::Duration;

/// More digits are not taken in one go; a larger wish is refused.
const COLLECT_DIGITS_MAX: u8 = 32;
/// Time for a first digit, when none is given, and between digits.
const COLLECT_MS_DEFAULT: u64 = 10_000;
/// A prompt that never ends by itself stops holding the caller after this long.
const COLLECT_PROMPT_MS_MAX: u64 = 60_000;

impl Interaction {
    pub(crate) fn collects_from(&self, leg: LegId) -> bool {
        self.collecting.as_ref().is_some_and(|c| c.leg == leg)
    }

    pub(crate) fn collect(
        &mut self,
        ctx: &mut Ctx<'_>,
        actor: Actor,
        leg: LegId,
        sounds: Vec<Sound>,
        digits_max: u8,
        timeout_ms: u64,
    ) -> CommandResult {
        if digits_max == 0 || digits_max > COLLECT_DIGITS_MAX {
            let detail = "Ask for 1 to 32 digits.";
            return Err(Refusal::new(Code::BadRequest, detail));
        }
        if self.collecting.is_some() {
            let detail = "Digits are being asked for already.";
            return Err(Refusal::new(Code::Conflict, detail));
        }
        let talks = self
            .state
            .leg(leg)
            .is_some_and(|l| l.room == crate::state::Room::Talk && !l.held);
        if talks {
            let by_far_end = false;
            self.emit(ctx, Event::LegHeld { leg, by_far_end });
        }
        let recording = self.state.recording.clone().filter(|r| !r.paused);
        if let Some(r) = &recording {
            self.set_recording_paused(ctx, r.id, true, actor);
        }
        self.emit(ctx, Event::CollectStarted { leg });
        self.collecting = Some(Box::new(Collecting {
            leg,
            digits: Pii(String::new()),
            digits_max,
            wait_ms: if timeout_ms == 0 {
                COLLECT_MS_DEFAULT
            } else {
                timeout_ms
            },
            held: talks,
            paused: recording.is_some(),
        }));
        if sounds.is_empty() {
            self.collect_timer(ctx);
        } else {
            self.play(ctx, leg, sounds, true, Then::Nothing);
            let most = Duration::from_millis(timeout_ms.saturating_add(COLLECT_PROMPT_MS_MAX));
            let kind = TimerKind::Collect;
            let at = Some(ctx.now + most);
            ctx.out.push(Output::Timer { kind, at });
        }
        Ok(CommandReply {
            leg: Some(leg),
            ..Default::default()
        })
    }

    /// The time for the next digit begins.
    pub(crate) fn collect_timer(&mut self, ctx: &mut Ctx<'_>) {
        if let Some(c) = &self.collecting {
            let kind = TimerKind::Collect;
            let at = Some(ctx.now + Duration::from_millis(c.wait_ms));
            ctx.out.push(Output::Timer { kind, at });
        }
    }

    pub(crate) fn collect_digit(&mut self, ctx: &mut Ctx<'_>, digit: char) {
        let Some(c) = &mut self.collecting else {
            return;
        };
        let leg = c.leg;
        if digit != '#' {
            c.digits.0.push(digit);
        }
        let full = digit == '#' || c.digits.0.len() >= usize::from(c.digits_max);
        self.cut_prompt(ctx, leg);
        if full {
            self.end_collect(ctx, true);
        } else {
            self.collect_timer(ctx);
        }
    }

    /// Hands over what came, and undoes what was done to be private.
    pub(crate) fn end_collect(&mut self, ctx: &mut Ctx<'_>, complete: bool) {
        let Some(c) = self.collecting.take() else {
            return;
        };
        let leg = c.leg;
        let kind = TimerKind::Collect;
        ctx.out.push(Output::Timer { kind, at: None });
        if !complete {
            self.cut_prompt(ctx, leg);
        }
        let digits = c.digits.0.len() as u32;
        self.emit(
            ctx,
            Event::CollectEnded {
                leg,
                digits,
                complete,
            },
        );
        let there = |l: &Leg| l.is_live() && l.held;
        if c.held && self.state.leg(leg).is_some_and(there) {
            let by_far_end = false;
            self.emit(ctx, Event::LegResumed { leg, by_far_end });
        }
        if c.paused
            && let Some(r) = self.state.recording.clone().filter(|r| r.paused)
        {
            self.set_recording_paused(ctx, r.id, false, Actor::System);
        }
        ctx.out.push(Output::Entered {
            leg,
            digits: c.digits,
            complete,
        });
    }

    fn set_recording_paused(
        &mut self,
        ctx: &mut Ctx<'_>,
        recording: RecordingId,
        paused: bool,
        by: Actor,
    ) {
        let event = if paused {
            Event::RecordingPaused { recording, by }
        } else {
            Event::RecordingResumed { recording, by }
        };
        self.emit(ctx, event);
        ctx.out.push(Output::Media(MediaCommand::PauseRecording {
            recording,
            paused,
        }));
    }
}
