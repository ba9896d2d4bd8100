//! The configuration.

use super::{Make, Setting};
use crate::support::*;
use cp_store::*;
use cp_vocab::command::Actor;
use cp_vocab::event::*;
use cp_vocab::model::*;
use cp_vocab::refusal::{Code, Refusal};
use cp_vocab::*;
use std::sync::Arc;

pub(super) fn configuration_rows_have_versions(make: Make) {
    let mut s = Setting::new(make);
    let tenant = s.world.tenant;
    let mut queue = s.queue.clone();
    let made = s.store().get::<Queue>(tenant, queue.id).unwrap();
    assert_eq!((made.version, &made.row), (Version(1), &queue));
    assert_eq!(made.created_at, s.world.now);

    queue.priority = 5;
    let later = s.world.later(1_000);
    let v2 = s
        .store()
        .update(s.world.edit(), queue.clone(), Some(Version(1)))
        .unwrap();
    assert_eq!(v2, Version(2));
    let stale = s
        .store()
        .update(s.world.edit(), queue.clone(), Some(Version(1)))
        .unwrap_err();
    assert_eq!(
        stale,
        StoreError::VersionMismatch {
            current: Version(2),
            expected: Version(1)
        }
    );
    assert_eq!(Refusal::from(stale).code, Code::PreconditionFailed);
    let got = s.store().get::<Queue>(tenant, queue.id).unwrap();
    assert_eq!((got.row.priority, got.updated_at), (5, later));
    assert!(got.created_at < got.updated_at);

    let last = s.store().follow(s.store().head().unwrap() - 1, 1).unwrap();
    assert_eq!(
        last[0].1.event,
        Event::ConfigurationChanged {
            by: Actor::System,
            what: "queue.updated".into(),
            id: queue.id.to_string()
        }
    );

    assert!(
        s.store()
            .delete(s.world.edit(), queue.id, Some(Version(1)))
            .is_err()
    );
    s.store()
        .delete(s.world.edit(), queue.id, Some(Version(2)))
        .unwrap();
    let gone = s.store().get::<Queue>(tenant, queue.id).unwrap_err();
    assert_eq!(gone.code(), "not_found");
    let gone = s.store().delete(s.world.edit(), queue.id, None);
    assert_eq!(gone.unwrap_err().code(), "not_found");
    let gone = s.store().update(s.world.edit(), queue, None);
    assert_eq!(gone.unwrap_err().code(), "not_found");
}

pub(super) fn unique_texts_are_kept_unique(make: Make) {
    let mut s = Setting::new(make);
    let edit = s.world.edit();
    let phone = s.world.phone_row("200");
    s.store().create(edit.clone(), phone.clone()).unwrap();
    let twin = s.world.phone_row("200");
    assert_eq!(
        s.store().create(edit.clone(), twin.clone()),
        Err(StoreError::Conflict {
            kind: "phone",
            field: "user",
            holder: phone.id.to_string()
        })
    );
    let again = s.store().create(edit.clone(), phone.clone());
    assert_eq!(again.unwrap_err().code(), "conflict");
    // The text is free once its holder has another one, or is gone.
    let moved = Phone {
        user: "201".into(),
        ..phone.clone()
    };
    s.store().update(edit.clone(), moved, None).unwrap();
    s.store().create(edit.clone(), twin.clone()).unwrap();
    s.store().delete(edit.clone(), twin.id, None).unwrap();
    s.store().update(edit.clone(), phone, None).unwrap();
    // Names differ by more than case.
    let queue = s.world.queue_row(" support ");
    let taken = s.store().create(edit.clone(), queue).unwrap_err();
    assert_eq!(taken.code(), "conflict");
    let nameless = s.world.queue_row("  ");
    let refused = s.store().create(edit.clone(), nameless).unwrap_err();
    assert_eq!(refused.code(), "invalid");
    let endless = s.world.queue_row(&"x".repeat(5_000));
    let refused = s.store().create(edit, endless).unwrap_err();
    assert_eq!(refused.code(), "invalid");
}

pub(super) fn named_rows_must_exist(make: Make) {
    let mut s = Setting::new(make);
    let edit = s.world.edit();
    let number = |destination| Number {
        id: NumberId::from_u128(77),
        tenant: s.world.tenant,
        number: "+18005550100".into(),
        name: "Main".into(),
        destination,
        public: true,
        keep_identity: None,
    };
    let missing = QueueId::from_u128(5);
    let menu = |queue| Destination::Menu {
        prompt: media::Sound::Silence { ms: 1 },
        choices: [('1', Box::new(Destination::Queue { queue }))].into(),
        timeout_ms: 1_000,
        fallback: Box::new(Destination::Echo),
    };
    assert_eq!(
        s.store().create(edit.clone(), number(menu(missing))),
        Err(StoreError::MissingReference {
            kind: "number",
            missing: missing.to_string()
        })
    );
    let good = number(menu(s.queue.id));
    s.store().create(edit.clone(), good.clone()).unwrap();
    assert_eq!(
        s.store().delete(edit.clone(), s.queue.id, None),
        Err(StoreError::InUse {
            id: s.queue.id.to_string(),
            by: good.id.to_string()
        })
    );
    assert!(s.store().get::<Queue>(s.world.tenant, s.queue.id).is_ok());
    let mut deep = Destination::Echo;
    for _ in 0..40 {
        deep = Destination::Menu {
            prompt: media::Sound::Silence { ms: 1 },
            choices: [].into(),
            timeout_ms: 1,
            fallback: Box::new(deep),
        };
    }
    let deep = Number {
        destination: deep,
        ..good.clone()
    };
    let refused = s.store().update(edit.clone(), deep, None).unwrap_err();
    assert_eq!(refused.code(), "invalid");
    s.store().delete(edit.clone(), good.id, None).unwrap();
    s.store().delete(edit.clone(), s.queue.id, None).unwrap();
    // A tenant goes last.
    let tenant = s.world.tenant;
    let busy = s.store().delete(edit.clone(), tenant, None).unwrap_err();
    assert_eq!(busy.code(), "in_use");
    s.store().delete(edit.clone(), s.agent.id, None).unwrap();
    s.store().delete(edit, tenant, None).unwrap();
    let orphan = s.world.queue_row("Orphan");
    let refused = s.store().create(s.world.edit(), orphan).unwrap_err();
    assert_eq!(refused.code(), "missing_reference");
}

