//! Reading the projections.

use super::call::{direction, direction_code};
use super::queue::QUARTER_US;
use super::rows::*;
use crate::error::{Result, StoreError};
use crate::log::codec::{blob, id, micros, time};
use crate::log::read::unreadable;
use crate::page::{Page, PageRequest};
use crate::sqlite::connect::failed;
use cp_vocab::id::TypedId;
use cp_vocab::*;
use rusqlite::types::{Type, Value};
use rusqlite::{Connection, OptionalExtension, Row, ToSql, params, params_from_iter};
use serde::de::DeserializeOwned;

type Sql<T> = rusqlite::Result<T>;

fn bad(column: usize, why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, why.into())
}

/// A JSON column.
fn json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> Sql<T> {
    serde_json::from_str(row.get_ref(column)?.as_str()?).map_err(|e| bad(column, e))
}

fn json_maybe<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> Sql<Option<T>> {
    match row.get_ref(column)?.as_str_or_null()? {
        Some(text) => serde_json::from_str(text)
            .map(Some)
            .map_err(|e| bad(column, e)),
        None => Ok(None),
    }
}

/// A column with the word of a unit-only enum.
fn word<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> Sql<T> {
    let text = serde_json::Value::String(row.get(column)?);
    serde_json::from_value(text).map_err(|e| bad(column, e))
}

fn word_maybe<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> Sql<Option<T>> {
    match row.get_ref(column)?.as_str_or_null()? {
        Some(_) => word(row, column).map(Some),
        None => Ok(None),
    }
}

fn id_at<T: TypedId>(row: &Row<'_>, column: usize) -> Sql<T> {
    row.get(column).map(id)
}

fn id_maybe<T: TypedId>(row: &Row<'_>, column: usize) -> Sql<Option<T>> {
    row.get::<_, Option<[u8; 16]>>(column).map(|v| v.map(id))
}

fn time_at(row: &Row<'_>, column: usize) -> Sql<Timestamp> {
    row.get(column).map(time)
}

fn time_maybe(row: &Row<'_>, column: usize) -> Sql<Option<Timestamp>> {
    row.get::<_, Option<i64>>(column).map(|v| v.map(time))
}

fn count(row: &Row<'_>, column: usize) -> Sql<u64> {
    row.get::<_, i64>(column).map(|v| v as u64)
}

