//! Secrets at rest and the audit chain, with hands in the database.

use crate::support::*;
use cp_store::*;
use cp_vocab::command::Actor;
use cp_vocab::model::*;
use cp_vocab::net::Transport;
use cp_vocab::*;
use rusqlite::Connection;
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

const CANARIES: [&str; 6] = [
    "canary-ha1-md5",
    "canary-trunk-password",
    "canary-webhook-secret",
    "canary-client-secret",
    "canary-totp-seed",
    "canary-password-hash",
];

fn vault(keys: &[&str]) -> Arc<Vault> {
    Arc::new(Vault::parse(&keys.join("\n")).unwrap())
}

fn open_with(dir: &TempDir, vault: Option<Arc<Vault>>) -> Result<Arc<SqliteStore>> {
    let options = Options {
        vault,
        ..options(dir)
    };
    SqliteStore::open(&options).map(Arc::new)
}

fn plant(store: &dyn Store, w: &mut World) -> UserId {
    let edit = |w: &World| w.edit();
    let made = |row: ConfigRow| vec![Change::Create(row)];
    store.apply(edit(w), made(w.tenant_row().into())).unwrap();
    let phone = Phone {
        ha1_md5: Pii(CANARIES[0].into()),
        ..w.phone_row("100")
    };
    let trunk = Trunk {
        id: w.id(),
        tenant: w.tenant,
        name: "Carrier".into(),
        auth: TrunkAuth::Tls { name: "c".into() },
        host: String::new(),
        transport: Transport::Udp,
        user: String::new(),
        password: Pii(CANARIES[1].into()),
        register: false,
        rules: Default::default(),
        codecs: vec![],
        health_interval_s: 0,
        channels_max: 0,
        srtp: false,
        dial_prefixes: vec![],
        identity: Default::default(),
        may_dial_out: false,
    };
    let webhook = Webhook {
        id: w.id(),
        tenant: w.tenant,
        url: "https://example.com".into(),
        secret: Pii(CANARIES[2].into()),
        events: vec![],
        disabled: false,
    };
    let provider = IdentityProvider {
        id: w.id(),
        tenant: w.tenant,
        name: "Company".into(),
        issuer: "https://login.example.com".into(),
        client_id: "crosspoint".into(),
        client_secret: Pii(CANARIES[3].into()),
        scopes: vec![],
        login_claim: "email".into(),
        roles_claim: String::new(),
        role_rules: vec![],
        default_roles: vec![],
        provision: false,
        link_by_login: false,
        disabled: false,
    };
    let user = User {
        password_hash: Pii(CANARIES[5].into()),
        ..w.user_row("ann")
    };
    let id = user.id;
    for row in [
        phone.into(),
        trunk.into(),
        webhook.into(),
        provider.into(),
        user.into(),
    ] {
        store.apply(edit(w), made(row)).unwrap();
    }
    let totp = Factor {
        id: w.id(),
        tenant: w.tenant,
        user: id,
        kind: FactorKind::Totp,
        key: vec![1],
        mark: 0,
        created_at: w.now,
        used_at: None,
        body: json!({ "seed": CANARIES[4] }),
    };
    store.factors_add(vec![totp]).unwrap();
    id
}

/// The canaries that lie open in any file of the database.
fn open_canaries(folder: &Path) -> Vec<&'static str> {
    let mut bytes = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        bytes.extend(std::fs::read(entry.unwrap().path()).unwrap());
    }
    let lies = |c: &&str| bytes.windows(c.len()).any(|w| w == c.as_bytes());
    CANARIES.into_iter().filter(lies).collect()
}

