//! Lines that callers wait in.

use crate::auth::permission::Permission;
use crate::crud::{Making, Resource};
use crate::problem::FieldError;
use crate::resource::numbers::check_menus;
use crate::schema::vocabulary as published;
use cp_vocab::id::TypedId;
use cp_vocab::media::Sound;
use cp_vocab::model::{
    Destination, DeviceKind, Gate, Queue, Relaxation, SelectionRule, SkillLevel,
};
use cp_vocab::{QueueId, TenantId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What is left out takes the defaults of a new queue.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct QueueInput {
    #[schema(required = true, min_length = 1, max_length = 100)]
    pub(crate) name: String,
    /// Higher goes first.
    #[schema(minimum = -1000, maximum = 1000)]
    pub(crate) priority: i32,
    #[schema(value_type = Vec<published::SkillLevel>, max_items = 50)]
    pub(crate) skills: Vec<SkillLevel>,
    #[schema(value_type = published::SelectionRule)]
    pub(crate) selection: SelectionRule,
    #[schema(value_type = Vec<published::Relaxation>, max_items = 20)]
    pub(crate) relaxations: Vec<Relaxation>,
    /// Waiting at most; 0: the house limit.
    pub(crate) waiting_max: u32,
    #[schema(minimum = 1_000, maximum = 86_400_000)]
    pub(crate) wait_ms_max: u64,
    /// Where a caller goes after the longest wait, or when the queue is full.
    #[schema(value_type = Option<published::Destination>)]
    pub(crate) overflow: Option<Destination>,
    #[schema(minimum = 3_000, maximum = 120_000)]
    pub(crate) ring_ms_max: u64,
    /// An agent who lets an offer ring out is set to not responding.
    pub(crate) demote_on_no_answer: bool,
    #[schema(maximum = 3_600_000)]
    pub(crate) wrap_up_ms: u64,
    /// Service level: this share of calls …
    #[schema(minimum = 1, maximum = 100)]
    pub(crate) service_level_pct: u8,
    /// … answered within this time.
    #[schema(minimum = 1_000, maximum = 3_600_000)]
    pub(crate) service_level_ms: u64,
    #[schema(value_type = Option<published::Sound>)]
    pub(crate) greeting: Option<Sound>,
    #[schema(value_type = Option<published::Sound>)]
    pub(crate) music: Option<Sound>,
    /// Position and estimated wait are said this often; 0: never.
    #[schema(maximum = 3_600_000)]
    pub(crate) announce_every_ms: u64,
    pub(crate) record: bool,
    /// Refuse at once when no agent is signed in.
    pub(crate) refuse_when_unstaffed: bool,
    /// What callers must have met before they wait here, and before any agent is offered them.
    #[schema(value_type = Option<published::Gate>)]
    pub(crate) gate: Option<Gate>,
    /// Kinds of device its calls may not be moved to.
    #[schema(value_type = Vec<published::DeviceKind>, max_items = 5)]
    pub(crate) switch_forbidden: Vec<DeviceKind>,
}

impl Default for QueueInput {
    fn default() -> Self {
        let (nobody, none) = (TenantId::from_u128(0), QueueId::from_u128(0));
        Queues::input(&Queue::with_defaults(none, nobody, ""))
    }
}

pub(crate) struct Queues;

impl Resource for Queues {
    type Id = QueueId;
    type Row = Queue;
    type Input = QueueInput;
    const PATHS: (&'static str, &'static str) = ("/v1/queues", "/v1/queues/{id}");
    const IDS: [&'static str; 5] = [
        "listQueues",
        "createQueue",
        "getQueue",
        "changeQueue",
        "removeQueue",
    ];
    const TAG: &'static str = "Queues";
    const SCHEMA: &'static str = "Queue";
    const READ: &'static [Permission] = &[Permission::QueuesRead];
    const WRITE: &'static [Permission] = &[Permission::QueuesWrite];

    fn id(row: &Queue) -> QueueId {
        row.id
    }
    fn input(row: &Queue) -> QueueInput {
        QueueInput {
            name: row.name.clone(),
            priority: row.priority,
            skills: row.skills.clone(),
            selection: row.selection,
            relaxations: row.relaxations.clone(),
            waiting_max: row.waiting_max,
            wait_ms_max: row.wait_ms_max,
            overflow: row.overflow.clone(),
            ring_ms_max: row.ring_ms_max,
            demote_on_no_answer: row.demote_on_no_answer,
            wrap_up_ms: row.wrap_up_ms,
            service_level_pct: row.service_level_pct,
            service_level_ms: row.service_level_ms,
            greeting: row.greeting.clone(),
            music: row.music.clone(),
            announce_every_ms: row.announce_every_ms,
            record: row.record,
            refuse_when_unstaffed: row.refuse_when_unstaffed,
            gate: row.gate.clone(),
            switch_forbidden: row.switch_forbidden.clone(),
        }
    }
    fn build(input: QueueInput, of: &Making<'_, QueueId, Queue>) -> Result<Queue, Vec<FieldError>> {
        let errors = faults(&input, of.id);
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Queue {
            id: of.id,
            tenant: of.tenant,
            name: input.name,
            priority: input.priority,
            skills: input.skills,
            selection: input.selection,
            relaxations: input.relaxations,
            waiting_max: input.waiting_max,
            wait_ms_max: input.wait_ms_max,
            overflow: input.overflow,
            ring_ms_max: input.ring_ms_max,
            demote_on_no_answer: input.demote_on_no_answer,
            wrap_up_ms: input.wrap_up_ms,
            service_level_pct: input.service_level_pct,
            service_level_ms: input.service_level_ms,
            greeting: input.greeting,
            music: input.music,
            announce_every_ms: input.announce_every_ms,
            record: input.record,
            refuse_when_unstaffed: input.refuse_when_unstaffed,
            gate: input.gate,
            switch_forbidden: input.switch_forbidden,
        })
    }
}

fn faults(input: &QueueInput, id: QueueId) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if let Some(d) = &input.overflow {
        check_menus(d, "/overflow", &mut errors);
        if matches!(d, Destination::Queue { queue } if *queue == id) {
            let detail = "a queue cannot overflow into itself";
            errors.push(FieldError::new("/overflow/queue", "conflict", detail));
        }
    }
    if let Some(Gate {
        otherwise: Some(d), ..
    }) = &input.gate
    {
        check_menus(d, "/gate/otherwise", &mut errors);
        if matches!(&**d, Destination::Queue { queue } if *queue == id) {
            let detail = "leave otherwise out to let them into this queue all the same";
            errors.push(FieldError::new("/gate/otherwise/queue", "conflict", detail));
        }
    }
    if !input.relaxations.is_sorted_by_key(|r| r.after_ms) {
        let detail = "relaxations must be in the order of after_ms";
        errors.push(FieldError::new("/relaxations", "conflict", detail));
    }
    errors
}
