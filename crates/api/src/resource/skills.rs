//! What agents know, and queues ask for.

use crate::auth::permission::Permission;
use crate::crud::{Making, Resource};
use crate::problem::FieldError;
use cp_vocab::SkillId;
use cp_vocab::model::Skill;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SkillInput {
    #[schema(min_length = 1, max_length = 100)]
    pub(crate) name: String,
}

pub(crate) struct Skills;

impl Resource for Skills {
    type Id = SkillId;
    type Row = Skill;
    type Input = SkillInput;
    const PATHS: (&'static str, &'static str) = ("/v1/skills", "/v1/skills/{id}");
    const IDS: [&'static str; 5] = [
        "listSkills",
        "createSkill",
        "getSkill",
        "changeSkill",
        "removeSkill",
    ];
    const TAG: &'static str = "Skills";
    const SCHEMA: &'static str = "Skill";
    const READ: &'static [Permission] = &[Permission::SkillsRead];
    const WRITE: &'static [Permission] = &[Permission::SkillsWrite];

    fn id(row: &Skill) -> SkillId {
        row.id
    }
    fn input(row: &Skill) -> SkillInput {
        SkillInput {
            name: row.name.clone(),
        }
    }
    fn build(input: SkillInput, of: &Making<'_, SkillId, Skill>) -> Result<Skill, Vec<FieldError>> {
        Ok(Skill {
            id: of.id,
            tenant: of.tenant,
            name: input.name,
        })
    }
}
