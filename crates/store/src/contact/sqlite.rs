//! Contacts and lent numbers in SQLite.

use super::*;
use crate::error::{Result, StoreError};
use crate::log::codec::{blob, id as id_of, micros};
use crate::log::writer::Tx;
use crate::page::{Page, PageRequest};
use crate::sqlite::SqliteStore;
use crate::sqlite::connect::failed;
use rusqlite::{Connection, OptionalExtension, params};
use std::time::Duration;

impl ContactStore for SqliteStore {
    fn point(&self, id: PointId) -> Result<Point> {
        self.readers.with(|c| point(c, id))
    }

    fn contact_create(&self, contact: Contact, told: Event) -> Result<()> {
        self.write(move |tx| create(tx, &contact, told))
    }

    fn contact(&self, tenant: TenantId, id: ContactId) -> Result<Contact> {
        self.readers.with(|c| contact(c, tenant, id))
    }

    fn contacts(
        &self,
        tenant: TenantId,
        filter: &ContactFilter,
        page: &PageRequest,
    ) -> Result<Page<Contact>> {
        self.readers.with(|c| contacts(c, tenant, filter, page))
    }

    fn contact_change(
        &self,
        tenant: TenantId,
        id: ContactId,
        now: Timestamp,
        write: ContactChange,
    ) -> Result<Contact> {
        self.write(move |tx| change(tx, tenant, id, now, write))
    }

    fn number_lend(
        &self,
        pool: Vec<String>,
        lease: NumberLease,
        now: Timestamp,
    ) -> Result<Option<String>> {
        self.write(move |tx| lend(tx.conn, &pool, &lease, now))
    }

    fn number_lease(
        &self,
        tenant: TenantId,
        number: &str,
        now: Timestamp,
    ) -> Result<Option<NumberLease>> {
        self.readers.with(|c| lease_of(c, tenant, number, now))
    }

    fn number_leases(
        &self,
        tenant: TenantId,
        point: PointId,
        now: Timestamp,
    ) -> Result<Vec<NumberLease>> {
        self.readers.with(|c| leases(c, tenant, point, now))
    }

    fn number_assign(&self, lease: NumberLease, now: Timestamp) -> Result<()> {
        self.write(move |tx| assign(tx.conn, &lease, now))
    }

    fn number_free(&self, tenant: TenantId, number: &str) -> Result<()> {
        let number = number.to_string();
        self.write(move |tx| give_back(tx.conn, tenant, &number))
    }
}

fn word<T: Serialize>(value: T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(s)) => s,
        _ => String::new(),
    }
}

fn read<T: serde::de::DeserializeOwned>(what: &'static str, text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|e| StoreError::Unreadable {
        what,
        detail: e.to_string(),
    })
}

fn text<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value)
        .expect("invariant: contacts hold no maps with other keys than text")
}

fn event(tx: &mut Tx<'_>, tenant: TenantId, at: Timestamp, event: Event) -> Result<()> {
    tx.append(EventRecord {
        stream: StreamId::Tenant(tenant),
        seq: 0,
        at,
        tenant,
        event,
    })
}

fn create(tx: &mut Tx<'_>, contact: &Contact, told: Event) -> Result<()> {
    let open: i64 = tx
        .conn
        .query_row(
            "SELECT count(*) FROM contact WHERE point = ?1 AND state IN ('open', 'offered')",
            [blob(contact.point)],
            |r| r.get(0),
        )
        .map_err(failed)?;
    if open as u64 >= CONTACTS_OPEN_MAX {
        return Err(StoreError::Conflict {
            kind: "contact",
            field: "place in the list",
            holder: "earlier requests that are still open".into(),
        });
    }
    put(tx.conn, contact)?;
    event(tx, contact.tenant, contact.created_at, told)
}

