//! Interactions, their legs and recordings.

use super::{InteractionState, at, json, maybe, run, word};
use crate::error::Result;
use crate::log::codec::{blob, finite};
use cp_vocab::event::Direction;
use cp_vocab::*;
use rusqlite::{Connection, params};

impl InteractionState {
    pub(super) fn code(self) -> i64 {
        match self {
            Self::Started => 0,
            Self::Queued => 1,
            Self::Connected => 2,
            Self::Parked => 3,
            Self::Ended => 4,
        }
    }

    pub(super) fn from_code(code: i64) -> Option<Self> {
        [
            Self::Started,
            Self::Queued,
            Self::Connected,
            Self::Parked,
            Self::Ended,
        ]
        .into_iter()
        .find(|s| s.code() == code)
    }
}

pub(super) fn direction_code(direction: Direction) -> i64 {
    match direction {
        Direction::Inbound => 0,
        Direction::Outbound => 1,
        Direction::Internal => 2,
    }
}

pub(super) fn direction(code: i64) -> Option<Direction> {
    [Direction::Inbound, Direction::Outbound, Direction::Internal]
        .into_iter()
        .find(|d| direction_code(*d) == code)
}

/// `state` becomes `to`; nothing revives an ended interaction.
macro_rules! update {
    ($set:literal) => {
        concat!(
            "UPDATE interaction SET ",
            $set,
            " WHERE tenant = ?1 AND id = ?2 AND state <> 4"
        )
    };
}

pub(super) fn apply(conn: &Connection, record: &EventRecord, id: InteractionId) -> Result<()> {
    let (tenant, key, now) = (blob(record.tenant), blob(id), at(record));
    match &record.event {
        Event::Started { .. } => started(conn, record, id),
        Event::Queued { queue, .. } => run(
            conn,
            update!("queue = ?3, state = 1"),
            params![tenant, key, blob(*queue)],
        ),
        Event::Dequeued { waited_ms, .. } => run(
            conn,
            update!("waited_ms = waited_ms + ?3, state = CASE state WHEN 1 THEN 0 ELSE state END"),
            params![tenant, key, *waited_ms as i64],
        ),
        Event::Bridged { .. } | Event::ConferenceJoined { .. } => run(
            conn,
            update!(
                "state = 2, answered_at = coalesce(answered_at, ?3),
                 bridged_at = coalesce(bridged_at, ?3)"
            ),
            params![tenant, key, now],
        ),
        Event::Unbridged { .. } | Event::ConferenceLeft { .. } => run(
            conn,
            update!(
                "talk_ms = talk_ms + max(0, (?3 - coalesce(bridged_at, ?3)) / 1000),
                 bridged_at = NULL, state = CASE state WHEN 2 THEN 0 ELSE state END"
            ),
            params![tenant, key, now],
        ),
        Event::Parked { .. } => run(conn, update!("state = 3"), params![tenant, key]),
        Event::ParkRetrieved { .. } | Event::ParkReturned { .. } => run(
            conn,
            update!("state = CASE state WHEN 3 THEN 0 ELSE state END"),
            params![tenant, key],
        ),
        Event::Ended { reason, .. } => run(
            conn,
            update!(
                "state = 4, ended_at = ?3, end_reason = ?4,
                 talk_ms = talk_ms + max(0, (?3 - coalesce(bridged_at, ?3)) / 1000),
                 bridged_at = NULL"
            ),
            params![tenant, key, now, reason.code()],
        ),
        // Wrap-up comes after the end.
        Event::WrapUpNoted { code, .. } => run(
            conn,
            "UPDATE interaction SET wrap_up_code = coalesce(?3, wrap_up_code)
             WHERE tenant = ?1 AND id = ?2",
            params![tenant, key, maybe(*code)],
        ),
        Event::CardIncentiveGiven { .. } => crate::brand::given(conn, record, id),
        _ => leg(conn, record, id),
    }
}

fn started(conn: &Connection, record: &EventRecord, id: InteractionId) -> Result<()> {
    let Event::Started {
        direction,
        from,
        from_name,
        to,
        uci,
        number,
        trunk,
    } = &record.event
    else {
        return Ok(());
    };
    run(
        conn,
        "INSERT INTO interaction (tenant, id, direction, from_address, from_name, to_address, uci,
             number, trunk, state, started_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0, ?10) ON CONFLICT DO NOTHING",
        params![
            blob(record.tenant),
            blob(id),
            direction_code(*direction),
            json(from),
            from_name.as_ref().map(|n| n.expose().as_str()),
            json(to),
            blob(*uci),
            maybe(*number),
            maybe(*trunk),
            at(record),
        ],
    )
}

fn leg(conn: &Connection, record: &EventRecord, id: InteractionId) -> Result<()> {
    let (key, now) = (blob(id), at(record));
    match &record.event {
        Event::LegAdded {
            leg,
            role,
            direction,
            endpoint,
            address,
            agent,
            call_id,
            ..
        } => run(
            conn,
            "INSERT INTO leg (interaction, id, role, direction, endpoint, address, agent, call_id,
                 added_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING",
            params![
                key,
                blob(*leg),
                word(role),
                direction_code(*direction),
                json(endpoint),
                json(address),
                maybe(*agent),
                call_id,
                now,
            ],
        ),
        Event::LegAnswered {
            leg,
            codec,
            secure,
            dialog,
        } => run(
            conn,
            "UPDATE leg SET answered_at = coalesce(answered_at, ?3), codec = ?4, secure = ?5,
                 dialog = ?6 WHERE interaction = ?1 AND id = ?2",
            params![key, blob(*leg), now, codec, secure, dialog],
        ),
        Event::LegEnded { leg, reason, .. } => run(
            conn,
            "UPDATE leg SET ended_at = ?3, end_reason = ?4, dialog = NULL
             WHERE interaction = ?1 AND id = ?2",
            params![key, blob(*leg), now, reason.code()],
        ),
        Event::LegQuality { leg, quality } => run(
            conn,
            "UPDATE leg SET quality = ?3 WHERE interaction = ?1 AND id = ?2",
            params![key, blob(*leg), json(&finite(quality))],
        ),
        _ => recording(conn, record, id),
    }
}

fn recording(conn: &Connection, record: &EventRecord, id: InteractionId) -> Result<()> {
    match &record.event {
        Event::RecordingStarted {
            recording,
            left,
            right,
            agent: _,
            path,
        } => {
            run(
                conn,
                "INSERT INTO recording (id, tenant, interaction, path, left_leg, right_leg,
                     started_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING",
                params![
                    blob(*recording),
                    blob(record.tenant),
                    blob(id),
                    path,
                    blob(*left),
                    maybe(*right),
                    at(record),
                ],
            )?;
            run(
                conn,
                "UPDATE interaction SET recordings = recordings + 1 WHERE tenant = ?1 AND id = ?2",
                params![blob(record.tenant), blob(id)],
            )
        }
        Event::RecordingPaused { recording, .. } => paused(conn, *recording, true),
        Event::RecordingResumed { recording, .. } => paused(conn, *recording, false),
        Event::RecordingEnded {
            recording,
            duration_ms,
            error,
        } => run(
            conn,
            "UPDATE recording SET ended_at = ?2, duration_ms = ?3, error = ?4, paused = 0
             WHERE id = ?1",
            params![blob(*recording), at(record), *duration_ms as i64, error],
        ),
        _ => Ok(()),
    }
}

fn paused(conn: &Connection, recording: RecordingId, paused: bool) -> Result<()> {
    run(
        conn,
        "UPDATE recording SET paused = ?2 WHERE id = ?1",
        params![blob(recording), paused],
    )
}
