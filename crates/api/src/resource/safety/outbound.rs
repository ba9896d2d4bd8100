//! Rules for outgoing calls: where, when, how many, for how much.

use super::{PREFIX, change, patched, published, read, refuse};
use crate::auth::Caller;
use crate::auth::permission::Permission;
use crate::extract::{Body, Document, if_match};
use crate::operation::{self, Api};
use crate::problem::{Problem, Reply};
use crate::state::ApiState;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use cp_vocab::dialling::is_country;
use cp_vocab::safety::{Lifted, Outbound, Safety, is_time_zone};
use cp_vocab::{Code, Command};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;
use utoipa::ToSchema;

const READ: &[Permission] = &[Permission::OutboundRead];
const WRITE: &[Permission] = &[Permission::OutboundWrite];
/// Not written here: the limits are lifted by an operation of its own.
const KEEP: &[&str] = &["lifted"];

/// What may be dialled outside, and how much of it. Empty lists and 0 limit nothing.
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = Outbound)]
#[serde(deny_unknown_fields)]
pub(super) struct OutboundInput {
    /// Prefixes in E.164 that may be dialled; the longest of `allow` and `block` decides.
    #[schema(max_items = 1000, min_length = 0, max_length = 16)]
    allow: Vec<String>,
    #[schema(max_items = 1000)]
    block: Vec<String>,
    /// ISO 3166-1 alpha-2.
    #[schema(max_items = 300)]
    countries: Vec<String>,
    #[schema(max_items = 300)]
    blocked_countries: Vec<String>,
    #[schema(max_length = 2)]
    home_country: String,
    international: bool,
    premium: bool,
    /// Satellites and networks without a country.
    networks: bool,
    sip_addresses: bool,
    calls_max: u32,
    calls_per_minute_max: u32,
    /// Calls to one number within an hour that raise an alert.
    same_number_alert: u32,
    #[schema(max_items = 1000)]
    rates: Vec<RateInput>,
    /// Millionths of your currency. With a limit, numbers without a rate are refused.
    spend_daily_max_micros: u64,
    spend_monthly_max_micros: u64,
    #[schema(minimum = 1, maximum = 100)]
    alert_pct: u8,
    at_limit: AtLimitInput,
    #[schema(max_items = 100)]
    hours: Vec<HoursInput>,
    /// IANA name; empty: UTC.
    #[schema(max_length = 64)]
    time_zone: String,
}

/// Running calls when the money is spent: `cut` ends them, `finish` lets them go on.
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = OutboundAtLimit)]
#[serde(rename_all = "snake_case")]
enum AtLimitInput {
    Cut,
    Finish,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = OutboundRate)]
#[serde(deny_unknown_fields)]
struct RateInput {
    #[schema(max_length = 16)]
    prefix: String,
    per_minute_micros: u64,
    #[serde(default)]
    connect_micros: u64,
    /// Begun steps of so many seconds are counted whole.
    #[serde(default)]
    #[schema(maximum = 3600)]
    step_s: u32,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = OutboundHours)]
#[serde(deny_unknown_fields)]
struct HoursInput {
    /// 1 (Monday) to 7; empty: every day.
    #[serde(default)]
    #[schema(max_items = 7)]
    days: Vec<u8>,
    #[schema(maximum = 1439)]
    from_minute: u16,
    #[schema(minimum = 1, maximum = 1440)]
    to_minute: u16,
}

#[derive(Deserialize, ToSchema)]
#[schema(as = OutboundLift)]
#[serde(deny_unknown_fields)]
struct LiftInput {
    #[schema(minimum = 1, maximum = 10080)]
    minutes: u32,
    #[schema(min_length = 3, max_length = 300)]
    reason: String,
}

/// Calls now, and what is spent with them, in millionths of your currency.
#[derive(ToSchema)]
#[schema(as = OutboundUsage)]
#[allow(dead_code)]
struct UsageView {
    calls: u32,
    calls_max: u32,
    spent_today_micros: u64,
    spend_daily_max_micros: u64,
    spent_this_month_micros: u64,
    spend_monthly_max_micros: u64,
}