fn put(conn: &Connection, c: &Contact) -> Result<()> {
    conn.prepare_cached(
        "INSERT INTO contact (id, tenant, point, kind, state, created_at, body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, state = excluded.state, body = excluded.body",
    )
    .and_then(|mut s| {
        s.execute(params![
            blob(c.id),
            blob(c.tenant),
            blob(c.point),
            word(c.kind),
            word(c.state),
            micros(c.created_at),
            text(c),
        ])
    })
    .map(|_| ())
    .map_err(failed)
}

fn contact(conn: &Connection, tenant: TenantId, id: ContactId) -> Result<Contact> {
    let body: Option<String> = conn
        .prepare_cached("SELECT body FROM contact WHERE id = ?1 AND tenant = ?2")
        .and_then(|mut s| {
            s.query_row(params![blob(id), blob(tenant)], |r| r.get(0))
                .optional()
        })
        .map_err(failed)?;
    match body {
        Some(body) => read("a contact", &body),
        None => Err(StoreError::NotFound {
            kind: "contact",
            id: id.to_string(),
        }),
    }
}

fn change(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    id: ContactId,
    now: Timestamp,
    change: ContactChange,
) -> Result<Contact> {
    let mut found = contact(tx.conn, tenant, id)?;
    let told = change(&mut found)?;
    put(tx.conn, &found)?;
    if let Some(told) = told {
        event(tx, tenant, now, told)?;
    }
    Ok(found)
}

/// Newest first.
fn contacts(
    conn: &Connection,
    tenant: TenantId,
    filter: &ContactFilter,
    page: &PageRequest,
) -> Result<Page<Contact>> {
    let before: Option<[u8; 16]> = match &page.after {
        None => None,
        Some(cursor) => Some(blob(cursor.parse::<ContactId>().map_err(|_| {
            StoreError::Invalid {
                field: "cursor",
                problem: "is not one of this list",
            }
        })?)),
    };
    let rows = page.rows();
    let mut statement = conn
        .prepare_cached(
            "SELECT body FROM contact WHERE tenant = ?1
               AND (?2 IS NULL OR kind = ?2) AND (?3 IS NULL OR state = ?3)
               AND (?4 IS NULL OR point = ?4) AND (?5 IS NULL OR id < ?5)
             ORDER BY id DESC LIMIT ?6",
        )
        .map_err(failed)?;
    let bodies = statement
        .query_map(
            params![
                blob(tenant),
                filter.kind.map(word),
                filter.state.map(word),
                filter.point.map(blob),
                before,
                rows as i64 + 1,
            ],
            |r| r.get::<_, String>(0),
        )
        .and_then(Iterator::collect::<rusqlite::Result<Vec<_>>>)
        .map_err(failed)?;
    let items = bodies
        .iter()
        .map(|b| read("a contact", b))
        .collect::<Result<Vec<Contact>>>()?;
    Ok(Page::cut(items, rows, |c| c.id.to_string()))
}

/// Lends a number of the pool to a contact: a free one, else the one whose time ran out first.
fn lend(
    conn: &Connection,
    pool: &[String],
    lease: &NumberLease,
    now: Timestamp,
) -> Result<Option<String>> {
    let mut free: Option<(i64, &String)> = None;
    for number in pool {
        let held: Option<Option<i64>> = conn
            .query_row(
                "SELECT until FROM number_lease WHERE tenant = ?1 AND number = ?2",
                params![blob(lease.tenant), number],
                |r| r.get(0),
            )
            .optional()
            .map_err(failed)?;
        let until = match held {
            None => i64::MIN,
            Some(Some(until)) if until <= micros(now) => until,
            Some(_) => continue,
        };
        if free.is_none_or(|(best, _)| until < best) {
            free = Some((until, number));
        }
    }
    let Some((_, number)) = free else {
        return Ok(None);
    };
    let lease = NumberLease {
        number: number.clone(),
        ..lease.clone()
    };
    put_lease(conn, &lease)?;
    Ok(Some(lease.number))
}