#[test]
fn no_secret_lies_open_in_the_files() {
    let dir = tempfile::tempdir().unwrap();
    let key = Vault::new_key().unwrap();
    let mut w = World::new(1);
    let store = open_with(&dir, Some(vault(&[&key]))).unwrap();
    let user = plant(store.as_ref(), &mut w);
    assert_eq!(open_canaries(dir.path()), Vec::<&str>::new());
    drop(store);
    assert_eq!(open_canaries(dir.path()), Vec::<&str>::new());
    // Everything is there again after a restart.
    let store = open_with(&dir, Some(vault(&[&key]))).unwrap();
    let snapshot = store.snapshot().unwrap();
    assert_eq!(snapshot.phones[0].ha1_md5.expose(), CANARIES[0]);
    assert_eq!(snapshot.trunks[0].password.expose(), CANARIES[1]);
    let totp = store.factors_of(w.tenant, user).unwrap();
    assert_eq!(totp[0].body["seed"], CANARIES[4]);
    // Nor does the audit log tell them.
    let audit = store.audit(w.tenant, &AuditFilter::default(), &PageRequest::first(100));
    let told = format!("{:?}", audit.unwrap());
    assert!(CANARIES.iter().all(|c| !told.contains(c)), "{told}");
}

#[test]
fn what_lay_open_is_sealed_at_the_next_start_with_a_key() {
    let dir = tempfile::tempdir().unwrap();
    let mut w = World::new(1);
    let store = open_with(&dir, None).unwrap();
    plant(store.as_ref(), &mut w);
    drop(store);
    assert_eq!(open_canaries(dir.path()).len(), CANARIES.len());
    let store = open_with(&dir, Some(vault(&[&Vault::new_key().unwrap()]))).unwrap();
    assert!(!store.secrets_census().unwrap().contains_key(""));
    assert_eq!(
        store.snapshot().unwrap().trunks[0].password.expose(),
        CANARIES[1]
    );
}

#[test]
fn keys_are_replaced_and_a_missing_one_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let (old, new) = (Vault::new_key().unwrap(), Vault::new_key().unwrap());
    let mut w = World::new(1);
    let store = open_with(&dir, Some(vault(&[&old]))).unwrap();
    plant(store.as_ref(), &mut w);
    drop(store);
    for wrong in [None, Some(vault(&[&new]))] {
        let Err(refused) = open_with(&dir, wrong) else {
            panic!("opened without its key");
        };
        assert_eq!(refused.code(), "store_key_missing");
        assert!(
            refused.to_string().contains("secrets.key_file"),
            "{refused}"
        );
    }
    let both = vault(&[&new, &old]);
    let store = open_with(&dir, Some(both.clone())).unwrap();
    assert!(store.rotate_secrets().unwrap() >= 7);
    assert_eq!(store.rotate_secrets().unwrap(), 0);
    let census = store.secrets_census().unwrap();
    assert_eq!(census.keys().collect::<Vec<_>>(), [both.active()]);
    drop(store);
    // The old one is not needed any more, for the audit chain neither.
    let store = open_with(&dir, Some(vault(&[&new]))).unwrap();
    assert_eq!(
        store.snapshot().unwrap().trunks[0].password.expose(),
        CANARIES[1]
    );
    assert_eq!(store.audit_verify(w.tenant).unwrap().fault, None);
}

#[test]
fn a_sealed_body_moved_to_another_row_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let key = Vault::new_key().unwrap();
    let mut w = World::new(1);
    let store = open_with(&dir, Some(vault(&[&key]))).unwrap();
    store.create(w.edit(), w.tenant_row()).unwrap();
    let (mine, theirs) = (w.user_row("mine"), w.user_row("theirs"));
    store.create(w.edit(), mine.clone()).unwrap();
    store.create(w.edit(), theirs.clone()).unwrap();
    let path = options(&dir).path;
    drop(store);
    let hand = Connection::open(&path).unwrap();
    let copied =
        "UPDATE config_row SET body = (SELECT body FROM config_row WHERE id = ?1) WHERE id = ?2";
    use cp_vocab::id::TypedId;
    let raw = |id: UserId| id.as_u128().to_be_bytes();
    assert_eq!(
        hand.execute(copied, [raw(mine.id), raw(theirs.id)])
            .unwrap(),
        1
    );
    drop(hand);
    let store = open_with(&dir, Some(vault(&[&key]))).unwrap();
    assert!(store.get::<User>(w.tenant, mine.id).is_ok());
    assert!(store.get::<User>(w.tenant, theirs.id).is_err());
}

fn chain(store: &dyn Store, w: &mut World, entries: u64) {
    for i in 0..entries {
        let entry = AuditEntry {
            tenant: w.tenant,
            at: w.later(1_000),
            actor: Actor::System,
            action: if i % 2 == 0 {
                "sessions.opened"
            } else {
                "queue.updated"
            }
            .into(),
            target: format!("row {i}"),
            address: "192.0.2.1".into(),
            detail: json!({ "i": i }),
        };
        store.audit_append(entry).unwrap();
    }
}

