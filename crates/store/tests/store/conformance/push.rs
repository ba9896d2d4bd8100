//! Browsers that are reached by Web Push.

use super::{Make, Setting};
use cp_store::*;
use cp_vocab::*;
use std::time::Duration;

fn row(s: &mut Setting, user: UserId, n: u64) -> PushRow {
    PushRow {
        id: s.world.id(),
        tenant: s.world.tenant,
        user,
        endpoint: Pii(format!("https://push.example.net/{n}")),
        p256dh: Pii("key".into()),
        auth: Pii("auth".into()),
        label: format!("browser {n}"),
        created_at: s.world.now + Duration::from_secs(n),
    }
}

pub(super) fn a_browser_belongs_to_who_subscribed_last(make: Make) {
    let mut s = Setting::new(make);
    let (ada, bob): (UserId, UserId) = (s.world.id(), s.world.id());
    let first = row(&mut s, ada, 1);
    s.store().push_subscribe(first.clone()).unwrap();
    let tenant = s.world.tenant;
    let of = |s: &Setting, user| s.store().push_subscriptions(tenant, user).unwrap();
    assert_eq!(of(&s, ada), vec![first]);
    assert_eq!(of(&s, bob), []);
    let other: TenantId = s.world.id();
    assert_eq!(s.store().push_subscriptions(other, ada).unwrap(), []);

    let again = row(&mut s, bob, 1);
    s.store().push_subscribe(again.clone()).unwrap();
    assert_eq!(of(&s, ada), []);
    assert_eq!(of(&s, bob), vec![again.clone()]);

    assert!(!s.store().push_unsubscribe(tenant, ada, again.id).unwrap());
    assert!(s.store().push_unsubscribe(tenant, bob, again.id).unwrap());
    assert_eq!(of(&s, bob), []);
}

pub(super) fn the_oldest_browser_makes_room(make: Make) {
    let mut s = Setting::new(make);
    let ada: UserId = s.world.id();
    let rows: Vec<PushRow> = (0..=PUSH_SUBSCRIPTIONS_MAX as u64)
        .map(|n| row(&mut s, ada, n))
        .collect();
    for row in &rows {
        s.store().push_subscribe(row.clone()).unwrap();
    }
    let tenant = s.world.tenant;
    assert_eq!(
        s.store().push_subscriptions(tenant, ada).unwrap(),
        rows[1..]
    );
    s.store().push_gone(rows[3].id).unwrap();
    let left = s.store().push_subscriptions(tenant, ada).unwrap();
    assert_eq!(left.len(), PUSH_SUBSCRIPTIONS_MAX - 1);
    assert!(left.iter().all(|r| r.id != rows[3].id));
}
