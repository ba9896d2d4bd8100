//! What is unique about a row and which rows it names.

use super::row::{ConfigId, ConfigRow};
use crate::error::{Result, StoreError};
use cp_vocab::model::{Agent, Destination, DialTarget, Gate, Queue, TrunkAuth};
use cp_vocab::*;

/// Menus within menus a destination may have; deeper ones are refused with `Invalid`.
pub const DESTINATION_DEPTH_MAX: usize = 16;
/// Names, numbers and other unique texts are at most this long; longer ones are refused with
/// `Invalid`.
pub const KEY_BYTES_MAX: usize = 1_024;

/// A text no two rows may share.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Key {
    /// Kind and field: `phone.user`.
    pub(super) space: &'static str,
    /// Unique in this tenant, or on the whole platform.
    pub(super) scope: Option<TenantId>,
    pub(super) text: String,
}

impl Key {
    /// The field, for errors.
    pub(super) fn field(&self) -> &'static str {
        self.space.split_once('.').map_or(self.space, |(_, f)| f)
    }
}

/// The unique texts of a row.
///
/// # Errors
/// `Invalid` for one that is empty but must not be, or too long.
pub(super) fn of(row: &ConfigRow) -> Result<Vec<Key>> {
    let tenant = Some(row.tenant());
    let key = |space, scope, text: &str| Key {
        space,
        scope,
        text: text.to_string(),
    };
    let lower = |space, scope, text: &str| Key {
        space,
        scope,
        text: text.trim().to_lowercase(),
    };
    let keys = match row {
        // An empty domain answers for every domain, so only one tenant can have it.
        ConfigRow::Tenant(r) => vec![
            lower("tenant.name", None, &r.name),
            lower("tenant.domain", None, &r.domain),
        ],
        ConfigRow::User(r) => {
            let mut keys = vec![lower("user.login", tenant, r.login.expose())];
            if let Some(e) = &r.external {
                let subject = format!("{} {}", e.provider, e.subject.expose());
                keys.push(key("user.subject", tenant, &subject));
            }
            if let Some(id) = &r.external_id {
                keys.push(key("user.external_id", tenant, id));
            }
            keys
        }
        ConfigRow::CustomRole(r) => vec![lower("role.name", tenant, &r.name)],
        ConfigRow::OAuthClient(r) => vec![lower("oauth_client.name", tenant, &r.name)],
        ConfigRow::IdentityProvider(r) => vec![lower("identity_provider.name", tenant, &r.name)],
        ConfigRow::ApiKey(r) => vec![
            lower("api_key.name", tenant, &r.name),
            key("api_key.secret", None, &hex(r.secret_hash.expose())),
        ],
        ConfigRow::Agent(r) => agent(r),
        ConfigRow::Queue(r) => vec![lower("queue.name", tenant, &r.name)],
        ConfigRow::Skill(r) => vec![lower("skill.name", tenant, &r.name)],
        ConfigRow::Number(r) => {
            let mut keys = vec![key("number.number", tenant, &r.number)];
            // A telephone number has one subscriber in the world.
            if r.public && r.number.starts_with('+') {
                keys.push(key("number.public_number", None, &r.number));
            }
            keys
        }
        ConfigRow::Trunk(r) => {
            let mut keys = vec![lower("trunk.name", tenant, &r.name)];
            if let TrunkAuth::Digest { user, .. } = &r.auth {
                keys.push(key("trunk.auth_user", tenant, user));
            }
            keys
        }
        ConfigRow::Phone(r) => vec![key("phone.user", tenant, &r.user)],
        ConfigRow::Conference(r) => vec![lower("conference.name", tenant, &r.name)],
        ConfigRow::Schedule(r) => vec![lower("schedule.name", tenant, &r.name)],
        ConfigRow::WrapUpCode(r) => vec![lower("wrap_up_code.name", tenant, &r.name)],
        ConfigRow::Point(r) => vec![lower("point.name", tenant, &r.name)],
        ConfigRow::IdentityCertificate(r) => {
            vec![lower("identity_certificate.name", tenant, &r.name)]
        }
        ConfigRow::Webhook(_) => vec![],
        ConfigRow::Brand(r) => {
            let mut keys = vec![lower("brand.name", tenant, &r.name)];
            // A call shows one brand.
            let numbers = r.numbers.iter();
            keys.extend(numbers.map(|n| key("brand.numbers", tenant, &n.to_string())));
            keys
        }
        ConfigRow::Picture(r) => vec![lower("picture.name", tenant, &r.name)],
        ConfigRow::Person(r) => {
            let identities = r.identities.iter();
            let mut keys: Vec<Key> = identities
                .map(|i| key("person.identity", tenant, &i.key()))
                .collect();
            // Those that were merged into this one are found as this one.
            let merged = r.merged.iter();
            keys.extend(merged.map(|m| key("person.merged", tenant, &m.to_string())));
            keys
        }
        ConfigRow::ProofPolicy(_) => vec![key("proof_policy.tenant", tenant, "1")],
        ConfigRow::CallerPartner(r) => vec![lower("caller_partner.name", tenant, &r.name)],
    };
    for k in &keys {
        let problem = match k.text.len() {
            0 if k.space != "tenant.domain" => "must not be empty",
            n if n > KEY_BYTES_MAX => "is too long",
            _ => continue,
        };
        return Err(StoreError::Invalid {
            field: k.field(),
            problem,
        });
    }
    Ok(keys)
}