fn all<T>(
    conn: &Connection,
    sql: &str,
    params: impl rusqlite::Params,
    read: impl FnMut(&Row<'_>) -> Sql<T>,
) -> Result<Vec<T>> {
    let mut statement = conn.prepare_cached(sql).map_err(failed)?;
    let rows = statement.query_map(params, read).map_err(failed)?;
    rows.collect::<Sql<_>>().map_err(unreadable)
}

/// A place in a list that is ordered by time, then id, newest first.
#[derive(Clone, Copy)]
struct Place {
    at: i64,
    id: u128,
}

impl Place {
    fn text(at: Timestamp, id: u128) -> String {
        format!("{:x}.{id:x}", at.as_micros())
    }

    fn of(page: &PageRequest) -> Result<Option<Self>> {
        let Some(after) = &page.after else {
            return Ok(None);
        };
        let read = || {
            let (at, id) = after.split_once('.')?;
            Some(Self {
                at: i64::from_str_radix(at, 16).ok()?,
                id: u128::from_str_radix(id, 16).ok()?,
            })
        };
        read().map(Some).ok_or(StoreError::Invalid {
            field: "cursor",
            problem: "is not one that a page gave",
        })
    }
}

const INTERACTION: &str = "SELECT id, tenant, direction, from_address, from_name, to_address, uci,
    number, trunk, queue, state, started_at, answered_at, ended_at, waited_ms, talk_ms, end_reason,
    recordings, wrap_up_code FROM interaction";

fn interaction_row(row: &Row<'_>) -> Sql<InteractionRow> {
    Ok(InteractionRow {
        id: id_at(row, 0)?,
        tenant: id_at(row, 1)?,
        direction: direction(row.get(2)?).ok_or_else(|| bad(2, "no direction"))?,
        from: json(row, 3)?,
        from_name: row.get::<_, Option<String>>(4)?.map(Pii),
        to: json(row, 5)?,
        uci: id_at(row, 6)?,
        number: id_maybe(row, 7)?,
        trunk: id_maybe(row, 8)?,
        queue: id_maybe(row, 9)?,
        agents: Vec::new(),
        state: InteractionState::from_code(row.get(10)?).ok_or_else(|| bad(10, "no state"))?,
        started_at: time_at(row, 11)?,
        answered_at: time_maybe(row, 12)?,
        ended_at: time_maybe(row, 13)?,
        waited_ms: count(row, 14)?,
        talk_ms: count(row, 15)?,
        end_reason: word_maybe(row, 16)?,
        recordings: row.get(17)?,
        wrap_up_code: id_maybe(row, 18)?,
    })
}

fn with_agents(conn: &Connection, mut row: InteractionRow) -> Result<InteractionRow> {
    let mut agents: Vec<AgentId> = all(
        conn,
        "SELECT agent FROM leg
         WHERE interaction = ?1 AND agent IS NOT NULL AND answered_at IS NOT NULL
         ORDER BY answered_at, id",
        [blob(row.id)],
        |r| id_at(r, 0),
    )?;
    // An agent may have answered twice (consult, then transfer).
    let mut seen = rustc_hash::FxHashSet::default();
    agents.retain(|a| seen.insert(*a));
    row.agents = agents;
    Ok(row)
}

pub(crate) fn interaction(
    conn: &Connection,
    tenant: TenantId,
    id: InteractionId,
) -> Result<InteractionRow> {
    let row = conn
        .prepare_cached(&format!("{INTERACTION} WHERE tenant = ?1 AND id = ?2"))
        .map_err(failed)?
        .query_row((blob(tenant), blob(id)), interaction_row)
        .optional()
        .map_err(unreadable)?
        .ok_or_else(|| StoreError::NotFound {
            kind: "interaction",
            id: id.to_string(),
        })?;
    with_agents(conn, row)
}

/// The conditions of a filter, with their values.
struct Conditions {
    sql: String,
    values: Vec<Value>,
}

impl Conditions {
    /// Adds `condition`, in which `?` stands for `value`.
    fn and(&mut self, condition: &str, value: impl Into<Value>) {
        self.values.push(value.into());
        let place = format!("?{}", self.values.len());
        self.sql.push_str(" AND ");
        self.sql.push_str(&condition.replace('?', &place));
    }

    fn and_maybe<V: Into<Value>>(&mut self, condition: &str, value: Option<V>) {
        if let Some(value) = value {
            self.and(condition, value);
        }
    }

    fn of(tenant: TenantId, filter: &InteractionFilter) -> Self {
        let mut c = Self {
            sql: " WHERE tenant = ?1".into(),
            values: vec![bytes(tenant)],
        };
        c.and_maybe("started_at >= ?", filter.from.map(micros));
        c.and_maybe("started_at < ?", filter.until.map(micros));
        c.and_maybe("state = ?", filter.state.map(InteractionState::code));
        c.and_maybe("(ended_at IS NULL) = ?", filter.open.map(i64::from));
        c.and_maybe("direction = ?", filter.direction.map(direction_code));
        c.and_maybe("queue = ?", filter.queue.map(bytes));
        c.and_maybe("uci = ?", filter.uci.map(bytes));
        c.and_maybe(
            "end_reason = ?",
            filter.end_reason.map(|r| r.code().to_string()),
        );
        c.and_maybe(
            "EXISTS (SELECT 1 FROM leg WHERE leg.agent = ? AND leg.interaction = interaction.id
                 AND leg.answered_at IS NOT NULL)",
            filter.agent.map(bytes),
        );
        // The value inside the address's JSON, so that its other words are not found.
        c.and_maybe(
            "(instr(lower(coalesce(from_address ->> '$.value', '')), ?) > 0
              OR instr(lower(coalesce(to_address ->> '$.value', '')), ?) > 0
              OR instr(lower(coalesce(from_name, '')), ?) > 0)",
            filter.party.as_ref().map(|p| p.to_lowercase()),
        );
        c
    }
}

