//! Deliveries.

use super::{Make, Setting};
use cp_store::*;
use cp_vocab::*;
use std::time::Duration;

pub(super) fn webhooks_fill_the_outbox(make: Make) {
    let mut s = Setting::new(make);
    let hook = Webhook {
        id: s.world.id(),
        tenant: s.world.tenant,
        url: "http://127.0.0.1:9/hook".into(),
        secret: Pii("s".into()),
        events: vec!["interaction.*".into(), "queue.entered".into()],
        disabled: false,
    };
    s.store().create(s.world.edit(), hook.clone()).unwrap();
    let call = s.call();
    let now = s.world.now;
    let lease = Duration::from_secs(30);
    let claimed = s.store().outbox_claim(now, lease, 2).unwrap();
    assert_eq!(claimed.len(), 2);
    let rest = s.store().outbox_claim(now, lease, 10).unwrap();
    let all: Vec<_> = claimed.iter().chain(&rest).collect();
    let kinds: Vec<_> = all.iter().map(|i| i.record.event.kind()).collect();
    assert_eq!(
        kinds,
        ["interaction.started", "queue.entered", "interaction.ended"]
    );
    assert_eq!(all[0].record, call.records[0]);
    assert_eq!(all[0].kind, OutboxKind::Webhook { webhook: hook.id });
    assert_eq!(s.store().outbox_claim(now, lease, 10).unwrap(), []);
    // A claim that is not settled comes back.
    let again = s.store().outbox_claim(now + lease, lease, 10).unwrap();
    assert_eq!(again.len(), 3);
    for item in &again[1..] {
        s.store()
            .outbox_settle(item.id, OutboxResult::Done)
            .unwrap();
    }
    let at = now + lease * 10;
    let error = "503".to_string();
    s.store()
        .outbox_settle(again[0].id, OutboxResult::RetryAt { at, error })
        .unwrap();
    assert_eq!(
        s.store().outbox_claim(now + lease * 9, lease, 10).unwrap(),
        []
    );
    let third = s.store().outbox_claim(at, lease, 10).unwrap();
    assert_eq!((third.len(), third[0].attempts), (1, 1));
    assert_eq!(third[0].error.as_deref(), Some("503"));
    // A disabled endpoint gets nothing new; a deleted one takes its deliveries along.
    let disabled = Webhook {
        disabled: true,
        ..hook.clone()
    };
    s.store().update(s.world.edit(), disabled, None).unwrap();
    s.call();
    let far = s.world.now + lease * 100;
    assert_eq!(s.store().outbox_claim(far, lease, 10).unwrap().len(), 1);
    s.store().delete(s.world.edit(), hook.id, None).unwrap();
    assert_eq!(s.store().outbox_claim(far + lease, lease, 10).unwrap(), []);
}

pub(super) fn dead_deliveries_can_be_revived(make: Make) {
    let mut s = Setting::new(make);
    let hook = Webhook {
        id: s.world.id(),
        tenant: s.world.tenant,
        url: "http://127.0.0.1:9/hook".into(),
        secret: Pii("s".into()),
        events: vec!["interaction.ended".into()],
        disabled: false,
    };
    s.store().create(s.world.edit(), hook).unwrap();
    for _ in 0..3 {
        s.call();
    }
    let (tenant, now, lease) = (s.world.tenant, s.world.now, Duration::from_secs(30));
    for item in s.store().outbox_claim(now, lease, 10).unwrap() {
        let error = "é".repeat(2_000);
        s.store()
            .outbox_settle(item.id, OutboxResult::Dead { error })
            .unwrap();
    }
    let page = s
        .store()
        .outbox_dead(tenant, &PageRequest::first(2))
        .unwrap();
    assert_eq!(page.items.len(), 2);
    assert!(page.items[0].id > page.items[1].id);
    let after = PageRequest {
        after: page.next,
        limit: 2,
    };
    let rest = s.store().outbox_dead(tenant, &after).unwrap();
    assert_eq!((rest.items.len(), rest.next), (1, None));
    let id = rest.items[0].id;
    let foreign = s.store().outbox_revive(TenantId::from_u128(1), id, now);
    assert_eq!(foreign.unwrap_err().code(), "not_found");
    s.store().outbox_revive(tenant, id, now).unwrap();
    assert!(s.store().outbox_revive(tenant, id, now).is_err());
    assert_eq!(s.store().outbox_claim(now, lease, 10).unwrap()[0].id, id);
    s.store()
        .sweep(now + Duration::from_secs(outbox::DEAD_DAYS * 86_400 + 3_600))
        .unwrap();
    let left = s
        .store()
        .outbox_dead(tenant, &PageRequest::default())
        .unwrap();
    assert!(left.items.is_empty());
}
