//! Conference seats (S3.6): where a leg's listener wants the voices, and whose they are. The media worker
//! places them; no interaction knows of it.

use crate::core::Engine;
use cp_vocab::command::{Command, CommandReply, CommandResult};
use cp_vocab::media::{MediaCommand, NEAR_MS_MAX, SEATS_MAX, SeatsAsk};
use cp_vocab::web::{HeardOn, Signal, TrackShown};
use cp_vocab::*;

/// Edges of the room, in thousandths.
const SIDE_MAX: i16 = 1_000;

impl Engine {
    /// A program or a person places the voices a leg hears.
    pub(crate) fn seats_command(
        &mut self,
        tenant: TenantId,
        actor: command::Actor,
        leg: LegId,
        seats: SeatsAsk,
    ) -> CommandResult {
        let asked = Command::Seats {
            leg,
            seats: seats.clone(),
        };
        self.target_of(tenant, actor, &asked)?;
        self.seats(leg, seats)
    }

    pub(crate) fn seats(&mut self, leg: LegId, seats: SeatsAsk) -> CommandResult {
        check(&seats)?;
        let missing = || Refusal::new(Code::NotFound, "There is no such leg now.");
        let entry = self.legs.get(&leg).ok_or_else(missing)?;
        let worker = entry.worker().filter(|_| entry.open);
        let Some(worker) = worker else {
            let detail = "This leg has no sound yet. Ask when it is answered.";
            return Err(Refusal::new(Code::LegState, detail));
        };
        if seats.tracks == Some(true) && entry.web.is_none() {
            let detail = "Tracks are for browsers; a phone hears in stereo when it can.";
            return Err(Refusal::new(Code::BadRequest, detail));
        }
        let interaction = Some(entry.interaction);
        self.put_media(worker, MediaCommand::Seats { leg, seats });
        Ok(CommandReply {
            interaction,
            leg: Some(leg),
            ..Default::default()
        })
    }

    /// The worker tells whom a browser hears.
    pub(crate) fn tracks_told(&mut self, leg: LegId, tracks: Vec<HeardOn>, lacking: usize) {
        let entry = self.legs.get(&leg);
        let web = entry.and_then(|l| l.web.as_ref());
        let of_house = web.is_some_and(|w| w.agent.is_some());
        let tracks = tracks
            .into_iter()
            .filter_map(|(party, mid)| self.track_shown(party, mid, of_house))
            .collect();
        let told = Signal::Tracks {
            leg,
            tracks,
            lacking,
        };
        self.signal_leg(leg, told);
    }

    /// Customers are told that there is somebody, not who.
    fn track_shown(&self, party: LegId, mid: Option<String>, named: bool) -> Option<TrackShown> {
        let id = self.interaction_of(party)?;
        let state = self.interactions.get(&id)?.interaction.state();
        let leg = state.leg(party)?;
        let agent = leg.agent.filter(|_| named);
        let name = match agent.and_then(|a| self.index.agent(a)) {
            Some(agent) => agent.name.clone(),
            None if !named => String::new(),
            None if leg.role == event::LegRole::Customer && state.from_name.is_some() => {
                state.from_name.clone().unwrap_or_default()
            }
            None => leg.address.user().to_string(),
        };
        Some(TrackShown {
            party,
            mid,
            name,
            role: leg.role,
            agent,
        })
    }
}

fn check(seats: &SeatsAsk) -> Result<(), Refusal> {
    let bad = |detail: String| Err(Refusal::new(Code::BadRequest, detail));
    if seats.seats.len() > SEATS_MAX {
        return bad(format!("At most {SEATS_MAX} seats are placed at once."));
    }
    let within =
        |s: &media::SeatAt| (-SIDE_MAX..=SIDE_MAX).contains(&s.x) && (0..=SIDE_MAX).contains(&s.y);
    if !seats.seats.iter().all(within) {
        return bad(
            "`x` is from -1000 (left) to 1000 (right), `y` from 0 (front) to 1000 (back).".into(),
        );
    }
    let near = seats.select.map_or(1, |s| s.near_ms);
    if near == 0 || near > NEAR_MS_MAX {
        return bad(format!("`near_ms` is from 1 to {NEAR_MS_MAX}."));
    }
    Ok(())
}
