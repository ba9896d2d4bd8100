//! Destinations: what happens to a caller, step by step, with prompts and menus.

use super::*;
use crate::state::LegStatus;
use cp_vocab::media::{MediaCommand, Playback, Sound};

impl Interaction {
    pub(crate) fn incoming(&mut self, ctx: &mut Ctx<'_>, input: Input) {
        let Input::Incoming {
            leg,
            endpoint,
            agent,
            from,
            from_name,
            to,
            number,
            call_id,
            plan,
            internal,
        } = input
        else {
            return;
        };
        let trunk = match endpoint {
            Endpoint::Trunk(t) => Some(t),
            _ => None,
        };
        let uci = ctx.ids.next(ctx.now);
        self.emit(
            ctx,
            Event::Started {
                direction: if internal {
                    Direction::Internal
                } else {
                    Direction::Inbound
                },
                from: Pii(from.clone()),
                from_name: from_name.map(Pii),
                to: Pii(to),
                uci,
                number,
                trunk,
            },
        );
        // A colleague who calls a colleague is an agent at work; everybody else is who it is about.
        let role = if agent.is_some() {
            LegRole::Agent
        } else {
            LegRole::Customer
        };
        self.emit(
            ctx,
            Event::LegAdded {
                leg,
                role,
                direction: Direction::Inbound,
                endpoint,
                address: Pii(from),
                agent,
                call_id,
                cause: None,
            },
        );
        if let Some(agent) = agent {
            self.occupy(ctx, agent);
        }
        self.run(ctx, leg, plan);
    }

    /// Runs a destination for a leg. What needs an answered leg answers it first and goes on then.
    pub(crate) fn run(&mut self, ctx: &mut Ctx<'_>, leg: LegId, plan: Destination) {
        let Some(state) = self.state.leg(leg).filter(|l| l.is_live()) else {
            return;
        };
        let answered = state.status == LegStatus::Answered;
        // A caller that a queue will not take is refused before the call costs anything.
        if !answered
            && let Destination::Queue { queue } = &plan
            && let Err(reason) = ctx.directory.queue_admits(*queue)
        {
            let overflow = ctx.directory.queue(*queue).and_then(|q| q.overflow.clone());
            return match overflow {
                Some(Destination::Queue { queue: next }) if next == *queue => {
                    self.end_leg(ctx, leg, reason)
                }
                Some(next) if self.overflows < OVERFLOWS_MAX => {
                    self.overflows += 1;
                    self.run(ctx, leg, next)
                }
                _ => self.end_leg(ctx, leg, reason),
            };
        }
        if !answered && needs_answer(&plan) {
            self.plan = Some((leg, plan));
            ctx.out.push(Output::Leg {
                leg,
                direction: Direction::Inbound,
                command: LegCommand::Answer,
            });
            return;
        }
        match plan {
            Destination::Answer { greeting } => {
                if let Some(sound) = greeting {
                    self.play(ctx, leg, vec![sound], false, Then::Nothing);
                }
            }
            Destination::Echo => self.echo = Some(leg),
            Destination::Announce { sound } => {
                self.play(ctx, leg, vec![sound], false, Then::End(EndReason::Released))
            }
            Destination::Queue { queue } => self.enter_queue(ctx, leg, queue, 0),
            Destination::Agent { agent } => {
                self.dial_for(ctx, leg, &DialTarget::Agent { agent }, false)
            }
            Destination::Phone { phone } => {
                self.dial_for(ctx, leg, &DialTarget::Phone { phone }, false)
            }
            Destination::Dial { target, record } => self.dial_for(ctx, leg, &target, record),
            Destination::Conference { conference } => self.join_conference(ctx, leg, conference),
            // The engine chose already where a number leads; deeper down hours are not taken by the API.
            Destination::Hours { closed, .. } => self.run(ctx, leg, *closed),
            Destination::Reject { status } => {
                self.end_leg_with(ctx, leg, EndReason::Refused, Some(status))
            }
            Destination::Await {
                what,
                timeout_ms,
                then,
                otherwise,
            } => {
                let awaiting = Awaiting {
                    leg,
                    then: Next::Plan(*then),
                    otherwise: Next::Plan(*otherwise),
                    priority: 0,
                };
                self.begin_await(ctx, awaiting, what, timeout_ms);
            }
            Destination::Menu {
                prompt,
                choices,
                timeout_ms,
                fallback,
            } => {
                let wait_ms = if timeout_ms == 0 {
                    MENU_MS_DEFAULT
                } else {
                    timeout_ms
                };
                self.menu = Some(Box::new(Menu {
                    leg,
                    wait_ms,
                    choices,
                    fallback,
                }));
                self.play(ctx, leg, vec![prompt], true, Then::Nothing);
                let wait_ms = wait_ms.saturating_add(MENU_PROMPT_MS_MAX);
                let at = ctx.now + std::time::Duration::from_millis(wait_ms);
                ctx.out.push(Output::Timer {
                    kind: TimerKind::MenuDigit,
                    at: Some(at),
                });
            }
        }
    }