pub(super) fn one_edit_is_all_or_nothing(make: Make) {
    let mut s = Setting::new(make);
    let (mut agent, mut phone) = (s.world.agent_row("300"), s.world.phone_row("300"));
    // They name each other, which only one edit can make.
    agent.phone = Some(phone.id);
    phone.agent = Some(agent.id);
    let both = vec![
        Change::Create(agent.clone().into()),
        Change::Create(phone.clone().into()),
    ];
    let head = s.store().head().unwrap();
    let twin = s.world.phone_row("300");
    let mut three = both.clone();
    three.push(Change::Create(twin.into()));
    assert!(s.store().apply(s.world.edit(), three).is_err());
    assert_eq!(
        s.store().head().unwrap(),
        head,
        "no record of what was not done"
    );
    assert!(s.store().get::<Agent>(s.world.tenant, agent.id).is_err());
    let versions = s.store().apply(s.world.edit(), both).unwrap();
    assert_eq!(versions, [Version(1), Version(1)]);
    let gone = vec![
        Change::Delete {
            id: agent.id.into(),
            expected: None,
        },
        Change::Delete {
            id: phone.id.into(),
            expected: None,
        },
    ];
    assert!(s.store().apply(s.world.edit(), gone[..1].to_vec()).is_err());
    s.store().apply(s.world.edit(), gone).unwrap();
    // The log is as if nothing had failed.
    let call = s.world.call(s.queue.id, s.agent.id);
    s.log.commit(call.records).unwrap();
}

pub(super) fn the_snapshot_follows_each_change(make: Make) {
    let mut s = Setting::new(make);
    let first = s.store().snapshot().unwrap();
    assert_eq!(first.queues, [s.queue.clone()]);
    assert_eq!(first.agents, [s.agent.clone()]);
    assert_eq!(first.tenants, [s.world.tenant_row()]);
    assert!(Arc::ptr_eq(&first, &s.store().snapshot().unwrap()));
    let skill = Skill {
        id: s.world.id(),
        tenant: s.world.tenant,
        name: "Billing".into(),
    };
    s.store().create(s.world.edit(), skill.clone()).unwrap();
    let second = s.store().snapshot().unwrap();
    assert_eq!(second.skills, std::slice::from_ref(&skill));
    assert!(second.version > first.version);
    let user = s.world.user_row("ada");
    s.store().create(s.world.edit(), user).unwrap();
    assert!(s.store().create(s.world.edit(), skill).is_err());
    assert_eq!(s.store().snapshot().unwrap().version, second.version);
}

pub(super) fn tenants_do_not_see_each_other(make: Make) {
    let mut s = Setting::new(make);
    let call = s.call();
    let mut other = World::new(2);
    s.store().create(other.edit(), other.tenant_row()).unwrap();
    let mine = s.queue.id;
    let not_found = |e: StoreError| assert_eq!(e.code(), "not_found");
    not_found(s.store().get::<Queue>(other.tenant, mine).unwrap_err());
    not_found(s.store().delete(other.edit(), mine, None).unwrap_err());
    not_found(
        s.store()
            .interaction(other.tenant, call.interaction)
            .unwrap_err(),
    );
    not_found(s.store().legs(other.tenant, call.interaction).unwrap_err());
    not_found(
        s.store()
            .recording(other.tenant, call.recording)
            .unwrap_err(),
    );
    let foreign = s.store().update(other.edit(), s.queue.clone(), None);
    assert_eq!(foreign.unwrap_err().code(), "invalid");
    let mut borrower = other.agent_row("1");
    borrower.queues = vec![mine];
    let refused = s.store().create(other.edit(), borrower).unwrap_err();
    assert_eq!(refused.code(), "missing_reference");
    let page = PageRequest::default();
    assert!(
        s.store()
            .list::<Queue>(other.tenant, &page)
            .unwrap()
            .items
            .is_empty()
    );
    let mut seen: Vec<_> = s.store().tenants(&page).unwrap().items;
    assert_eq!(seen.len(), 2);
    assert!(seen.remove(0).row.id < seen.remove(0).row.id);
    // The same names and numbers inside are no concern of the other …
    let twin = other.queue_row("Support");
    s.store().create(other.edit(), twin).unwrap();
    // … but domains and public numbers are.
    let mut third = World::new(3);
    let mut row = third.tenant_row();
    row.domain = other.tenant_row().domain;
    let taken = s.store().create(third.edit(), row).unwrap_err();
    assert!(!taken.to_string().contains(&other.tenant.to_string()));
    assert_eq!(taken.code(), "conflict");
    third.later(1);
}