#[test]
fn tampering_with_the_audit_log_is_found() {
    let key = Vault::new_key().unwrap();
    type Expected = fn(&AuditFault) -> bool;
    let table: [(&str, Expected); 8] = [
        (
            "UPDATE audit SET detail = '{\"i\":99}' WHERE seq = 3",
            |f| *f == AuditFault::Changed(3),
        ),
        (
            "UPDATE audit SET actor = '{\"kind\":\"system\" }' WHERE seq = 1",
            |f| *f == AuditFault::Changed(1),
        ),
        ("UPDATE audit SET at = at + 1 WHERE seq = 5", |f| {
            *f == AuditFault::Changed(5)
        }),
        ("DELETE FROM audit WHERE seq = 4", |f| {
            *f == AuditFault::Missing(4)
        }),
        ("DELETE FROM audit WHERE seq = 10", |f| {
            *f == AuditFault::Cut(9)
        }),
        ("DELETE FROM audit", |f| *f == AuditFault::Cut(0)),
        // Two entries change places, numbers and all.
        (
            "UPDATE audit SET seq = -seq WHERE seq IN (6, 7); UPDATE audit SET seq = 13 + seq WHERE seq < 0",
            |f| *f == AuditFault::Changed(6),
        ),
        // The end is cut off and the head written anew, as well as that goes without the key.
        (
            "DELETE FROM audit WHERE seq > 8; UPDATE audit_head SET seq = 8, hash = (SELECT hash FROM audit WHERE seq = 8)",
            |f| *f == AuditFault::Forged,
        ),
    ];
    for (sql, expected) in table {
        let dir = tempfile::tempdir().unwrap();
        let mut w = World::new(1);
        let store = open_with(&dir, Some(vault(&[&key]))).unwrap();
        chain(store.as_ref(), &mut w, 10);
        let sound = store.audit_verify(w.tenant).unwrap();
        assert_eq!((sound.entries, sound.fault), (10, None));
        let hand = Connection::open(options(&dir).path).unwrap();
        hand.execute_batch(sql).unwrap();
        drop(hand);
        let verdict = store.audit_verify(w.tenant).unwrap();
        assert!(
            verdict.fault.as_ref().is_some_and(expected),
            "{sql}: {verdict:?}"
        );
        assert_eq!(store.audit_tenants().unwrap(), [w.tenant], "{sql}");
    }
}

#[test]
fn what_was_done_to_a_log_is_not_hidden_by_what_is_written_after() {
    let key = Vault::new_key().unwrap();
    let table = [
        // Taken away whole; begun anew; cut with the end written anew; the mark taken off.
        (
            "DELETE FROM audit; DELETE FROM audit_head",
            0,
            AuditFault::Begun,
        ),
        (
            "DELETE FROM audit; DELETE FROM audit_head",
            3,
            AuditFault::Begun,
        ),
        ("DELETE FROM audit_head", 3, AuditFault::Forged),
        (
            "DELETE FROM audit WHERE seq > 8; UPDATE audit_head SET seq = 8, hash = (SELECT hash FROM audit WHERE seq = 8)",
            3,
            AuditFault::Forged,
        ),
        ("UPDATE audit_head SET mark = ''", 3, AuditFault::Forged),
    ];
    for (sql, more, fault) in table {
        let dir = tempfile::tempdir().unwrap();
        let mut w = World::new(1);
        let store = open_with(&dir, Some(vault(&[&key]))).unwrap();
        store.create(w.edit(), w.tenant_row()).unwrap();
        chain(store.as_ref(), &mut w, 10);
        assert_eq!(store.audit_verify(w.tenant).unwrap().fault, None);
        let hand = Connection::open(options(&dir).path).unwrap();
        hand.execute_batch(sql).unwrap();
        drop(hand);
        chain(store.as_ref(), &mut w, more);
        // Nor by another key.
        drop(store);
        let new = Vault::new_key().unwrap();
        let store = open_with(&dir, Some(vault(&[&new, &key]))).unwrap();
        store.rotate_secrets().unwrap();
        let verdict = store.audit_verify(w.tenant).unwrap();
        assert_eq!(store.audit_tenants().unwrap(), [w.tenant], "{sql}");
        assert_eq!(verdict.fault, Some(fault), "{sql}");
    }
}