    pub(crate) fn play(
        &mut self,
        ctx: &mut Ctx<'_>,
        leg: LegId,
        sounds: Vec<Sound>,
        barge_in: bool,
        then: Then,
    ) {
        let id: PlaybackId = ctx.ids.next(ctx.now);
        let what = describe(&sounds);
        self.begin_prompt(ctx, leg, id, then);
        self.emit(
            ctx,
            Event::PromptStarted {
                leg,
                playback: id,
                what,
            },
        );
        let playback = Playback {
            id,
            sounds,
            repeat: false,
            barge_in,
            mix_with_call: false,
        };
        ctx.out
            .push(Output::Media(MediaCommand::Play { leg, playback }));
    }

    pub(crate) fn playback_ended(
        &mut self,
        ctx: &mut Ctx<'_>,
        leg: LegId,
        playback: PlaybackId,
        interrupted: bool,
    ) {
        let ours = |p: &Prompt| p.leg == leg && p.playback == playback;
        let Some(at) = self.prompts.iter().position(ours) else {
            return;
        };
        let then = self.prompts.remove(at).then;
        self.emit(
            ctx,
            Event::PromptEnded {
                leg,
                playback,
                interrupted,
            },
        );
        if self.collects_from(leg) {
            self.collect_timer(ctx);
        }
        if let Some(m) = self.menu.as_ref().filter(|m| m.leg == leg) {
            let at = Some(ctx.now + std::time::Duration::from_millis(m.wait_ms));
            let kind = TimerKind::MenuDigit;
            ctx.out.push(Output::Timer { kind, at });
        }
        self.after_prompt(ctx, then);
    }

    pub(crate) fn after_prompt(&mut self, ctx: &mut Ctx<'_>, then: Then) {
        match then {
            Then::Nothing => {}
            Then::Enqueue(queue, priority) => self.enqueue(ctx, queue, priority, ctx.now),
            Then::End(reason) => self.end_all(ctx, reason, None, None),
        }
    }

    /// A prompt takes the place of the one the leg hears; what was to come after that one still does.
    pub(crate) fn begin_prompt(
        &mut self,
        ctx: &mut Ctx<'_>,
        leg: LegId,
        playback: PlaybackId,
        then: Then,
    ) {
        let before = self.cut_prompt(ctx, leg);
        let then = match (then, before) {
            (Then::Nothing, Some(before)) => before,
            (then, _) => then,
        };
        self.prompts.push(Prompt {
            leg,
            playback,
            then,
        });
    }

    /// Stops what a leg is told; what was to come afterwards is for the caller to do.
    pub(crate) fn cut_prompt(&mut self, ctx: &mut Ctx<'_>, leg: LegId) -> Option<Then> {
        let at = self.prompts.iter().position(|p| p.leg == leg)?;
        let Prompt { playback, then, .. } = self.prompts.remove(at);
        ctx.out
            .push(Output::Media(MediaCommand::Stop { leg, playback }));
        let interrupted = true;
        self.emit(
            ctx,
            Event::PromptEnded {
                leg,
                playback,
                interrupted,
            },
        );
        Some(then)
    }

