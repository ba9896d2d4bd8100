//! Business hours, and the button that tries them.

use crate::auth::Caller;
use crate::auth::permission::Permission;
use crate::crud::{Making, Resource};
use crate::extract::{Body, Id, Query};
use crate::operation::{self, Api};
use crate::problem::{FieldError, Problem, Reply};
use crate::state::ApiState;
use axum::extract::State;
use axum::response::IntoResponse;
use cp_store::StoreExt;
use cp_vocab::id::TypedId;
use cp_vocab::schedule::{
    ClockTime, DayHours, Interval, Opening, Schedule, SpecialDay, is_time_zone,
};
use cp_vocab::{ScheduleId, TenantId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeSet;
use utoipa::ToSchema;

/// Hours are part of where numbers lead: whoever may change the one may change the other.
const READ: &[Permission] = &[Permission::NumbersRead];
const WRITE: &[Permission] = &[Permission::NumbersWrite];

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Day)]
#[allow(dead_code)]
enum DayView {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

/// From a time to a time; an `until` that is not later is on the next day.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Interval)]
#[allow(dead_code)]
struct IntervalView {
    #[schema(max_length = 5)]
    from: String,
    #[schema(max_length = 5)]
    until: String,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DayHours)]
#[allow(dead_code)]
struct DayHoursView {
    #[schema(inline)]
    day: DayView,
    /// HH:MM, local.
    #[schema(max_length = 5)]
    from: String,
    /// HH:MM; 24:00 is midnight, and what is not later than `from` is on the next day.
    #[schema(max_length = 5)]
    until: String,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SpecialDay)]
#[allow(dead_code)]
struct SpecialDayView {
    #[schema(format = Date)]
    date: String,
    #[serde(default)]
    #[schema(max_length = 100)]
    name: String,
    /// None: closed all day.
    #[serde(default)]
    #[schema(max_items = 10, inline)]
    open: Vec<IntervalView>,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScheduleInput {
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// IANA name, as `Europe/Berlin`.
    #[schema(min_length = 1, max_length = 64)]
    time_zone: String,
    /// Hours of the week; a day without any is closed, a day may have several.
    #[schema(value_type = Vec<DayHoursView>, max_items = 70, inline)]
    week: Vec<DayHours>,
    /// Holidays and other days that are not like the week.
    #[serde(default)]
    #[schema(value_type = Vec<SpecialDayView>, max_items = 400, inline)]
    special_days: Vec<SpecialDay>,
}

/// Whether it is open at an instant.
#[derive(Serialize, ToSchema)]
#[schema(as = Opening)]
struct OpeningView {
    #[schema(format = DateTime)]
    at: String,
    /// The instant as the clock on the wall shows it.
    local: String,
    open: bool,
    /// Name of the special day that decides.
    special_day: Option<String>,
    /// When it changes next; none when it does not within a year.
    until: Option<String>,
}

impl OpeningView {
    fn of(opening: Opening, at: Timestamp) -> Self {
        Self {
            at: at.to_rfc3339(),
            local: opening.local,
            open: opening.open,
            special_day: opening.special_day,
            until: opening.until.map(|u| u.to_rfc3339()),
        }
    }
}

/// Hours to try before they are kept.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TryInput {
    schedule: ScheduleInput,
    /// RFC 3339; now when left out.
    #[serde(default)]
    #[schema(max_length = 40)]
    at: Option<String>,
}

pub(crate) struct Schedules;

impl Resource for Schedules {
    type Id = ScheduleId;
    type Row = Schedule;
    type Input = ScheduleInput;
    const PATHS: (&'static str, &'static str) = ("/v1/schedules", "/v1/schedules/{id}");
    const IDS: [&'static str; 5] = [
        "listSchedules",
        "createSchedule",
        "getSchedule",
        "changeSchedule",
        "removeSchedule",
    ];
    const TAG: &'static str = "Business hours";
    const SCHEMA: &'static str = "Schedule";
    const READ: &'static [Permission] = READ;
    const WRITE: &'static [Permission] = WRITE;