pub(super) fn add(api: &mut Api) {
    let tag = "Outbound";
    api.add(
        operation::get(
            "/v1/outbound",
            "getOutbound",
            tag,
            "Read the rules for outgoing calls",
        )
        .needs(READ)
        .replies::<OutboundInput>(200, "The rules"),
        get,
    );
    api.add(
        operation::patch(
            "/v1/outbound",
            "changeOutbound",
            tag,
            "Change the rules for outgoing calls",
        )
        .describe("They hold for the next call; what runs goes on, unless its money is spent.")
        .needs(WRITE)
        .header("If-Match", "The `ETag` you read.")
        .merge_patch::<OutboundInput>()
        .replies::<OutboundInput>(200, "Changed"),
        patch,
    );
    api.add(
        operation::get(
            "/v1/outbound/usage",
            "getOutboundUsage",
            tag,
            "Calls and money now",
        )
        .needs(READ)
        .replies::<UsageView>(200, "Now"),
        usage,
    );
    api.add(
        operation::post("/v1/outbound/lift", "liftOutbound", tag, "Lift the limits for a while")
            .describe("Calls, rates and money are not limited until then; what may be dialled is. Who, why and how long is told as `tenant.outbound_lifted`.")
            .needs(WRITE)
            .body::<LiftInput>()
            .idempotent()
            .replies::<OutboundInput>(200, "Lifted"),
        lift,
    );
    api.add(
        operation::delete(
            "/v1/outbound/lift",
            "lowerOutbound",
            tag,
            "Let the limits hold again",
        )
        .needs(WRITE)
        .replies::<OutboundInput>(200, "They hold"),
        lower,
    );
}

fn view(safety: &Safety) -> Value {
    published(&safety.outbound, KEEP)
}

async fn get(State(state): State<ApiState>, caller: Caller) -> Reply {
    read(&state, &caller, view).await
}

async fn patch(
    State(state): State<ApiState>,
    caller: Caller,
    headers: HeaderMap,
    Document(patch): Document,
) -> Reply {
    let expected = if_match(&headers)?;
    change(&state, caller, expected, view, move |safety, _| {
        let new = patched::<OutboundInput, Outbound>(&safety.outbound, KEEP, patch)?;
        check(&new)?;
        safety.outbound = new;
        Ok(())
    })
    .await
}

/// What the published form cannot say.
fn check(rules: &Outbound) -> Result<(), Problem> {
    let prefixes = [("/allow", &rules.allow), ("/block", &rules.block)];
    let rates: Vec<String> = rules.rates.iter().map(|r| r.prefix.clone()).collect();
    let all = prefixes
        .iter()
        .map(|(p, l)| (*p, *l))
        .chain([("/rates", &rates)]);
    for (pointer, list) in all {
        let fine = |p: &String| {
            let digits = p.strip_prefix('+').unwrap_or(p);
            digits.len() <= 15 && digits.bytes().all(|b| b.is_ascii_digit())
        };
        if let Some(i) = list.iter().position(|p| !fine(p)) {
            let detail = format!("a prefix has the form {PREFIX}");
            return Err(refuse(format!("{pointer}/{i}"), "format", &detail));
        }
    }
    let home = vec![rules.home_country.clone()];
    let home = if rules.home_country.is_empty() {
        vec![]
    } else {
        home
    };
    let countries = [
        ("/countries", &rules.countries),
        ("/blocked_countries", &rules.blocked_countries),
        ("/home_country", &home),
    ];
    for (pointer, list) in countries {
        if let Some(unknown) = list.iter().find(|c| !is_country(c)) {
            let detail = format!("{unknown} is no country of ISO 3166-1 (two capital letters)");
            return Err(refuse(pointer, "format", &detail));
        }
    }
    if !rules.international && rules.home_country.is_empty() {
        return Err(refuse(
            "/home_country",
            "required",
            "say where home is when nothing may leave it",
        ));
    }
    if !is_time_zone(&rules.time_zone) {
        return Err(refuse(
            "/time_zone",
            "format",
            "no such time zone; use an IANA name such as Europe/Berlin",
        ));
    }
    let wrong = |h: &cp_vocab::safety::Hours| {
        h.from_minute >= h.to_minute || h.days.iter().any(|d| !(1..=7).contains(d))
    };
    if let Some(i) = rules.hours.iter().position(wrong) {
        let detail = "hours begin before they end, and days are 1 to 7";
        return Err(refuse(format!("/hours/{i}"), "format", detail));
    }
    Ok(())
}

async fn usage(State(state): State<ApiState>, caller: Caller) -> Reply {
    let reply = state
        .command(caller.tenant, caller.actor(), Command::OutboundUsage)
        .await?;
    let document = reply
        .document
        .ok_or_else(|| Problem::new(Code::Internal, "no figures"))?;
    Ok(axum::Json(document).into_response())
}

async fn lift(
    State(state): State<ApiState>,
    caller: Caller,
    Body(input): Body<LiftInput>,
) -> Reply {
    let until = state.now() + Duration::from_secs(u64::from(input.minutes) * 60);
    let by = caller.principal.to_string();
    change(&state, caller, None, view, move |safety, _| {
        safety.outbound.lifted = Some(Lifted {
            until,
            reason: input.reason,
            by,
        });
        Ok(())
    })
    .await
}

async fn lower(State(state): State<ApiState>, caller: Caller) -> Reply {
    change(&state, caller, None, view, |safety, _| {
        safety.outbound.lifted = None;
        Ok(())
    })
    .await
}
