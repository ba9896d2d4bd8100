//! The kinds of configuration rows, one file each.

mod agents;
pub(crate) mod api_keys;
mod brands;
mod conferences;
pub(crate) mod identity_certificates;
mod identity_providers;
mod numbers;
pub(crate) mod oauth_clients;
mod persons;
mod phones;
mod queues;
pub(crate) mod roles;
mod safety;
mod schedules;
mod skills;
mod tenant;
mod trunks;
pub(crate) mod users;
mod wrap_up_codes;

use crate::crud;
use crate::operation::Api;
use crate::problem::FieldError;
use cp_store::Change;
use cp_vocab::model::{Agent, Phone, Snapshot, Tenant};
use cp_vocab::{AgentId, PhoneId, TenantId};

pub(crate) fn add(api: &mut Api) {
    tenant::add(api);
    safety::add(api);
    crud::add::<users::Users>(api);
    crud::add::<agents::Agents>(api);
    crud::add::<queues::Queues>(api);
    crud::add::<skills::Skills>(api);
    crud::add::<numbers::Numbers>(api);
    crud::add::<phones::Phones>(api);
    phones::add_settings(api);
    crud::add::<trunks::Trunks>(api);
    crud::add::<conferences::Conferences>(api);
    crud::add::<wrap_up_codes::WrapUpCodes>(api);
    crud::add::<schedules::Schedules>(api);
    schedules::add_opening(api);
    crud::add::<identity_certificates::IdentityCertificates>(api);
    brands::add(api);
    api_keys::add(api);
    crud::add::<roles::Roles>(api);
    roles::add_catalogue(api);
    crud::add::<identity_providers::IdentityProviders>(api);
    oauth_clients::add(api);
    persons::add(api);
}

/// For `skip_serializing_if` of what is written and never read back.
pub(crate) fn secret(_: &Option<String>) -> bool {
    true
}

/// The realm of a tenant's digests: its domain.
fn realm(snapshot: &Snapshot, tenant: TenantId) -> String {
    let found = snapshot.tenants.iter().find(|t| t.id == tenant);
    found.map_or_else(String::new, Tenant::realm)
}

/// A user part or extension as phones and people dial it.
fn check_dialable(text: &str, pointer: &str, errors: &mut Vec<FieldError>) {
    let fine = |c: char| c.is_ascii_alphanumeric() || "+*#-_.".contains(c);
    if !text.chars().all(fine) {
        let detail = "only letters, digits and + * # - _ . can be dialled";
        errors.push(FieldError::new(pointer, "format", detail));
    }
}

/// An agent names its phone and a phone its agent; these are the changes of the other rows that
/// keep both sides the same. The row in `written` is the caller's to write.
fn link(
    snapshot: &Snapshot,
    tenant: TenantId,
    agent: Option<AgentId>,
    phone: Option<PhoneId>,
    written: Written,
) -> Vec<Change> {
    let mut changes = Vec::new();
    let update = |row| Change::Update {
        row,
        expected: None,
    };
    for p in snapshot.phones.iter().filter(|p| p.tenant == tenant) {
        let wanted = match () {
            () if Some(p.id) == phone => agent,
            // Without a phone of its own an agent has no devices; with one, the others stay bound.
            () if phone.is_none() && agent.is_some() && p.agent == agent => None,
            () => p.agent,
        };
        if written != Written::Phone(p.id) && wanted != p.agent {
            let row = Phone {
                agent: wanted,
                ..p.clone()
            };
            changes.push(update(row.into()));
        }
    }
    for a in snapshot.agents.iter().filter(|a| a.tenant == tenant) {
        let wanted = match () {
            // A further device does not take the place of the agent's own phone.
            () if Some(a.id) == agent => a.phone.or(phone),
            () if phone.is_some() && a.phone == phone => None,
            () => a.phone,
        };
        if written != Written::Agent(a.id) && wanted != a.phone {
            let row = Agent {
                phone: wanted,
                ..a.clone()
            };
            changes.push(update(row.into()));
        }
    }
    changes
}

/// The row a caller of [`link`] writes itself.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Written {
    Agent(AgentId),
    Phone(PhoneId),
}
