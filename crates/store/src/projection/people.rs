//! Agents, phones and trunks: their last known state.

use super::{at, json, maybe, run, word};
use crate::error::Result;
use crate::log::codec::blob;
use cp_vocab::model::{Presence, RoutingState};
use cp_vocab::*;
use rusqlite::{Connection, params};

pub(super) fn apply(conn: &Connection, record: &EventRecord) -> Result<()> {
    let (tenant, now) = (blob(record.tenant), at(record));
    match &record.event {
        Event::PresenceChanged {
            agent, presence, ..
        } => run(
            conn,
            "INSERT INTO agent_state (agent, tenant, presence, presence_since, state, state_since)
             VALUES (?1, ?2, ?3, ?4, ?5, ?4)
             ON CONFLICT (agent) DO UPDATE SET presence = ?3, presence_since = ?4,
                 next_presence = NULL",
            params![
                blob(*agent),
                tenant,
                json(presence),
                now,
                word(&RoutingState::default())
            ],
        ),
        Event::NextPresenceSet {
            agent, presence, ..
        } => run(
            conn,
            "UPDATE agent_state SET next_presence = ?2 WHERE agent = ?1",
            params![blob(*agent), presence.as_ref().map(json)],
        ),
        Event::RoutingStateChanged {
            agent,
            state,
            interaction,
        } => run(
            conn,
            "INSERT INTO agent_state (agent, tenant, presence, presence_since, state, state_since,
                 interaction)
             VALUES (?1, ?2, ?3, ?4, ?5, ?4, ?6)
             ON CONFLICT (agent) DO UPDATE SET state = ?5, state_since = ?4, interaction = ?6",
            params![
                blob(*agent),
                tenant,
                json(&Presence::default()),
                now,
                word(state),
                maybe(*interaction),
            ],
        ),
        Event::PhoneRegistered {
            phone,
            contact,
            expires_s,
            transport,
        } => run(
            conn,
            "INSERT INTO registration (phone, contact, tenant, transport, registered_at,
                 expires_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (phone, contact) DO UPDATE SET transport = ?4, expires_at = ?6",
            params![
                blob(*phone),
                contact.expose(),
                tenant,
                transport,
                now,
                now.saturating_add(i64::from(*expires_s) * 1_000_000),
            ],
        ),
        Event::PhoneUnregistered { phone, .. } => run(
            conn,
            "DELETE FROM registration WHERE phone = ?1",
            params![blob(*phone)],
        ),
        Event::TrunkUp { trunk, rtt_ms } => {
            trunk_state(conn, record, *trunk, true, Some(*rtt_ms), None)
        }
        Event::TrunkDown { trunk, why } => {
            trunk_state(conn, record, *trunk, false, None, Some(why))
        }
        _ => Ok(()),
    }
}

fn trunk_state(
    conn: &Connection,
    record: &EventRecord,
    trunk: TrunkId,
    up: bool,
    rtt_ms: Option<u32>,
    why: Option<&str>,
) -> Result<()> {
    run(
        conn,
        "INSERT INTO trunk_state (trunk, tenant, up, rtt_ms, why, since)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (trunk) DO UPDATE SET
             since = CASE up WHEN ?3 THEN since ELSE ?6 END, up = ?3, rtt_ms = ?4, why = ?5",
        params![
            blob(trunk),
            blob(record.tenant),
            up,
            rtt_ms,
            why,
            at(record)
        ],
    )
}