fn bytes<T: TypedId>(id: T) -> Value {
    Value::Blob(blob(id).to_vec())
}

pub(crate) fn interactions(
    conn: &Connection,
    tenant: TenantId,
    filter: &InteractionFilter,
    page: &PageRequest,
) -> Result<Page<InteractionRow>> {
    let mut c = Conditions::of(tenant, filter);
    if let Some(place) = Place::of(page)? {
        c.values.push(Value::Integer(place.at));
        c.values.push(Value::Blob(place.id.to_be_bytes().to_vec()));
        let n = c.values.len();
        c.sql
            .push_str(&format!(" AND (started_at, id) < (?{}, ?{n})", n - 1));
    }
    let rows = page.rows();
    let sql = format!(
        "{INTERACTION}{} ORDER BY started_at DESC, id DESC LIMIT {}",
        c.sql,
        rows + 1
    );
    let found = all(conn, &sql, params_from_iter(c.values), interaction_row)?;
    let cut = Page::cut(found, rows, |r| Place::text(r.started_at, r.id.as_u128()));
    let items = cut
        .items
        .into_iter()
        .map(|row| with_agents(conn, row))
        .collect::<Result<_>>()?;
    Ok(Page {
        items,
        next: cut.next,
    })
}

pub(crate) fn legs(
    conn: &Connection,
    tenant: TenantId,
    interaction: InteractionId,
) -> Result<Vec<LegRow>> {
    self::interaction(conn, tenant, interaction)?;
    all(
        conn,
        "SELECT id, interaction, role, direction, endpoint, address, agent, call_id, added_at,
             answered_at, ended_at, end_reason, codec, secure, quality, dialog
         FROM leg WHERE interaction = ?1 ORDER BY added_at, id",
        [blob(interaction)],
        |row| {
            Ok(LegRow {
                id: id_at(row, 0)?,
                interaction: id_at(row, 1)?,
                role: word(row, 2)?,
                direction: direction(row.get(3)?).ok_or_else(|| bad(3, "no direction"))?,
                endpoint: json(row, 4)?,
                address: json(row, 5)?,
                agent: id_maybe(row, 6)?,
                call_id: row.get(7)?,
                added_at: time_at(row, 8)?,
                answered_at: time_maybe(row, 9)?,
                ended_at: time_maybe(row, 10)?,
                end_reason: word_maybe(row, 11)?,
                codec: row.get(12)?,
                secure: row.get(13)?,
                quality: json_maybe(row, 14)?,
                dialog: row.get(15)?,
            })
        },
    )
}

const RECORDING: &str = "SELECT id, interaction, tenant, path, left_leg, right_leg, started_at,
    ended_at, duration_ms, paused, error FROM recording";

fn recording_row(row: &Row<'_>) -> Sql<RecordingRow> {
    Ok(RecordingRow {
        id: id_at(row, 0)?,
        interaction: id_at(row, 1)?,
        tenant: id_at(row, 2)?,
        path: row.get(3)?,
        left: id_at(row, 4)?,
        right: id_maybe(row, 5)?,
        started_at: time_at(row, 6)?,
        ended_at: time_maybe(row, 7)?,
        duration_ms: row.get::<_, Option<i64>>(8)?.map(|v| v as u64),
        paused: row.get(9)?,
        error: row.get(10)?,
    })
}

pub(crate) fn recordings(
    conn: &Connection,
    tenant: TenantId,
    interaction: Option<InteractionId>,
    page: &PageRequest,
) -> Result<Page<RecordingRow>> {
    let place = Place::of(page)?.unwrap_or(Place {
        at: i64::MAX,
        id: u128::MAX,
    });
    let rows = page.rows();
    let narrowed = if interaction.is_some() {
        "AND interaction = ?5"
    } else {
        "AND ?5 IS NULL"
    };
    let sql = format!(
        "{RECORDING} WHERE tenant = ?1 AND (started_at, id) < (?2, ?3) {narrowed}
         ORDER BY started_at DESC, id DESC LIMIT ?4"
    );
    let found = all(
        conn,
        &sql,
        params![
            blob(tenant),
            place.at,
            place.id.to_be_bytes(),
            (rows + 1) as i64,
            interaction.map(blob)
        ],
        recording_row,
    )?;
    Ok(Page::cut(found, rows, |r| {
        Place::text(r.started_at, r.id.as_u128())
    }))
}