#[test]
fn the_audit_log_is_filtered_and_paged() {
    let dir = tempfile::tempdir().unwrap();
    let mut w = World::new(1);
    let store = open_with(&dir, None).unwrap();
    chain(store.as_ref(), &mut w, 7);
    let all = AuditFilter::default();
    let first = store.audit(w.tenant, &all, &PageRequest::first(5)).unwrap();
    let numbers: Vec<u64> = first.items.iter().map(|r| r.seq).collect();
    assert_eq!(numbers, [7, 6, 5, 4, 3]);
    let rest = PageRequest {
        after: first.next,
        limit: 5,
    };
    assert_eq!(store.audit(w.tenant, &all, &rest).unwrap().items.len(), 2);
    let by = |filter| {
        store
            .audit(w.tenant, &filter, &PageRequest::first(50))
            .unwrap()
            .items
            .len()
    };
    assert_eq!(
        by(AuditFilter {
            action: Some("sessions.*".into()),
            ..all.clone()
        }),
        4
    );
    assert_eq!(
        by(AuditFilter {
            action: Some("queue.updated".into()),
            ..all.clone()
        }),
        3
    );
    assert_eq!(
        by(AuditFilter {
            target: Some("row 2".into()),
            ..all.clone()
        }),
        1
    );
    assert_eq!(
        by(AuditFilter {
            actor: Some("system".into()),
            ..all.clone()
        }),
        7
    );
    assert_eq!(
        by(AuditFilter {
            until: Some(Timestamp::ZERO),
            ..all.clone()
        }),
        0
    );
    // Another tenant has a chain of its own.
    let other: TenantId = w.id();
    assert_eq!(
        store
            .audit(other, &all, &PageRequest::first(5))
            .unwrap()
            .items
            .len(),
        0
    );
    assert_eq!(store.audit_verify(other).unwrap().entries, 0);
}

#[test]
fn a_code_is_used_once_and_a_key_belongs_to_one() {
    let dir = tempfile::tempdir().unwrap();
    let mut w = World::new(1);
    let store = open_with(&dir, None).unwrap();
    let user = plant(store.as_ref(), &mut w);
    let credential = store.factors_of(w.tenant, user).unwrap().remove(0);
    assert!(store.factor_used(credential.id, 0, 7, w.now).unwrap());
    assert!(!store.factor_used(credential.id, 0, 7, w.now).unwrap());
    assert!(!store.factor_used(credential.id, 6, 8, w.now).unwrap());
    let twin = Factor {
        id: w.id(),
        ..credential.clone()
    };
    assert_eq!(
        store.factors_add(vec![twin]).unwrap_err().code(),
        "conflict"
    );
    let found = store.factor_by_key(FactorKind::Totp, &[1]).unwrap();
    assert_eq!(found.map(|c| (c.mark, c.used_at)), Some((7, Some(w.now))));
    let other: TenantId = w.id();
    assert!(!store.factor_remove(other, credential.id).unwrap());
    assert!(store.factor_remove(w.tenant, credential.id).unwrap());
    assert!(!store.factor_remove(w.tenant, credential.id).unwrap());
}

#[test]
fn a_suspended_tenants_numbers_and_phones_are_gone_for_the_engine() {
    let dir = tempfile::tempdir().unwrap();
    let mut w = World::new(1);
    let store = open_with(&dir, None).unwrap();
    plant(store.as_ref(), &mut w);
    assert_eq!(store.snapshot().unwrap().phones.len(), 1);
    let suspend = |suspended| {
        let row = Tenant {
            suspended,
            ..w.tenant_row()
        };
        store.update(w.edit(), row, None).unwrap();
        let s = store.snapshot().unwrap();
        (s.phones.len(), s.trunks.len(), s.tenants.len())
    };
    assert_eq!(suspend(true), (0, 0, 1));
    assert_eq!(suspend(false), (1, 1, 1));
}
