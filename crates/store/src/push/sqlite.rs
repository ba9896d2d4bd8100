//! Push subscriptions in SQLite.

use super::{PUSH_SUBSCRIPTIONS_MAX, PushRow, PushStore};
use crate::error::Result;
use crate::log::codec::{blob, id, micros, time};
use crate::sqlite::SqliteStore;
use crate::sqlite::connect::failed;
use cp_vocab::{Pii, PushId, TenantId, UserId};
use rusqlite::{Connection, params};

impl PushStore for SqliteStore {
    fn push_subscribe(&self, row: PushRow) -> Result<()> {
        self.write(move |tx| subscribe(tx.conn, &row))
    }

    fn push_subscriptions(&self, tenant: TenantId, user: UserId) -> Result<Vec<PushRow>> {
        self.readers.with(|c| of(c, tenant, user))
    }

    fn push_unsubscribe(&self, tenant: TenantId, user: UserId, push: PushId) -> Result<bool> {
        self.write(move |tx| {
            tx.conn
                .execute(
                    "DELETE FROM push_subscription WHERE id = ?1 AND user = ?2 AND tenant = ?3",
                    params![blob(push), blob(user), blob(tenant)],
                )
                .map(|n| n > 0)
                .map_err(failed)
        })
    }

    fn push_users(&self) -> Result<Vec<(TenantId, UserId)>> {
        self.readers.with(users)
    }

    fn push_gone(&self, push: PushId) -> Result<()> {
        self.write(move |tx| {
            tx.conn
                .execute("DELETE FROM push_subscription WHERE id = ?1", [blob(push)])
                .map(|_| ())
                .map_err(failed)
        })
    }
}

fn users(conn: &Connection) -> Result<Vec<(TenantId, UserId)>> {
    let mut statement = conn
        .prepare_cached("SELECT DISTINCT tenant, user FROM push_subscription")
        .map_err(failed)?;
    let rows = statement
        .query_map([], |r| Ok((id(r.get(0)?), id(r.get(1)?))))
        .map_err(failed)?;
    rows.collect::<rusqlite::Result<_>>().map_err(failed)
}

fn subscribe(conn: &Connection, row: &PushRow) -> Result<()> {
    let endpoint = row.endpoint.expose();
    conn.execute(
        "DELETE FROM push_subscription WHERE endpoint = ?1",
        [endpoint],
    )
    .map_err(failed)?;
    conn.execute(
        "INSERT INTO push_subscription (id, tenant, user, endpoint, p256dh, auth, label, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, cp_seal(4000, ?1, ?6), ?7, ?8)",
        params![
            blob(row.id),
            blob(row.tenant),
            blob(row.user),
            endpoint,
            row.p256dh.expose(),
            row.auth.expose(),
            row.label,
            micros(row.created_at),
        ],
    )
    .map_err(failed)?;
    conn.execute(
        "DELETE FROM push_subscription WHERE id IN (
             SELECT id FROM push_subscription WHERE user = ?1
             ORDER BY created_at DESC, id DESC LIMIT -1 OFFSET ?2)",
        params![blob(row.user), PUSH_SUBSCRIPTIONS_MAX as i64],
    )
    .map(|_| ())
    .map_err(failed)
}

fn of(conn: &Connection, tenant: TenantId, user: UserId) -> Result<Vec<PushRow>> {
    let mut statement = conn
        .prepare_cached(
            "SELECT id, endpoint, p256dh, cp_open(4000, id, auth), label, created_at FROM push_subscription
             WHERE tenant = ?1 AND user = ?2 ORDER BY created_at, id",
        )
        .map_err(failed)?;
    let rows = statement
        .query_map(params![blob(tenant), blob(user)], |r| {
            Ok(PushRow {
                id: id(r.get(0)?),
                tenant,
                user,
                endpoint: Pii(r.get(1)?),
                p256dh: Pii(r.get(2)?),
                auth: Pii(r.get(3)?),
                label: r.get(4)?,
                created_at: time(r.get(5)?),
            })
        })
        .map_err(failed)?;
    rows.collect::<rusqlite::Result<_>>().map_err(failed)
}
