//! People who take work.

use crate::auth::permission::Permission;
use crate::crud::{Making, Resource};
use crate::problem::FieldError;
use crate::resource::{Written, check_dialable, link};
use crate::schema::vocabulary as published;
use cp_store::Change;
use cp_vocab::model::{Agent, SkillLevel, Snapshot};
use cp_vocab::{AgentId, PhoneId, QueueId, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AgentInput {
    #[schema(min_length = 1, max_length = 100)]
    pub(crate) name: String,
    /// What colleagues dial.
    #[schema(min_length = 1, max_length = 32)]
    pub(crate) extension: String,
    /// Who signs in as this agent.
    #[serde(default)]
    #[schema(value_type = Option<published::UserId>)]
    pub(crate) user: Option<UserId>,
    #[serde(default)]
    #[schema(value_type = Vec<published::SkillLevel>, max_items = 100)]
    pub(crate) skills: Vec<SkillLevel>,
    #[serde(default)]
    #[schema(value_type = Vec<published::QueueId>, max_items = 200)]
    pub(crate) queues: Vec<QueueId>,
    /// The phone that rings; the phone's `agent` follows.
    #[serde(default)]
    #[schema(value_type = Option<published::PhoneId>)]
    pub(crate) phone: Option<PhoneId>,
    /// Presence follows the phone: available while it is registered.
    #[serde(default)]
    pub(crate) available_when_registered: bool,
    /// Overrides the queue's wrap-up time.
    #[serde(default)]
    #[schema(maximum = 3_600_000)]
    pub(crate) wrap_up_ms: Option<u64>,
}

pub(crate) struct Agents;

impl Resource for Agents {
    type Id = AgentId;
    type Row = Agent;
    type Input = AgentInput;
    const PATHS: (&'static str, &'static str) = ("/v1/agents", "/v1/agents/{id}");
    const IDS: [&'static str; 5] = [
        "listAgents",
        "createAgent",
        "getAgent",
        "changeAgent",
        "removeAgent",
    ];
    const TAG: &'static str = "Agents";
    const SCHEMA: &'static str = "Agent";
    const READ: &'static [Permission] = &[Permission::AgentsRead];
    const WRITE: &'static [Permission] = &[Permission::AgentsWrite];

    fn id(row: &Agent) -> AgentId {
        row.id
    }
    fn input(row: &Agent) -> AgentInput {
        AgentInput {
            name: row.name.clone(),
            extension: row.extension.clone(),
            user: row.user,
            skills: row.skills.clone(),
            queues: row.queues.clone(),
            phone: row.phone,
            available_when_registered: row.available_when_registered,
            wrap_up_ms: row.wrap_up_ms,
        }
    }
    fn build(input: AgentInput, of: &Making<'_, AgentId, Agent>) -> Result<Agent, Vec<FieldError>> {
        let errors = faults(&input, of);
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Agent {
            id: of.id,
            tenant: of.tenant,
            user: input.user,
            name: input.name,
            extension: input.extension,
            skills: input.skills,
            queues: input.queues,
            phone: input.phone,
            available_when_registered: input.available_when_registered,
            wrap_up_ms: input.wrap_up_ms,
        })
    }
    fn mirrored(snapshot: &Snapshot, id: AgentId, after: Option<&Agent>) -> Vec<Change> {
        let before = snapshot.agents.iter().find(|a| a.id == id);
        let Some(tenant) = after.or(before).map(|a| a.tenant) else {
            return Vec::new();
        };
        let phone = after.and_then(|a| a.phone);
        link(snapshot, tenant, Some(id), phone, Written::Agent(id))
    }
}

fn faults(input: &AgentInput, of: &Making<'_, AgentId, Agent>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    check_dialable(&input.extension, "/extension", &mut errors);
    let same_user = |a: &&Agent| a.user.is_some() && a.user == input.user && a.id != of.id;
    if let Some(other) = of.snapshot.agents.iter().find(same_user) {
        let detail = format!("this person is the agent {} already", other.id);
        errors.push(FieldError::new("/user", "taken", detail));
    }
    for (i, s) in input.skills.iter().enumerate() {
        if input.skills[..i].iter().any(|t| t.skill == s.skill) {
            let at = format!("/skills/{i}/skill");
            errors.push(FieldError::new(at, "conflict", "each skill once"));
        }
    }
    errors
}
