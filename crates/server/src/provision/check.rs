//! What is wrong with a provisioning file by itself, before anything of it is written.

use super::{DestinationSpec, File, TenantSpec};
use cp_vocab::dialling::is_country;
use cp_vocab::safety::{Outbound, is_time_zone};
use std::collections::BTreeSet;

/// Everything that is wrong, in words that name it; names that point nowhere are found when the
/// rows are made.
pub(super) fn problems(file: &File) -> Vec<String> {
    let mut found = Vec::new();
    let domains = file.tenants.iter().map(|t| t.domain.as_str());
    twice(&mut found, "domain", domains.filter(|d| !d.is_empty()));
    for tenant in &file.tenants {
        one(&mut found, tenant);
    }
    found
}

fn one(found: &mut Vec<String>, t: &TenantSpec) {
    if t.name.is_empty() {
        found.push("a tenant has no name".into());
    }
    outbound(found, &t.outbound);
    let people = || t.users.iter().chain(&t.admin);
    twice(found, "phone", t.phones.iter().map(|p| p.user.as_str()));
    twice(found, "agent", t.agents.iter().map(|a| a.name.as_str()));
    twice(
        found,
        "extension",
        t.agents.iter().map(|a| a.extension.as_str()),
    );
    twice(found, "queue", t.queues.iter().map(|q| q.name.as_str()));
    twice(
        found,
        "conference",
        t.conferences.iter().map(|c| c.name.as_str()),
    );
    twice(found, "trunk", t.trunks.iter().map(|t| t.name.as_str()));
    twice(found, "number", t.numbers.iter().map(|n| n.number.as_str()));
    twice(found, "user", people().map(|u| u.email.as_str()));
    for p in t.phones.iter().filter(|p| p.password.is_empty()) {
        found.push(format!("phone {:?} has no password", p.user));
    }
    for u in people().filter(|u| u.password.is_empty()) {
        found.push(format!("user {:?} has no password", u.email));
    }
    let destinations = t.numbers.iter().map(|n| &n.destination);
    let overflows = t.queues.iter().filter_map(|q| q.overflow.as_ref());
    for d in destinations.chain(overflows) {
        destination(found, d);
    }
}

/// Rules for outgoing calls that would mean something else than was meant.
fn outbound(found: &mut Vec<String>, rules: &Outbound) {
    let lists = [&rules.countries, &rules.blocked_countries];
    for unknown in lists.into_iter().flatten().filter(|c| !is_country(c)) {
        found.push(format!(
            "outbound: {unknown:?} is no country (two capital letters)"
        ));
    }
    if !is_time_zone(&rules.time_zone) {
        let zone = &rules.time_zone;
        found.push(format!(
            "outbound: {zone:?} is no time zone; use a name such as Europe/Berlin"
        ));
    }
    if !rules.international && rules.home_country.is_empty() {
        found.push("outbound: say the home_country when nothing may leave it".into());
    }
    let is_prefix = |p: &&String| {
        let digits = p.strip_prefix('+').unwrap_or(p);
        digits.bytes().all(|b| b.is_ascii_digit())
    };
    let rates = rules.rates.iter().map(|r| &r.prefix);
    for wrong in rules
        .allow
        .iter()
        .chain(&rules.block)
        .chain(rates)
        .filter(|p| !is_prefix(p))
    {
        found.push(format!("outbound: {wrong:?} is no prefix of a number"));
    }
}

fn destination(found: &mut Vec<String>, d: &DestinationSpec) {
    match d {
        DestinationSpec::Reject { status } if !(300..=699).contains(status) => {
            found.push(format!("status {status} refuses nothing; 300 to 699 do"));
        }
        DestinationSpec::Await {
            then, otherwise, ..
        } => {
            destination(found, then);
            destination(found, otherwise);
        }
        DestinationSpec::Menu {
            choices, fallback, ..
        } => {
            for d in choices.values().chain([fallback]) {
                destination(found, d);
            }
        }
        _ => {}
    }
}

/// Names that are empty or occur again.
fn twice<'t>(found: &mut Vec<String>, kind: &str, names: impl Iterator<Item = &'t str>) {
    let mut seen = BTreeSet::new();
    for name in names {
        if name.is_empty() {
            found.push(format!("a {kind} has no name"));
        } else if !seen.insert(name) {
            found.push(format!("{kind} {name:?} is there twice"));
        }
    }
}
