//! Rooms that callers share.

use crate::auth::permission::Permission;
use crate::crud::{Making, Resource};
use crate::problem::FieldError;
use cp_vocab::ConferenceId;
use cp_vocab::model::Conference;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConferenceInput {
    #[schema(min_length = 1, max_length = 100)]
    pub(crate) name: String,
    #[serde(default = "members_max")]
    #[schema(minimum = 2, maximum = 1000, default = 50)]
    pub(crate) members_max: u32,
    #[serde(default)]
    pub(crate) record: bool,
}

fn members_max() -> u32 {
    50
}

pub(crate) struct Conferences;

impl Resource for Conferences {
    type Id = ConferenceId;
    type Row = Conference;
    type Input = ConferenceInput;
    const PATHS: (&'static str, &'static str) = ("/v1/conferences", "/v1/conferences/{id}");
    const IDS: [&'static str; 5] = [
        "listConferences",
        "createConference",
        "getConference",
        "changeConference",
        "removeConference",
    ];
    const TAG: &'static str = "Conferences";
    const SCHEMA: &'static str = "Conference";
    const READ: &'static [Permission] = &[Permission::ConferencesRead];
    const WRITE: &'static [Permission] = &[Permission::ConferencesWrite];

    fn id(row: &Conference) -> ConferenceId {
        row.id
    }
    fn input(row: &Conference) -> ConferenceInput {
        ConferenceInput {
            name: row.name.clone(),
            members_max: row.members_max,
            record: row.record,
        }
    }
    fn build(
        input: ConferenceInput,
        of: &Making<'_, ConferenceId, Conference>,
    ) -> Result<Conference, Vec<FieldError>> {
        Ok(Conference {
            id: of.id,
            tenant: of.tenant,
            name: input.name,
            members_max: input.members_max,
            record: input.record,
        })
    }
}
