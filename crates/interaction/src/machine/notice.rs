//! Who is recorded is told, where the tenant's rules say so: each party once, as soon as it can hear it.

use super::*;
use crate::state::Leg;
use cp_vocab::event::Endpoint;
use cp_vocab::media::{MediaCommand, Playback, Sound};

impl Interaction {
    pub(crate) fn settle_notice(&mut self, ctx: &mut Ctx<'_>) {
        let Some(recording) = self.state.recording.as_ref().map(|r| r.id) else {
            return;
        };
        let waits = |l: &Leg| {
            self.state.is_on_hold(l)
                || self.prompts.iter().any(|p| p.leg == l.id)
                || self.sent_ambient.iter().any(|(a, _, _)| *a == l.id)
        };
        let due: SmallVec<[LegId; 3]> = self
            .state
            .talkers()
            .filter(|l| !self.told.contains(&l.id) && !waits(l))
            .map(|l| l.id)
            .collect();
        if due.is_empty() {
            return;
        }
        let outside = |l: &&Leg| l.agent.is_none() && !matches!(l.endpoint, Endpoint::Phone(_));
        let notice = {
            let parties = self.state.talkers().filter(outside).map(|l| &l.address);
            let parties: SmallVec<[&Address; 3]> = parties.collect();
            ctx.directory.recording_notice(self.state.tenant, &parties)
        };
        let Some(sound) = notice else {
            return;
        };
        let spoken = !matches!(sound, Sound::Tone { .. });
        for leg in due {
            self.told.push(leg);
            // Over the talk, not in its place: the words are in the recording as its proof.
            let playback = Playback {
                id: ctx.ids.next(ctx.now),
                sounds: vec![sound.clone()],
                repeat: false,
                barge_in: false,
                mix_with_call: true,
            };
            ctx.out
                .push(Output::Media(MediaCommand::Play { leg, playback }));
            let event = Event::RecordingAnnounced {
                recording,
                leg,
                spoken,
            };
            self.emit(ctx, event);
        }
    }
}
