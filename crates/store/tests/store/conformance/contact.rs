//! What came by communication points, and the numbers lent to it.

use super::{Make, Setting};
use cp_store::*;
use cp_vocab::model::Destination;
use cp_vocab::*;
use std::time::Duration;

fn point(s: &mut Setting) -> Point {
    let point = Point {
        id: s.world.id(),
        tenant: s.world.tenant,
        name: "Shop".into(),
        kind: PointKind::Page,
        destination: Destination::Echo,
        modes: vec![Mode::Audio],
        now: vec![Mode::Audio],
        origins: vec![],
        fields: vec![],
        consent: String::new(),
        title: String::new(),
        numbers: vec![],
        number_ttl_s: 60,
        disabled: false,
    };
    let edit = Edit::new(
        s.world.tenant,
        cp_vocab::command::Actor::System,
        s.world.now,
    );
    s.store()
        .apply(edit, vec![Change::Create(point.clone().into())])
        .unwrap();
    point
}

fn contact(s: &mut Setting, point: PointId, kind: ContactKind, after_s: u64) -> Contact {
    let contact = Contact {
        id: s.world.id(),
        tenant: s.world.tenant,
        point,
        kind,
        state: ContactState::Open,
        created_at: s.world.now + Duration::from_secs(after_s),
        wanted: Some(Mode::Audio),
        mode: None,
        asked: None,
        name: Some(Pii("Ann".into())),
        number: None,
        reply_to: None,
        text: None,
        at: None,
        context: Pii(serde_json::json!({"url": "https://shop.example"})),
        interaction: None,
        agent: None,
        secret_hash: Pii([7; 32]),
    };
    let told = Event::ContactCame {
        contact: contact.id,
        point,
        what: "call".into(),
        mode: None,
    };
    s.store().contact_create(contact.clone(), told).unwrap();
    contact
}

pub(super) fn contacts_are_kept_listed_and_changed(make: Make) {
    let mut s = Setting::new(make);
    let point = point(&mut s);
    assert_eq!(s.store().point(point.id).unwrap(), point);
    let first = contact(&mut s, point.id, ContactKind::Callback, 0);
    let second = contact(&mut s, point.id, ContactKind::Message, 1);
    let (tenant, now) = (s.world.tenant, s.world.now);
    assert_eq!(s.store().contact(tenant, first.id).unwrap(), first);
    let other: TenantId = s.world.id();
    let foreign = s.store().contact(other, first.id).unwrap_err();
    assert!(matches!(foreign, StoreError::NotFound { .. }));
    let list = |s: &Setting, filter: ContactFilter| {
        let page = s.store().contacts(tenant, &filter, &PageRequest::first(10));
        let items = page.unwrap().items;
        items.into_iter().map(|c| c.id).collect::<Vec<_>>()
    };
    assert_eq!(list(&s, ContactFilter::default()).len(), 2);
    let callbacks = ContactFilter {
        kind: Some(ContactKind::Callback),
        state: Some(ContactState::Open),
        point: Some(point.id),
    };
    assert_eq!(list(&s, callbacks), [first.id]);
    let told = Event::ContactChanged {
        contact: first.id,
        state: "done".into(),
        mode: None,
        asked: None,
        asked_by_customer: false,
        interaction: None,
    };
    let change: ContactChange = Box::new(move |c| {
        c.state = ContactState::Done;
        Ok(Some(told))
    });
    let after = s.store().contact_change(tenant, first.id, now, change);
    assert_eq!(after.unwrap().state, ContactState::Done);
    assert_eq!(list(&s, callbacks), []);
    // One page at a time, newest first.
    let page = s
        .store()
        .contacts(tenant, &ContactFilter::default(), &PageRequest::first(1));
    let page = page.unwrap();
    assert_eq!(page.items[0].id, second.id.max(first.id));
    assert!(page.next.is_some());
    // Old ones are forgotten.
    let later = now + Duration::from_secs((cp_store::contact::CONTACT_DAYS_MAX + 1) * 86_400);
    s.store().sweep(later).unwrap();
    assert_eq!(list(&s, ContactFilter::default()), []);
}

pub(super) fn a_number_is_lent_once_at_a_time(make: Make) {
    let mut s = Setting::new(make);
    let point = point(&mut s);
    let contact = contact(&mut s, point.id, ContactKind::Call, 0);
    let (tenant, now) = (s.world.tenant, s.world.now);
    let pool = || vec!["+15550001".to_string(), "+15550002".to_string()];
    let lease = |until_s: u64| NumberLease {
        number: String::new(),
        tenant,
        point: point.id,
        contact: Some(contact.id),
        account: None,
        payment: None,
        until: Some(now + Duration::from_secs(until_s)),
    };
    let lend =
        |s: &Setting, until_s, at| s.store().number_lend(pool(), lease(until_s), at).unwrap();
    let first = lend(&s, 60, now).unwrap();
    let second = lend(&s, 90, now).unwrap();
    assert_ne!(first, second);
    assert_eq!(lend(&s, 60, now), None);
    let held = s
        .store()
        .number_lease(tenant, &first, now)
        .unwrap()
        .unwrap();
    assert_eq!(held.contact, Some(contact.id));
    assert_eq!(
        s.store()
            .number_leases(tenant, point.id, now)
            .unwrap()
            .len(),
        2
    );
    // Whose time ran out first is lent first.
    let later = now + Duration::from_secs(200);
    assert_eq!(s.store().number_lease(tenant, &first, later).unwrap(), None);
    assert_eq!(lend(&s, 400, later), Some(first.clone()));
    let account = NumberLease {
        number: second.clone(),
        account: Some(Pii("acme".into())),
        contact: None,
        until: None,
        ..lease(0)
    };
    s.store().number_assign(account.clone(), later).unwrap();
    let taken = s.store().number_assign(account, later).unwrap_err();
    assert!(matches!(taken, StoreError::Conflict { .. }));
    let years = later + Duration::from_secs(365 * 86_400);
    assert_eq!(lend(&s, 400_000_000, years), Some(first));
    assert_eq!(lend(&s, 400_000_000, years), None, "assigned for good");
    s.store().number_free(tenant, &second).unwrap();
    assert!(s.store().number_free(tenant, &second).is_err());
}
