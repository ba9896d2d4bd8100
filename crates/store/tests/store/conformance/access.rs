//! Who may come in, and repeated requests.

use super::{Make, Setting};
use cp_store::*;
use cp_vocab::*;
use std::time::Duration;

pub(super) fn users_sign_in(make: Make) {
    let mut s = Setting::new(make);
    let user = s.world.user_row("Ada@Example.org");
    s.store().create(s.world.edit(), user.clone()).unwrap();
    let found = s.store().users_by_login(" ada@example.ORG").unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].row, user);
    assert_eq!(s.store().users_by_login("bob").unwrap(), []);

    let now = s.world.now;
    let session = |s: &mut Setting, byte| Session {
        id: s.world.id(),
        tenant: s.world.tenant,
        user: user.id,
        token_hash: Pii([byte; 32]),
        created_at: now,
        seen_at: now,
        expires_at: now + Duration::from_secs(3_600),
        proved_at: now,
        origin: Origin::default(),
    };
    let a = session(&mut s, 1);
    let b = session(&mut s, 2);
    s.store().session_create(a.clone()).unwrap();
    s.store().session_create(b.clone()).unwrap();
    assert_eq!(
        s.store().session_create(b.clone()).unwrap_err().code(),
        "conflict"
    );
    let (seen, who) = s.store().session_by_token(&[1; 32], now).unwrap().unwrap();
    assert_eq!((seen, who), (a.clone(), user.clone()));
    let later = now + Duration::from_secs(61);
    s.store()
        .session_by_token(&[1; 32], later)
        .unwrap()
        .unwrap();
    let (seen, _) = s
        .store()
        .session_by_token(&[1; 32], later)
        .unwrap()
        .unwrap();
    assert_eq!(seen.seen_at, later);
    assert_eq!(s.store().session_by_token(&[9; 32], now).unwrap(), None);
    assert_eq!(
        s.store().session_by_token(&[1; 32], a.expires_at).unwrap(),
        None
    );
    s.store().session_end(s.world.tenant, a.id).unwrap();
    s.store().session_end(s.world.tenant, a.id).unwrap();
    assert_eq!(s.store().session_by_token(&[1; 32], now).unwrap(), None);

    let disabled = User {
        disabled: true,
        ..user.clone()
    };
    s.store().update(s.world.edit(), disabled, None).unwrap();
    assert_eq!(s.store().session_by_token(&[2; 32], now).unwrap(), None);
    s.store()
        .update(s.world.edit(), user.clone(), None)
        .unwrap();
    assert!(s.store().session_by_token(&[2; 32], now).unwrap().is_some());
    assert_eq!(
        s.store().sessions_end_of(s.world.tenant, user.id).unwrap(),
        1
    );
    let c = session(&mut s, 3);
    s.store().session_create(c).unwrap();
    s.store().sweep(now + Duration::from_secs(4_000)).unwrap();
    assert_eq!(s.store().session_by_token(&[3; 32], now).unwrap(), None);
    let d = session(&mut s, 4);
    s.store().session_create(d.clone()).unwrap();
    s.store().delete(s.world.edit(), user.id, None).unwrap();
    assert_eq!(s.store().session_by_token(&[4; 32], now).unwrap(), None);
    assert_eq!(s.store().session_create(d).unwrap_err().code(), "not_found");
}

pub(super) fn api_keys_expire(make: Make) {
    let mut s = Setting::new(make);
    let now = s.world.now;
    let key = ApiKey {
        scopes: Default::default(),
        id: s.world.id(),
        tenant: s.world.tenant,
        name: "crm".into(),
        secret_hash: Pii([7; 32]),
        roles: vec![Role::Supervisor],
        created_at: now,
        expires_at: Some(now + Duration::from_secs(10)),
    };
    s.store().create(s.world.edit(), key.clone()).unwrap();
    assert_eq!(
        s.store().api_key_by_hash(&[7; 32], now).unwrap(),
        Some(key.clone())
    );
    let late = now + Duration::from_secs(10);
    assert_eq!(s.store().api_key_by_hash(&[7; 32], late).unwrap(), None);
    assert_eq!(s.store().api_key_by_hash(&[8; 32], now).unwrap(), None);
    s.store().delete(s.world.edit(), key.id, None).unwrap();
    assert_eq!(s.store().api_key_by_hash(&[7; 32], now).unwrap(), None);
}

fn answer(body: &str) -> StoredResponse {
    StoredResponse {
        status: 201,
        content_type: "application/json".into(),
        body: body.as_bytes().to_vec(),
    }
}

pub(super) fn repeated_requests_get_the_first_answer(make: Make) {
    let s = Setting::new(make);
    let (tenant, now) = (s.world.tenant, s.world.now);
    let begin = |hash, at| s.store().idempotency_begin(tenant, "k1", &[hash; 32], at);
    assert_eq!(begin(1, now), Ok(Idempotency::New));
    assert_eq!(begin(1, now), Ok(Idempotency::InProgress));
    assert_eq!(begin(2, now), Err(StoreError::IdempotencyMismatch));
    s.store()
        .idempotency_finish(tenant, "k1", answer("{}"), now)
        .unwrap();
    assert_eq!(begin(1, now), Ok(Idempotency::Done(answer("{}"))));
    let other = TenantId::from_u128(3);
    assert_eq!(
        s.store().idempotency_begin(other, "k1", &[2; 32], now),
        Ok(Idempotency::New)
    );
    let tomorrow = now + Duration::from_secs(24 * 3_600);
    assert_eq!(begin(2, tomorrow), Ok(Idempotency::New));
    s.store().idempotency_abandon(tenant, "k1").unwrap();
    assert_eq!(begin(1, tomorrow), Ok(Idempotency::New));
    assert!(
        s.store()
            .idempotency_finish(tenant, "k2", answer(""), now)
            .is_err()
    );
    for key in ["", &"k".repeat(256)] {
        let refused = s.store().idempotency_begin(tenant, key, &[1; 32], now);
        assert_eq!(refused.unwrap_err().code(), "invalid");
    }
    let long = answer(&"x".repeat(auth::RESPONSE_BYTES_MAX + 1));
    let refused = s.store().idempotency_finish(tenant, "k1", long, now);
    assert_eq!(refused.unwrap_err().code(), "invalid");
}

pub(super) fn an_edit_keeps_its_answer(make: Make) {
    let mut s = Setting::new(make);
    let queue = s.world.queue_row("Sales");
    let mut edit = s.world.edit();
    edit.idempotency = Some(Idempotent {
        key: "k".into(),
        request_hash: [1; 32],
        response: answer("made"),
    });
    // A refused edit keeps nothing.
    let mut bad = queue.clone();
    bad.name.clear();
    assert!(s.store().create(edit.clone(), bad).is_err());
    s.store().create(edit.clone(), queue.clone()).unwrap();
    let repeated = s.store().create(edit.clone(), queue.clone());
    assert_eq!(
        repeated,
        Err(StoreError::AlreadyDone(Box::new(answer("made"))))
    );
    if let Some(i) = &mut edit.idempotency {
        i.request_hash = [2; 32];
    }
    assert_eq!(
        s.store().create(edit, queue),
        Err(StoreError::IdempotencyMismatch)
    );
}
