//! Bytes of pictures, and what was given out of incentives (S3.1).

use crate::error::Result;
use crate::log::codec::{blob, micros};
use crate::sqlite::SqliteStore;
use crate::sqlite::connect::failed;
use cp_vocab::{BrandId, Event, EventRecord, InteractionId};
use rusqlite::{Connection, OptionalExtension, params};

/// The part of [`crate::Store`] that keeps what brands show and give.
pub trait BrandStore: Send + Sync {
    /// Keeps bytes under their digest; the same again is kept once.
    fn picture_keep(&self, digest: &str, bytes: Vec<u8>) -> Result<()>;

    /// The bytes of a digest.
    fn picture_bytes(&self, digest: &str) -> Result<Option<Vec<u8>>>;

    /// How many of a brand's incentives were given out.
    fn incentives_used(&self, brand: BrandId) -> Result<u64>;
}

impl BrandStore for SqliteStore {
    fn picture_keep(&self, digest: &str, bytes: Vec<u8>) -> Result<()> {
        let digest = digest.to_string();
        self.write(move |tx| {
            tx.conn
                .execute(
                    "INSERT INTO picture (digest, bytes) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
                    params![digest, bytes],
                )
                .map(|_| ())
                .map_err(failed)
        })
    }

    fn picture_bytes(&self, digest: &str) -> Result<Option<Vec<u8>>> {
        self.readers.with(|c| {
            c.prepare_cached("SELECT bytes FROM picture WHERE digest = ?1")
                .and_then(|mut s| s.query_row([digest], |r| r.get(0)).optional())
                .map_err(failed)
        })
    }

    fn incentives_used(&self, brand: BrandId) -> Result<u64> {
        self.readers.with(|c| {
            c.prepare_cached("SELECT count(*) FROM incentive_use WHERE brand = ?1")
                .and_then(|mut s| s.query_row([blob(brand)], |r| r.get::<_, i64>(0)))
                .map(|n| n as u64)
                .map_err(failed)
        })
    }
}

/// What a call of ours gave: in the transaction of the event that tells it, once for a call.
pub(crate) fn given(conn: &Connection, record: &EventRecord, id: InteractionId) -> Result<()> {
    let Event::CardIncentiveGiven {
        brand: Some(brand), ..
    } = &record.event
    else {
        return Ok(());
    };
    conn.prepare_cached(
        "INSERT INTO incentive_use (brand, interaction, tenant, at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO NOTHING",
    )
    .and_then(|mut s| {
        s.execute(params![
            blob(*brand),
            blob(id),
            blob(record.tenant),
            micros(record.at)
        ])
    })
    .map(|_| ())
    .map_err(failed)
}