    fn id(row: &Schedule) -> ScheduleId {
        row.id
    }
    fn input(row: &Schedule) -> ScheduleInput {
        ScheduleInput {
            name: row.name.clone(),
            time_zone: row.time_zone.clone(),
            week: row.week.clone(),
            special_days: row.special_days.clone(),
        }
    }
    fn build(
        input: ScheduleInput,
        of: &Making<'_, ScheduleId, Schedule>,
    ) -> Result<Schedule, Vec<FieldError>> {
        build(input, of.id, of.tenant)
    }
}

fn build(
    input: ScheduleInput,
    id: ScheduleId,
    tenant: TenantId,
) -> Result<Schedule, Vec<FieldError>> {
    let mut errors = Vec::new();
    if !is_time_zone(&input.time_zone) {
        let detail = "no time zone of this name; names are like Europe/Berlin or America/New_York";
        errors.push(FieldError::new("/time_zone", "format", detail));
    }
    let same = |from: ClockTime, until: ClockTime| from == until;
    let detail = "opens and closes at the same time; a whole day is 00:00 to 24:00";
    for (n, h) in input.week.iter().enumerate() {
        if same(h.from, h.until) {
            errors.push(FieldError::new(
                format!("/week/{n}/until"),
                "format",
                detail,
            ));
        }
    }
    let mut dates = BTreeSet::new();
    for (n, day) in input.special_days.iter().enumerate() {
        if !dates.insert(day.date) {
            let detail = "this day is there already; a day may have several hours";
            errors.push(FieldError::new(
                format!("/special_days/{n}/date"),
                "duplicate",
                detail,
            ));
        }
        let empty = |i: &Interval| same(i.from, i.until);
        if let Some(k) = day.open.iter().position(empty) {
            errors.push(FieldError::new(
                format!("/special_days/{n}/open/{k}/until"),
                "format",
                detail,
            ));
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    Ok(Schedule {
        id,
        tenant,
        name: input.name,
        time_zone: input.time_zone,
        week: input.week,
        special_days: input.special_days,
    })
}

pub(crate) fn add_opening(api: &mut Api) {
    let tag = "Business hours";
    let at = json!({ "type": "string", "format": "date-time" });
    api.add(
        operation::get(
            "/v1/schedules/{id}/opening",
            "getOpening",
            tag,
            "Whether it is open at an instant",
        )
        .needs(READ)
        .path_id(ScheduleId::PREFIX)
        .query("at", at, "The instant; now when left out.")
        .replies::<OpeningView>(200, "Open or closed, and until when"),
        opening,
    );
    api.add(
        operation::post(
            "/v1/schedule-trials",
            "trySchedule",
            tag,
            "Try hours before they are kept",
        )
        .needs(READ)
        .body::<TryInput>()
        .replies::<OpeningView>(200, "Open or closed, and until when"),
        attempt,
    );
}

async fn opening(
    State(state): State<ApiState>,
    caller: Caller,
    Id(id): Id<ScheduleId>,
    query: Query,
) -> Reply {
    let at = query.parse::<Timestamp>("at", "an RFC 3339 time", Timestamp::parse_rfc3339);
    query.finish()?;
    let at = at.unwrap_or_else(|| state.now());
    let tenant = caller.tenant;
    let row = state.store(move |s| s.get::<Schedule>(tenant, id)).await?;
    Ok(axum::Json(OpeningView::of(row.row.opening(at), at)).into_response())
}

async fn attempt(
    State(state): State<ApiState>,
    caller: Caller,
    Body(input): Body<TryInput>,
) -> Reply {
    let wrong = || {
        vec![FieldError::new(
            "/at",
            "format",
            "a time as 2026-01-31T09:00:00Z",
        )]
    };
    let at = match input.at.as_deref() {
        Some(text) => Timestamp::parse_rfc3339(text).ok_or_else(|| Problem::invalid(wrong()))?,
        None => state.now(),
    };
    let id = ScheduleId::from_u128(0);
    let schedule = build(input.schedule, id, caller.tenant).map_err(Problem::invalid)?;
    Ok(axum::Json(OpeningView::of(schedule.opening(at), at)).into_response())
}
