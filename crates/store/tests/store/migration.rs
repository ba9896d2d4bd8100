//! Databases of earlier releases become ones of this; later ones are refused. The fixtures are
//! frozen dumps: when a schema step is released, its dump is added and never changed.

use crate::support::*;
use cp_store::*;
use cp_vocab::*;
use rusqlite::Connection;

/// What each earlier schema looked like with rows in it.
const FIXTURES: &[(u32, &str)] = &[
    (1, include_str!("fixtures/v1.sql")),
    (2, include_str!("fixtures/v2.sql")),
    (3, include_str!("fixtures/v3.sql")),
];
/// The newest schema that anybody outside has: later steps need a fixture when they are released.
const RELEASED: u32 = 3;

const INTERACTION: &str = "int_01HF7YAT000000000000000001";
const TENANT: &str = "ten_01HF7YAT000000000000000002";

fn schema(path: &std::path::Path) -> Vec<(String, Option<String>)> {
    let conn = Connection::open(path).unwrap();
    let mut statement = conn
        .prepare("SELECT name, sql FROM sqlite_schema ORDER BY name")
        .unwrap();
    let rows = statement.query_map([], |r| Ok((r.get(0)?, r.get(1)?)));
    rows.unwrap().map(Result::unwrap).collect()
}

#[test]
fn every_earlier_schema_is_brought_up_with_its_rows() {
    let fresh = tempfile::tempdir().unwrap();
    drop(open(&fresh));
    let want = schema(&options(&fresh).path);
    for (version, dump) in FIXTURES {
        let dir = tempfile::tempdir().unwrap();
        let path = options(&dir).path;
        Connection::open(&path)
            .unwrap()
            .execute_batch(dump)
            .unwrap();
        let store = open(&dir);
        // The log was kept, and what is derived from it was made.
        let interaction: InteractionId = INTERACTION.parse().unwrap();
        let tenant: TenantId = TENANT.parse().unwrap();
        let records = store.replay(interaction).unwrap();
        assert_eq!(records.len(), 3, "from schema {version}");
        let row = store.interaction(tenant, interaction).unwrap();
        assert_eq!(row.state, InteractionState::Ended);
        assert_eq!(row.from.expose().user(), "+4930123456");
        assert_eq!(row.talk_ms, 2_000);
        assert_eq!(store.open_interactions().unwrap(), []);
        if *version >= 2 {
            let snapshot = store.snapshot().unwrap();
            assert_eq!(snapshot.version, 1);
            assert_eq!(snapshot.tenants[0].id, tenant);
        }
        assert_eq!(store.verify().unwrap(), Vec::<String>::new());
        drop(store);
        assert_eq!(schema(&path), want, "from schema {version}");
        // And once more: nothing to do.
        assert_eq!(open(&dir).replay(interaction).unwrap(), records);
    }
}

#[test]
fn a_fixture_stands_for_every_released_schema() {
    let known: Vec<u32> = FIXTURES.iter().map(|(v, _)| *v).collect();
    assert_eq!(known, (1..=RELEASED).collect::<Vec<_>>());
}

#[test]
fn a_later_schema_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(&dir));
    let path = options(&dir).path;
    let conn = Connection::open(&path).unwrap();
    let known: u32 = conn
        .pragma_query_value(None, "user_version", |r| r.get(0))
        .unwrap();
    assert!(known >= RELEASED, "steps are never taken back");
    conn.pragma_update(None, "user_version", 99).unwrap();
    drop(conn);
    let before = schema(&path);
    let Err(refused) = SqliteStore::open(&options(&dir)) else {
        panic!("opened a later database");
    };
    assert_eq!(refused, StoreError::Newer { found: 99, known });
    assert!(
        refused.to_string().contains("run the newer release"),
        "{refused}"
    );
    assert_eq!(schema(&path), before);
}

#[test]
fn a_step_that_fails_leaves_the_step_before() {
    let dir = tempfile::tempdir().unwrap();
    let path = options(&dir).path;
    let conn = Connection::open(&path).unwrap();
    conn.execute_batch(FIXTURES[0].1).unwrap();
    // In the way of the second step's last table.
    conn.execute_batch("CREATE TABLE idempotency (x)").unwrap();
    drop(conn);
    assert!(SqliteStore::open(&options(&dir)).is_err());
    let conn = Connection::open(&path).unwrap();
    let version: u32 = conn
        .pragma_query_value(None, "user_version", |r| r.get(0))
        .unwrap();
    assert_eq!(version, 1);
    let made: bool = conn
        .query_row(
            "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'config_row')",
            [],
            |r| r.get(0),
        )
        .unwrap();
    assert!(!made);
    conn.execute_batch("DROP TABLE idempotency").unwrap();
    drop(conn);
    assert!(open(&dir).health().is_ok());
}
