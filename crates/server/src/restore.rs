//! What a start begins with.

use anyhow::Result;
use cp_engine::{Forwarded, Reported, Restore};
use cp_store::Store;
use cp_vocab::Timestamp;

/// What the log knows that this process does not.
pub(crate) fn restore(store: &dyn Store, now: Timestamp) -> Result<Restore> {
    let snapshot = store.snapshot()?;
    let mut restore = Restore {
        snapshot: snapshot.clone(),
        ..Restore::default()
    };
    for id in store.open_interactions()? {
        let records = store.replay(id)?;
        if let Some(tenant) = records.first().map(|r| r.tenant) {
            restore.open.push((id, tenant, records));
        }
    }
    for r in store.registrations(now)? {
        restore
            .bindings
            .push((r.phone, r.contact.into_inner(), r.expires_at));
    }
    for tenant in &snapshot.tenants {
        for (day, micros) in store.outbound_spent(tenant.id)? {
            restore.spent.push((tenant.id, day, micros));
        }
        for a in store.agent_states(tenant.id)? {
            // What an agent worked on died with the process: what was to come after it holds now.
            restore.presence.push((
                a.agent,
                a.next_presence.unwrap_or(a.presence),
                a.state == cp_vocab::model::RoutingState::NotResponding,
            ));
        }
    }
    for row in store.forwarding()? {
        restore.forwarding.push(Forwarded {
            tenant: row.tenant,
            number: row.number,
            calls: row.calls.chars().map(|c| c == '1').collect(),
            kept: row.kept,
            hits: row.hits,
            misses: row.misses,
        });
    }
    for row in store.caller_reports()? {
        restore.reports.push(Reported {
            number: row.number,
            tenant: row.tenant,
            proven: row.proven,
            at: row.at,
        });
    }
    crate::followers::restore(store, &mut restore)?;
    Ok(restore)
}
