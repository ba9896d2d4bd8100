//! After every input: send what changed in paths and background, recompute the shared state, and
//! see whether all is over.

use super::*;
use crate::shared;
use crate::state::Room;
use crate::topology::{self, Ambient};
use cp_vocab::media::{Hears, MediaCommand, Playback, Sound};

impl Interaction {
    pub(crate) fn settle(&mut self, ctx: &mut Ctx<'_>) {
        self.finish_if_empty(ctx);
        self.settle_paths(ctx);
        self.settle_ambient(ctx);
        self.settle_notice(ctx);
        self.settle_shared(ctx);
        if !self.done
            && self.state.ended.is_some()
            && self.state.wrap_up.is_empty()
            && self.state.recording.is_none()
            && self.media.is_empty()
        {
            self.done = true;
            ctx.out.push(Output::Done);
        }
    }

    /// Everything is said anew, to another worker. A recording does not follow: it ends with the old
    /// worker, and goes on in another file.
    pub(crate) fn worker_changed(&mut self) {
        self.sent_paths.clear();
        self.sent_ambient.clear();
        self.record_again |= self.state.recording.is_some();
    }

    fn finish_if_empty(&mut self, ctx: &mut Ctx<'_>) {
        if !self.state.started
            || self.state.ended.is_some()
            || self.state.live_legs().next().is_some()
        {
            return;
        }
        if self.state.waiting.is_some() {
            self.leave_queue(ctx, QueueExit::Abandoned, true);
        }
        self.stop_recording(ctx);
        let (reason, by, detail) =
            self.end_reason
                .take()
                .unwrap_or((EndReason::Released, None, None));
        self.emit(ctx, Event::Ended { reason, by, detail });
        for kind in [
            TimerKind::MenuDigit,
            TimerKind::ParkReturn,
            TimerKind::Farewell,
        ] {
            ctx.out.push(Output::Timer { kind, at: None });
        }
        for (kind, set) in [
            (TimerKind::Await, self.awaiting.take().is_some()),
            (TimerKind::Collect, self.collecting.take().is_some()),
        ] {
            if set {
                ctx.out.push(Output::Timer { kind, at: None });
            }
        }
    }

    fn settle_paths(&mut self, ctx: &mut Ctx<'_>) {
        let mut next: SmallVec<[(LegId, Path); 3]> = SmallVec::new();
        for leg in self.state.live_legs() {
            if !(leg.is_answered() || leg.early_media || self.media.contains(&leg.id)) {
                continue;
            }
            let path = if self.echo == Some(leg.id) {
                Path {
                    hears: Hears::leg(leg.id),
                    speaks: None,
                }
            } else {
                topology::path(&self.state, leg)
            };
            next.push((leg.id, path));
        }
        for (leg, path) in &next {
            let before = self
                .sent_paths
                .iter()
                .find(|(l, _)| l == leg)
                .map(|(_, p)| p);
            if before.map_or(path.speaks.is_some(), |b| b.speaks != path.speaks) {
                ctx.out.push(Output::Media(MediaCommand::Speak {
                    leg: *leg,
                    into: path.speaks,
                }));
            }
            if before.map_or(path.hears != Hears::nobody(), |b| b.hears != path.hears) {
                ctx.out.push(Output::Media(MediaCommand::Hear {
                    leg: *leg,
                    hears: path.hears.clone(),
                }));
            }
        }
        self.sent_paths = next;
    }

    fn settle_ambient(&mut self, ctx: &mut Ctx<'_>) {
        let mut next: SmallVec<[(LegId, Ambient, PlaybackId); 2]> = SmallVec::new();
        let mut commands: SmallVec<[MediaCommand; 2]> = SmallVec::new();
        for leg in self.state.live_legs() {
            let prompted = self.prompts.iter().any(|p| p.leg == leg.id);
            let want = if prompted {
                Ambient::None
            } else {
                topology::ambient(&self.state, leg)
            };
            let have = self
                .sent_ambient
                .iter()
                .find(|(l, _, _)| *l == leg.id)
                .copied();
            match (want, have) {
                (w, Some(h)) if w == h.1 => next.push(h),
                (Ambient::None, Some(h)) => {
                    // A prompt that starts replaces the music by itself.
                    if !prompted {
                        commands.push(MediaCommand::Stop {
                            leg: leg.id,
                            playback: h.2,
                        });
                    }
                }
                (Ambient::None, None) => {}
                (w, _) => {
                    let id: PlaybackId = ctx.ids.next(ctx.now);
                    next.push((leg.id, w, id));
                    let sounds = vec![self.ambient_sound(ctx, leg.id, w)];
                    let playback = Playback {
                        id,
                        sounds,
                        repeat: true,
                        barge_in: false,
                        mix_with_call: false,
                    };
                    commands.push(MediaCommand::Play {
                        leg: leg.id,
                        playback,
                    });
                }
            }
        }
        self.sent_ambient = next;
        ctx.out.extend(commands.into_iter().map(Output::Media));
    }

    fn ambient_sound(&self, ctx: &Ctx<'_>, leg: LegId, want: Ambient) -> Sound {
        match want {
            Ambient::Tone(tone) => Sound::Tone { tone },
            _ => {
                let queue = self
                    .state
                    .waiting
                    .as_ref()
                    .map(|w| w.queue)
                    .or(self.state.served_by);
                let of_queue = match self.state.leg(leg).map(|l| &l.room) {
                    Some(Room::Parked(_)) | None => None,
                    Some(_) => queue
                        .and_then(|q| ctx.directory.queue(q))
                        .and_then(|q| q.music.clone()),
                };
                of_queue.unwrap_or(Sound::Prompt {
                    name: "music".into(),
                })
            }
        }
    }

    pub(crate) fn settle_shared(&mut self, ctx: &mut Ctx<'_>) {
        let before = self.state.shared;
        // Interactions that never had a second call say nothing: one call is one entry (rule 11).
        if self.state.op.is_none() && before == SharedState::Single {
            return;
        }
        let now = shared::global(&self.state);
        if now == before {
            return;
        }
        if let Some(uci) = self.state.uci {
            let calls = shared::calls(&self.state);
            self.emit(
                ctx,
                Event::SharedOpChanged {
                    uci,
                    from: before,
                    to: now,
                    calls,
                },
            );
        }
    }
}
