//! Results that agents give finished work.

use crate::auth::permission::Permission;
use crate::crud::{Making, Resource};
use crate::problem::FieldError;
use cp_vocab::WrapUpCodeId;
use cp_vocab::model::WrapUpCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WrapUpCodeInput {
    #[schema(min_length = 1, max_length = 100)]
    pub(crate) name: String,
}

pub(crate) struct WrapUpCodes;

impl Resource for WrapUpCodes {
    type Id = WrapUpCodeId;
    type Row = WrapUpCode;
    type Input = WrapUpCodeInput;
    const PATHS: (&'static str, &'static str) = ("/v1/wrap-up-codes", "/v1/wrap-up-codes/{id}");
    const IDS: [&'static str; 5] = [
        "listWrapUpCodes",
        "createWrapUpCode",
        "getWrapUpCode",
        "changeWrapUpCode",
        "removeWrapUpCode",
    ];
    const TAG: &'static str = "Wrap-up codes";
    const SCHEMA: &'static str = "WrapUpCode";
    const READ: &'static [Permission] = &[Permission::WrapUpCodesRead];
    const WRITE: &'static [Permission] = &[Permission::WrapUpCodesWrite];

    fn id(row: &WrapUpCode) -> WrapUpCodeId {
        row.id
    }
    fn input(row: &WrapUpCode) -> WrapUpCodeInput {
        WrapUpCodeInput {
            name: row.name.clone(),
        }
    }
    fn build(
        input: WrapUpCodeInput,
        of: &Making<'_, WrapUpCodeId, WrapUpCode>,
    ) -> Result<WrapUpCode, Vec<FieldError>> {
        Ok(WrapUpCode {
            id: of.id,
            tenant: of.tenant,
            name: input.name,
        })
    }
}
