//! After a restart: what died with the process is ended as `node_lost`, its far ends are told, and
//! registrations and presence are taken up again.

use crate::core::{Engine, Entry};
use crate::io::Restore;
use cp_interaction::{Input as IxInput, Interaction, State};
use cp_routing::{LeaseKind, RouterInput};
use cp_vocab::*;
use rustc_hash::FxHashMap;

impl Engine {
    pub(crate) fn restore(&mut self, now: Timestamp, restore: Restore) {
        let Restore {
            snapshot,
            open,
            bindings,
            presence,
            spent,
            incentives,
            pushed,
            reports,
            forwarding,
        } = restore;
        self.configure(now, snapshot);
        for (tenant, day, micros) in spent {
            self.outbound.restore(tenant, day, micros);
        }
        self.cards.restore(incentives);
        reports.into_iter().for_each(|r| self.cards.reports.add(r));
        for agent in pushed {
            self.web.pushed.insert(agent);
            let (kind, until) = (LeaseKind::Push, Timestamp::FAR);
            self.route(now, RouterInput::Lease { agent, kind, until });
        }
        // Those called last come first, and are to be the last to go.
        for f in forwarding.into_iter().rev() {
            let counters = (f.kept, f.hits, f.misses);
            let forwarding = &mut self.identity.forwarding;
            forwarding.restore(f.tenant, &f.number, &f.calls, counters);
        }
        for (agent, presence, not_responding) in presence {
            self.route(
                now,
                RouterInput::Restore {
                    agent,
                    presence,
                    not_responding,
                    wrap_up: None,
                },
            );
        }
        for (phone, binding, expires_at) in bindings {
            let Some(agent) = self.index.phone(phone).map(|p| p.agent) else {
                continue;
            };
            self.ua.restore_binding(now, phone, &binding, expires_at);
            if self.ua.contacts(phone).next().is_none() {
                continue;
            }
            self.logged_until.insert(phone, expires_at);
            if let Some(agent) = agent {
                self.route(
                    now,
                    RouterInput::Lease {
                        agent,
                        kind: LeaseKind::Phone,
                        until: Timestamp::FAR,
                    },
                );
            }
        }
        for (id, tenant, records) in open {
            let state = State::replay(id, tenant, &records);
            // The phones and trunks of these calls still believe in them: say goodbye.
            for dialogs in state.live_legs().filter_map(|l| l.dialog.clone()) {
                for dialog in dialogs.lines() {
                    let _ = self.ua.end_orphan(now, dialog);
                }
            }
            let seq = records.len() as u64;
            let interaction = Interaction::from_state(state);
            self.interactions.insert(
                id,
                Entry {
                    interaction,
                    tenant,
                    worker: 0,
                    seq,
                    timers: FxHashMap::default(),
                },
            );
            self.work.push_back((id, IxInput::NodeLost));
        }
    }
}