    pub(crate) fn digit(&mut self, ctx: &mut Ctx<'_>, leg: LegId, digit: char) {
        if self.collects_from(leg) {
            return self.collect_digit(ctx, digit);
        }
        self.emit(
            ctx,
            Event::DigitReceived {
                leg,
                digit: Pii(digit),
            },
        );
        let chosen = match &self.menu {
            Some(m) if m.leg == leg => m
                .choices
                .get(&digit)
                .map(|d| (**d).clone())
                .or(Some((*m.fallback).clone())),
            _ => None,
        };
        if let Some(plan) = chosen {
            self.leave_menu(ctx);
            self.run(ctx, leg, plan);
        }
    }

    pub(crate) fn menu_timeout(&mut self, ctx: &mut Ctx<'_>) {
        if let Some(m) = &self.menu {
            let (leg, plan) = (m.leg, (*m.fallback).clone());
            self.leave_menu(ctx);
            self.run(ctx, leg, plan);
        }
    }

    fn leave_menu(&mut self, ctx: &mut Ctx<'_>) {
        if let Some(menu) = self.menu.take() {
            ctx.out.push(Output::Timer {
                kind: TimerKind::MenuDigit,
                at: None,
            });
            self.cut_prompt(ctx, menu.leg);
        }
    }

    pub(crate) fn join_conference(
        &mut self,
        ctx: &mut Ctx<'_>,
        leg: LegId,
        conference: ConferenceId,
    ) {
        let Some(room) = ctx.directory.conference(conference) else {
            return self.end_leg_with(ctx, leg, EndReason::NotFound, None);
        };
        let members = ctx.directory.conference_members(conference);
        if room.members_max != 0 && members >= room.members_max {
            return self.end_leg_with(ctx, leg, EndReason::Unavailable, None);
        }
        let record = room.record;
        self.emit(
            ctx,
            Event::ConferenceJoined {
                conference,
                leg,
                members: members + 1,
            },
        );
        if record {
            self.start_recording(ctx, leg);
        }
    }

    pub(crate) fn leave_conference(&mut self, ctx: &mut Ctx<'_>, leg: LegId) {
        if let Some(crate::state::Room::Conference(conference)) =
            self.state.leg(leg).map(|l| l.room.clone())
        {
            let members = ctx
                .directory
                .conference_members(conference)
                .saturating_sub(1);
            self.emit(
                ctx,
                Event::ConferenceLeft {
                    conference,
                    leg,
                    members,
                },
            );
        }
    }

    pub(crate) fn start_recording(&mut self, ctx: &mut Ctx<'_>, left: LegId) {
        if self.state.recording.is_some() {
            return;
        }
        let recording: RecordingId = ctx.ids.next(ctx.now);
        let path = ctx
            .directory
            .recording_path(self.state.tenant, self.state.id, recording);
        let others = self.state.talkers().filter(|l| l.id != left);
        let others: SmallVec<[(LegId, Option<AgentId>); 2]> =
            others.map(|l| (l.id, l.agent)).collect();
        let (right, agent) = match others[..] {
            [(leg, agent)] => (Some(leg), agent),
            _ => (None, None),
        };
        self.emit(
            ctx,
            Event::RecordingStarted {
                recording,
                left,
                right,
                agent,
                path: path.clone(),
            },
        );
        ctx.out.push(Output::Media(MediaCommand::Record {
            recording,
            left,
            right: None,
            path,
        }));
    }

    pub(crate) fn stop_recording(&mut self, ctx: &mut Ctx<'_>) {
        if let Some(r) = &self.state.recording {
            ctx.out.push(Output::Media(MediaCommand::StopRecording {
                recording: r.id,
            }));
        }
    }
}

fn needs_answer(plan: &Destination) -> bool {
    if let Destination::Await { what, .. } = plan {
        return what.needs_answer();
    }
    !matches!(
        plan,
        Destination::Agent { .. }
            | Destination::Phone { .. }
            | Destination::Dial { .. }
            | Destination::Reject { .. }
    )
}
