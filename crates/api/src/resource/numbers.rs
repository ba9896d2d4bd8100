//! What can be dialled, and where it leads.

use crate::auth::permission::Permission;
use crate::crud::{Making, Resource};
use crate::problem::FieldError;
use crate::resource::check_dialable;
use crate::schema::vocabulary as published;
use cp_vocab::NumberId;
use cp_vocab::model::{Destination, KeepIdentity, Number};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NumberInput {
    /// E.164 with `+`, an extension, or a name: as callers and phones dial it.
    #[schema(min_length = 1, max_length = 64)]
    pub(crate) number: String,
    #[serde(default)]
    #[schema(max_length = 100)]
    pub(crate) name: String,
    #[schema(value_type = published::Destination)]
    pub(crate) destination: Destination,
    /// Whether trunks may reach it; otherwise only the tenant's own phones.
    #[serde(default)]
    pub(crate) public: bool,
    /// Whether the identity of its calls is kept for when they come back; null: as the trunk says.
    #[serde(default)]
    #[schema(value_type = Option<crate::schema::identity::KeepIdentity>)]
    pub(crate) keep_identity: Option<KeepIdentity>,
}

pub(crate) struct Numbers;

impl Resource for Numbers {
    type Id = NumberId;
    type Row = Number;
    type Input = NumberInput;
    const PATHS: (&'static str, &'static str) = ("/v1/numbers", "/v1/numbers/{id}");
    const IDS: [&'static str; 5] = [
        "listNumbers",
        "createNumber",
        "getNumber",
        "changeNumber",
        "removeNumber",
    ];
    const TAG: &'static str = "Numbers";
    const SCHEMA: &'static str = "Number";
    const READ: &'static [Permission] = &[Permission::NumbersRead];
    const WRITE: &'static [Permission] = &[Permission::NumbersWrite];

    fn id(row: &Number) -> NumberId {
        row.id
    }
    fn input(row: &Number) -> NumberInput {
        NumberInput {
            number: row.number.clone(),
            name: row.name.clone(),
            destination: row.destination.clone(),
            public: row.public,
            keep_identity: row.keep_identity,
        }
    }
    fn build(
        input: NumberInput,
        of: &Making<'_, NumberId, Number>,
    ) -> Result<Number, Vec<FieldError>> {
        let mut errors = Vec::new();
        check_dialable(&input.number, "/number", &mut errors);
        check_number(&input.destination, "/destination", &mut errors);
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Number {
            id: of.id,
            tenant: of.tenant,
            number: input.number,
            name: input.name,
            destination: input.destination,
            public: input.public,
            keep_identity: input.keep_identity,
        })
    }
}

/// Hours stand where a number leads, before anything else.
fn check_number(destination: &Destination, at: &str, errors: &mut Vec<FieldError>) {
    match destination {
        Destination::Hours { open, closed, .. } => {
            check_number(open, &format!("{at}/open"), errors);
            check_number(closed, &format!("{at}/closed"), errors);
        }
        other => check_menus(other, at, errors),
    }
}

/// Menus are chosen from by what a telephone can send.
pub(crate) fn check_menus(destination: &Destination, at: &str, errors: &mut Vec<FieldError>) {
    if let Destination::Await {
        then, otherwise, ..
    } = destination
    {
        check_menus(then, &format!("{at}/then"), errors);
        check_menus(otherwise, &format!("{at}/otherwise"), errors);
    }
    if let Destination::Hours { .. } = destination {
        let detail = "business hours stand where a number leads, not inside of menus and overflows";
        errors.push(FieldError::new(at, "format", detail));
    }
    let Destination::Menu {
        choices, fallback, ..
    } = destination
    else {
        return;
    };
    for (key, chosen) in choices {
        let at = format!("{at}/choices/{key}");
        if !"0123456789*#".contains(*key) {
            let detail = "a choice is one of 0 to 9, * and #";
            errors.push(FieldError::new(&at, "format", detail));
        }
        check_menus(chosen, &at, errors);
    }
    check_menus(fallback, &format!("{at}/fallback"), errors);
}
