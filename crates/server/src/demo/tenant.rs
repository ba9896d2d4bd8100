//! The demo tenant: made at the first start with passwords of its own, kept in the data folder.

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

pub(super) const SUPPORT_NUMBER: &str = "+15550100";
/// The demo's world outside is at 127.0.0.this: virtual callers come from there, and who calls a number
/// that is none of the demo's own reaches one of them.
pub(super) const OUTSIDE_HOST: u8 = 2;
pub(super) const OUTSIDE_TRUNK: &str = "Virtual carrier";

pub(super) fn outside() -> IpAddr {
    IpAddr::from([127, 0, 0, OUTSIDE_HOST])
}

#[derive(Serialize, Deserialize, Clone)]
pub(super) struct Person {
    pub name: String,
    pub role: String,
    pub email: String,
    pub password: String,
    /// The SIP account, for those who have one.
    pub extension: Option<String>,
    pub sip_password: Option<String>,
}

#[derive(Serialize, Deserialize, Clone)]
pub(super) struct Robot {
    pub name: String,
    pub user: String,
    pub password: String,
    pub host: u8,
}

#[derive(Serialize, Deserialize, Clone)]
pub(super) struct People {
    pub people: Vec<Person>,
    pub robots: Vec<Robot>,
}

/// A password that can be read out and typed: 4 groups of 4 from an alphabet without look-alikes.
fn password() -> Result<String> {
    const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz23456789x";
    let seed = crate::serve::random_seed()?;
    let text: Vec<String> = seed[..16]
        .chunks(4)
        .map(|c| {
            c.iter()
                .map(|b| char::from(LETTERS[usize::from(b % 32)]))
                .collect()
        })
        .collect();
    Ok(text.join("-"))
}

/// The demo people, made at the first start and the same ever after.
pub(super) fn people(data: &Path) -> Result<People> {
    let path = data.join("demo-people.json");
    if let Ok(text) = std::fs::read_to_string(&path) {
        return serde_json::from_str(&text)
            .with_context(|| format!("{} is damaged; remove it to start over", path.display()));
    }
    let person = |name: &str, role: &str, extension: Option<&str>| -> Result<Person> {
        Ok(Person {
            name: name.into(),
            role: role.into(),
            email: format!("{}@demo.example", name.to_ascii_lowercase()),
            password: password()?,
            extension: extension.map(str::to_string),
            sip_password: extension.map(|_| password()).transpose()?,
        })
    };
    let robot = |name: &str, user: &str, host: u8| -> Result<Robot> {
        Ok(Robot {
            name: name.into(),
            user: user.into(),
            password: password()?,
            host,
        })
    };
    let people = People {
        people: vec![
            person("Anna", "agent", Some("1001"))?,
            person("Ben", "agent", Some("1002"))?,
            person("Sofia", "supervisor", Some("1003"))?,
            person("Admin", "administrator", None)?,
            // Runs the platform: makes tenants beside this one. Its password is drawn like the others'.
            person("Olga", "operator", None)?,
        ],
        robots: vec![
            robot("Robot Rita", "1901", 11)?,
            robot("Robot Otto", "1902", 12)?,
            robot("Robot Ines", "1903", 13)?,
        ],
    };
    write_private(&path, &serde_json::to_string_pretty(&people)?)?;
    Ok(people)
}

/// Readable by its owner only: it holds passwords.
fn write_private(path: &Path, text: &str) -> Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("cannot write {}", path.display()))?;
    file.write_all(text.as_bytes())?;
    Ok(())
}

/// The provisioning file of the demo tenant.
pub(super) fn provision_file(data: &Path, people: &People) -> Result<PathBuf> {
    let speech = |text: &str| json!({"kind": "speech", "text": text});
    let mut users = vec![];
    let mut phones = vec![];
    let mut agents = vec![];
    for p in &people.people {
        let agent = p.extension.as_ref().map(|_| p.name.clone());
        users.push(json!({"email": p.email, "password": p.password, "name": p.name, "role": p.role, "agent": agent}));
        if let (Some(user), Some(secret)) = (&p.extension, &p.sip_password) {
            phones.push(
                json!({"user": user, "password": secret, "name": p.name, "may_dial_out": true}),
            );
            agents.push(json!({
                "name": p.name, "extension": user, "phone": user,
                "queues": if p.role == "agent" { vec!["Support", "Sales"] } else { vec![] },
                "skills": {"english": 8, "billing": 6},
            }));
        }
    }
    for r in &people.robots {
        phones.push(json!({"user": r.user, "password": r.password, "name": r.name}));
        agents.push(json!({
            "name": r.name, "extension": r.user, "phone": r.user, "queues": ["Support"],
            "available_when_registered": true, "wrap_up_ms": 4_000, "skills": {"english": 9, "patience": 9},
        }));
    }
    let greeting = "Welcome to the Crosspoint demo shop. The next free agent will be with you.";
    let file = json!({"tenants": [{
        "name": "Demo Shop", "domain": "demo.example",
        "users": users, "phones": phones, "agents": agents,
        "queues": [
            // The robots, who know most, go first: people are rung when all of them are busy.
            {"name": "Support", "selection": "best_score", "greeting": speech(greeting), "wrap_up_ms": 20_000, "record": true, "announce_every_ms": 20_000},
            {"name": "Sales", "priority": 1, "wrap_up_ms": 20_000},
        ],
        "points": [{
            "name": "Demo shop page", "title": "Talk to Lumen & Oak", "destination": {"to": "queue", "queue": "Sales"},
            "modes": ["audio", "video", "chat"], "fields": ["product", "price", "cart"],
            "numbers": ["+15550110", "+15550111"],
        }],
        "conferences": [{"name": "Team room", "members_max": 50}],
        "wrap_up_codes": ["Solved", "Order changed", "Complaint", "Call back", "Wrong number"],
        "trunks": [{
            "name": OUTSIDE_TRUNK, "auth": {"by": "address", "networks": [format!("{}/32", outside())]},
            "rules": {"country_code": "1", "international_prefix": "011", "send_plus": true},
            "dial_prefixes": ["+"], "health_interval_s": 30,
        }],
        "numbers": [
            {"number": SUPPORT_NUMBER, "name": "Support line", "public": true, "destination": {"to": "queue", "queue": "Support"}},
            {"number": "+15550110", "name": "Lent to customers of the shop page", "public": true, "destination": {"to": "queue", "queue": "Sales"}},
            {"number": "+15550111", "name": "Lent to customers of the shop page", "public": true, "destination": {"to": "queue", "queue": "Sales"}},
            {"number": "600", "name": "Support", "destination": {"to": "queue", "queue": "Support"}},
            {"number": "601", "name": "Sales", "destination": {"to": "queue", "queue": "Sales"}},
            {"number": "602", "name": "Team room", "destination": {"to": "conference", "conference": "Team room"}},
            {"number": "603", "name": "Echo test", "destination": {"to": "echo"}},
            {"number": "604", "name": "Music", "destination": {"to": "announce", "sound": {"kind": "prompt", "name": "music"}}},
            {"number": "605", "name": "Menu", "destination": {
                "to": "menu", "prompt": speech("For support press 1. For sales press 2. For the echo test press 3."), "timeout_ms": 8_000,
                "choices": {"1": {"to": "queue", "queue": "Support"}, "2": {"to": "queue", "queue": "Sales"}, "3": {"to": "echo"}},
                "fallback": {"to": "queue", "queue": "Support"},
            }},
        ],
    }]});
    let path = data.join("demo-tenant.json");
    write_private(&path, &serde_json::to_string_pretty(&file)?)?;
    Ok(path)
}