pub(crate) fn recording(
    conn: &Connection,
    tenant: TenantId,
    id: RecordingId,
) -> Result<RecordingRow> {
    conn.prepare_cached(&format!("{RECORDING} WHERE id = ?1 AND tenant = ?2"))
        .map_err(failed)?
        .query_row((blob(id), blob(tenant)), recording_row)
        .optional()
        .map_err(unreadable)?
        .ok_or_else(|| StoreError::NotFound {
            kind: "recording",
            id: id.to_string(),
        })
}

pub(crate) fn agent_states(conn: &Connection, tenant: TenantId) -> Result<Vec<AgentStateRow>> {
    all(
        conn,
        "SELECT agent, presence, presence_since, state, state_since, interaction, next_presence
         FROM agent_state WHERE tenant = ?1 ORDER BY agent",
        [blob(tenant)],
        |row| {
            Ok(AgentStateRow {
                agent: id_at(row, 0)?,
                presence: json(row, 1)?,
                presence_since: time_at(row, 2)?,
                state: word(row, 3)?,
                state_since: time_at(row, 4)?,
                interaction: id_maybe(row, 5)?,
                next_presence: json_maybe(row, 6)?,
            })
        },
    )
}

pub(crate) fn registrations(conn: &Connection, now: Timestamp) -> Result<Vec<RegistrationRow>> {
    all(
        conn,
        "SELECT phone, tenant, contact, transport, registered_at, expires_at
         FROM registration WHERE expires_at > ?1 ORDER BY phone, contact",
        [micros(now)],
        |row| {
            Ok(RegistrationRow {
                phone: id_at(row, 0)?,
                tenant: id_at(row, 1)?,
                contact: Pii(row.get(2)?),
                transport: row.get(3)?,
                registered_at: time_at(row, 4)?,
                expires_at: time_at(row, 5)?,
            })
        },
    )
}

pub(crate) fn trunk_states(conn: &Connection, tenant: TenantId) -> Result<Vec<TrunkStateRow>> {
    all(
        conn,
        "SELECT trunk, up, rtt_ms, why, since FROM trunk_state WHERE tenant = ?1 ORDER BY trunk",
        [blob(tenant)],
        |row| {
            Ok(TrunkStateRow {
                trunk: id_at(row, 0)?,
                up: row.get(1)?,
                rtt_ms: row.get(2)?,
                why: row.get(3)?,
                since: time_at(row, 4)?,
            })
        },
    )
}

pub(crate) fn queue_counters(
    conn: &Connection,
    tenant: TenantId,
    from: Timestamp,
    until: Timestamp,
) -> Result<Vec<QueueCounters>> {
    let first = (from.as_micros() / QUARTER_US) as i64;
    let end = until.as_micros().div_ceil(QUARTER_US) as i64;
    let params: [&dyn ToSql; 3] = [&blob(tenant), &first, &end];
    all(
        conn,
        "SELECT queue, sum(entered), sum(answered), sum(abandoned), sum(overflowed),
             sum(timed_out), sum(transferred), sum(released), sum(in_service_level),
             sum(answered_wait_ms), sum(abandoned_wait_ms), max(wait_ms_max)
         FROM queue_interval WHERE tenant = ?1 AND quarter >= ?2 AND quarter < ?3
         GROUP BY queue ORDER BY queue",
        &params[..],
        |row| {
            Ok(QueueCounters {
                queue: id_at(row, 0)?,
                entered: count(row, 1)?,
                answered: count(row, 2)?,
                abandoned: count(row, 3)?,
                overflowed: count(row, 4)?,
                timed_out: count(row, 5)?,
                transferred: count(row, 6)?,
                released: count(row, 7)?,
                in_service_level: count(row, 8)?,
                answered_wait_ms: count(row, 9)?,
                abandoned_wait_ms: count(row, 10)?,
                wait_ms_max: count(row, 11)?,
            })
        },
    )
}