fn put_lease(conn: &Connection, l: &NumberLease) -> Result<()> {
    conn.execute(
        "INSERT OR REPLACE INTO number_lease (tenant, number, point, contact, until, body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            blob(l.tenant),
            l.number,
            blob(l.point),
            l.contact.map(blob),
            l.until.map(micros),
            text(l)
        ],
    )
    .map(|_| ())
    .map_err(failed)
}

/// Who a number is lent to or belongs to at the moment.
fn lease_of(
    conn: &Connection,
    tenant: TenantId,
    number: &str,
    now: Timestamp,
) -> Result<Option<NumberLease>> {
    let body: Option<String> = conn
        .query_row(
            "SELECT body FROM number_lease WHERE tenant = ?1 AND number = ?2
               AND (until IS NULL OR until > ?3)",
            params![blob(tenant), number, micros(now)],
            |r| r.get(0),
        )
        .optional()
        .map_err(failed)?;
    body.map(|b| read("a lent number", &b)).transpose()
}

/// The numbers of a point that are not free now.
fn leases(
    conn: &Connection,
    tenant: TenantId,
    point: PointId,
    now: Timestamp,
) -> Result<Vec<NumberLease>> {
    let mut statement = conn
        .prepare_cached(
            "SELECT body FROM number_lease WHERE tenant = ?1 AND point = ?2
               AND (until IS NULL OR until > ?3) ORDER BY number",
        )
        .map_err(failed)?;
    let bodies = statement
        .query_map(params![blob(tenant), blob(point), micros(now)], |r| {
            r.get::<_, String>(0)
        })
        .and_then(Iterator::collect::<rusqlite::Result<Vec<_>>>)
        .map_err(failed)?;
    bodies.iter().map(|b| read("a lent number", b)).collect()
}

/// Gives a number to an account for good.
///
/// # Errors
/// `Conflict` when it is lent or belongs to somebody.
fn assign(conn: &Connection, lease: &NumberLease, now: Timestamp) -> Result<()> {
    if lease_of(conn, lease.tenant, &lease.number, now)?.is_some() {
        return Err(StoreError::Conflict {
            kind: "point",
            field: "number",
            holder: "somebody else".into(),
        });
    }
    put_lease(conn, lease)
}

fn give_back(conn: &Connection, tenant: TenantId, number: &str) -> Result<()> {
    let gone = conn
        .execute(
            "DELETE FROM number_lease WHERE tenant = ?1 AND number = ?2",
            params![blob(tenant), number],
        )
        .map_err(failed)?;
    match gone {
        0 => Err(StoreError::NotFound {
            kind: "lent number",
            id: number.chars().take(32).collect(),
        }),
        _ => Ok(()),
    }
}

/// Forgets what is old.
pub(crate) fn sweep(conn: &Connection, now: Timestamp) -> Result<()> {
    let old = micros(now) - micros(Timestamp(0) + Duration::from_secs(CONTACT_DAYS_MAX * 86_400));
    for sql in [
        "DELETE FROM contact WHERE created_at < ?1",
        "DELETE FROM number_lease WHERE until < ?1",
    ] {
        conn.execute(sql, [old]).map_err(failed)?;
    }
    Ok(())
}

/// The tenant a point belongs to: the public side knows nothing but the point.
fn point(conn: &Connection, id: PointId) -> Result<Point> {
    let kind = crate::config::ConfigKind::Point.code();
    let found: Option<(String, [u8; 16])> = conn
        .prepare_cached(
            "SELECT cp_open(kind, id, body), tenant FROM config_row WHERE kind = ?1 AND id = ?2",
        )
        .and_then(|mut s| {
            s.query_row(params![kind, blob(id)], |r| Ok((r.get(0)?, r.get(1)?)))
                .optional()
        })
        .map_err(failed)?;
    match found {
        Some((body, tenant)) => {
            let point: Point = read("a point", &body)?;
            debug_assert_eq!(point.tenant, id_of(tenant));
            Ok(point)
        }
        None => Err(StoreError::NotFound {
            kind: "point",
            id: id.to_string(),
        }),
    }
}