fn agent(r: &Agent) -> Vec<Key> {
    let mut keys = Vec::new();
    let mut add = |space, text: String| {
        keys.push(Key {
            space,
            scope: Some(r.tenant),
            text,
        });
    };
    if !r.extension.is_empty() {
        add("agent.extension", r.extension.clone());
    }
    // A person is one agent, and a phone rings for one agent.
    if let Some(user) = r.user {
        add("agent.user", user.to_string());
    }
    if let Some(phone) = r.phone {
        add("agent.phone", phone.to_string());
    }
    keys
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut out, b| {
        write!(out, "{b:02x}").expect("invariant: a string takes what is written");
        out
    })
}

/// The rows a row names, without itself and its tenant.
///
/// # Errors
/// `Invalid` when menus are nested deeper than [`DESTINATION_DEPTH_MAX`].
pub(super) fn references(row: &ConfigRow) -> Result<Vec<ConfigId>> {
    let mut out = Vec::new();
    match row {
        ConfigRow::Agent(r) => {
            out.extend(r.user.map(ConfigId::from));
            out.extend(r.phone.map(ConfigId::from));
            out.extend(r.skills.iter().map(|s| ConfigId::from(s.skill)));
            out.extend(r.queues.iter().copied().map(ConfigId::from));
        }
        ConfigRow::Queue(r) => queue(r, &mut out)?,
        ConfigRow::Number(r) => destination(&r.destination, 0, &mut out)?,
        ConfigRow::Point(r) => destination(&r.destination, 0, &mut out)?,
        ConfigRow::Phone(r) => out.extend(r.agent.map(ConfigId::from)),
        ConfigRow::User(r) => {
            out.extend(r.custom_roles.iter().copied().map(ConfigId::from));
            out.extend(r.external.iter().map(|e| ConfigId::from(e.provider)));
        }
        ConfigRow::IdentityProvider(r) => {
            let named = r.role_rules.iter().flat_map(|r| &r.custom_roles);
            out.extend(named.copied().map(ConfigId::from));
        }
        ConfigRow::ProofPolicy(r) => {
            let named = r.placement.iter().flat_map(|p| [p.from, p.to]);
            out.extend(named.flatten().map(ConfigId::from));
        }
        ConfigRow::CallerPartner(r) => out.extend(r.person.map(ConfigId::from)),
        ConfigRow::Brand(r) => {
            out.extend(r.picture.map(ConfigId::from));
            out.extend(r.numbers.iter().copied().map(ConfigId::from));
        }
        ConfigRow::Tenant(r) => {
            let e = &r.safety.emergency;
            let ways = e.trunk.iter().chain(&e.further_trunks);
            out.extend(ways.copied().map(ConfigId::from));
        }
        ConfigRow::Picture(_)
        | ConfigRow::Person(_)
        | ConfigRow::ApiKey(_)
        | ConfigRow::CustomRole(_)
        | ConfigRow::OAuthClient(_)
        | ConfigRow::Skill(_)
        | ConfigRow::Trunk(_)
        | ConfigRow::Conference(_)
        | ConfigRow::WrapUpCode(_)
        | ConfigRow::Schedule(_)
        | ConfigRow::IdentityCertificate(_)
        | ConfigRow::Webhook(_) => {}
    }
    out.sort_unstable();
    out.dedup();
    out.retain(|id| *id != row.id());
    Ok(out)
}

fn queue(r: &Queue, out: &mut Vec<ConfigId>) -> Result<()> {
    out.extend(r.skills.iter().map(|s| ConfigId::from(s.skill)));
    for relaxation in &r.relaxations {
        out.extend(relaxation.drop_skills.iter().copied().map(ConfigId::from));
        out.extend(relaxation.widen_to.iter().copied().map(ConfigId::from));
    }
    if let Some(Gate {
        otherwise: Some(otherwise),
        ..
    }) = &r.gate
    {
        destination(otherwise, 0, out)?;
    }
    match &r.overflow {
        Some(overflow) => destination(overflow, 0, out),
        None => Ok(()),
    }
}

fn destination(d: &Destination, depth: usize, out: &mut Vec<ConfigId>) -> Result<()> {
    if depth > DESTINATION_DEPTH_MAX {
        return Err(StoreError::Invalid {
            field: "destination",
            problem: "has menus nested too deep",
        });
    }
    match d {
        Destination::Queue { queue } => out.push((*queue).into()),
        Destination::Agent { agent } => out.push((*agent).into()),
        Destination::Phone { phone } => out.push((*phone).into()),
        Destination::Conference { conference } => out.push((*conference).into()),
        Destination::Dial { target, .. } => match target {
            DialTarget::Trunk { trunk, .. } => out.push((*trunk).into()),
            DialTarget::Phone { phone } => out.push((*phone).into()),
            DialTarget::Agent { agent } => out.push((*agent).into()),
            DialTarget::Uri { .. } | DialTarget::Extension { .. } => {}
        },
        Destination::Await {
            then, otherwise, ..
        } => {
            destination(then, depth + 1, out)?;
            destination(otherwise, depth + 1, out)?;
        }
        Destination::Hours {
            schedule,
            open,
            closed,
        } => {
            out.push((*schedule).into());
            destination(open, depth + 1, out)?;
            destination(closed, depth + 1, out)?;
        }
        Destination::Menu {
            choices, fallback, ..
        } => {
            for choice in choices.values() {
                destination(choice, depth + 1, out)?;
            }
            destination(fallback, depth + 1, out)?;
        }
        Destination::Answer { .. }
        | Destination::Echo
        | Destination::Announce { .. }
        | Destination::Reject { .. } => {}
    }
    Ok(())
}
