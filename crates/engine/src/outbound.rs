//! Guards against toll fraud: where a tenant may dial, when, how many calls, and for how much.
//!
//! Every outgoing leg passes [`Outbound::admit`] right before it is placed, whatever asked for it (a
//! phone, click to call, the API, a transfer, a REFER, a forwarding number), so no entry gets around
//! it. [`Outbound::check`] asks the same beforehand, for an early answer. Spending survives restarts
//! by the charges in the log.

use cp_vocab::dialling::{self, Kind};
use cp_vocab::safety::{AtLimit, LocalTime, Outbound as Rules, Rate};
use cp_vocab::*;
use rustc_hash::FxHashMap;
use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::time::Duration;

/// The window of `calls_per_minute_max`.
const MINUTE: Duration = Duration::from_secs(60);
/// The window of `same_number_alert`, and how often one alert is repeated.
const HOUR: Duration = Duration::from_secs(3_600);
/// Calls remembered for the rate; with more in a minute the oldest are forgotten.
const STARTS_MAX: usize = 10_000;
/// Numbers counted per tenant; when full the count starts anew.
const NUMBERS_MAX: usize = 5_000;
/// Refusals within a minute after which somebody is taken to be probing.
const REFUSALS_ALERT: u32 = 10;
/// Refused calls that get a line of their own in the log, per tenant and minute.
const REFUSALS_LOGGED_MAX: u32 = 20;
/// How far ahead the end of the money is looked for; beyond it one looks again.
const LOOK_AHEAD_S: u64 = 24 * 3_600;

/// What a call is admitted for.
pub(crate) struct Wanted<'a> {
    pub tenant: TenantId,
    pub rules: &'a Rules,
    /// In E.164 where that is known, else as it leaves.
    pub number: &'a str,
    /// A bare SIP address rather than a number by a trunk.
    pub by_address: bool,
}

/// Something a person should look at: what, and a sentence.
pub(crate) type Alert = (&'static str, String);

/// What an ended call cost.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Charge {
    pub prefix: String,
    pub seconds: u64,
    pub micros: u64,
    pub day: u32,
}

struct Running {
    rate: Option<Rate>,
    answered: Option<Timestamp>,
}

impl Running {
    fn cost(&self, at: Timestamp) -> u64 {
        match (&self.rate, self.answered) {
            (Some(rate), Some(since)) => rate.cost(at.since(since).as_secs()),
            _ => 0,
        }
    }
}

#[derive(Default)]
struct Usage {
    /// The local day that `spent_day` is of.
    day: u32,
    spent_day: u64,
    spent_month: u64,
    running: FxHashMap<LegId, Running>,
    starts: VecDeque<Timestamp>,
    numbers: FxHashMap<u64, (u32, Timestamp)>,
    refused: u32,
    refused_since: Timestamp,
    alerted: FxHashMap<&'static str, Timestamp>,
    /// When the money of calls that run now will be spent.
    cut_at: Option<Timestamp>,
}

impl Usage {
    /// Spent today and this month, ended calls only.
    fn spent(&self, today: LocalTime) -> (u64, u64) {
        let day = if self.day == today.day {
            self.spent_day
        } else {
            0
        };
        let month = if self.day / 100 == today.month() {
            self.spent_month
        } else {
            0
        };
        (day, month)
    }

    fn roll(&mut self, today: LocalTime) {
        (self.spent_day, self.spent_month) = self.spent(today);
        self.day = today.day;
    }

    fn running_cost(&self, at: Timestamp) -> u64 {
        let costs = self.running.values().map(|r| r.cost(at));
        costs.fold(0, u64::saturating_add)
    }

    /// What may still be spent, running calls counted; `None`: no limit.
    fn left(&self, rules: &Rules, today: LocalTime, at: Timestamp) -> Option<u64> {
        let (day, month) = self.spent(today);
        let limits = [
            (rules.spend_daily_max_micros, day),
            (rules.spend_monthly_max_micros, month),
        ];
        let left = limits
            .iter()
            .filter(|(max, _)| *max != 0)
            .map(|(max, spent)| max.saturating_sub(*spent))
            .min()?;
        Some(left.saturating_sub(self.running_cost(at)))
    }

    fn in_minute(&self, now: Timestamp) -> usize {
        let old = self.starts.partition_point(|t| now.since(*t) >= MINUTE);
        self.starts.len() - old
    }

    /// Whether this alert is due; the same one is given once an hour.
    fn due(&mut self, what: &'static str, now: Timestamp) -> bool {
        let last = self.alerted.get(what).copied();
        let due = last.is_none_or(|t| now.since(t) >= HOUR);
        if due {
            self.alerted.insert(what, now);
        }
        due
    }
}

#[derive(Default)]
pub(crate) struct Outbound {
    tenants: FxHashMap<TenantId, Usage>,
    /// Whose the outgoing legs are.
    legs: FxHashMap<LegId, TenantId>,
}

impl Outbound {
    /// Whether the call might leave now. `now` is wall-clock time here and below.
    pub(crate) fn check(&self, now: Timestamp, w: &Wanted<'_>) -> Result<(), EndReason> {
        destination(w)?;
        let today = LocalTime::of(now, &w.rules.time_zone);
        if !in_hours(w.rules, today) {
            return Err(EndReason::OutsideHours);
        }
        let priced = rate_of(w.rules, w.number).is_some();
        let limited = w.rules.spend_daily_max_micros != 0 || w.rules.spend_monthly_max_micros != 0;
        if limited && !priced && !w.by_address {
            // What it costs is not known, so nobody could say when the money is spent.
            return Err(EndReason::DestinationBlocked);
        }
        if lifted(w.rules, now) {
            return Ok(());
        }
        let none = Usage::default();
        let usage = self.tenants.get(&w.tenant).unwrap_or(&none);
        let over = |max: u32, n: usize| max != 0 && n >= max as usize;
        if over(w.rules.calls_max, usage.running.len())
            || over(w.rules.calls_per_minute_max, usage.in_minute(now))
        {
            return Err(EndReason::OutboundLimit);
        }
        match usage.left(w.rules, today, now) {
            Some(0) if priced => Err(EndReason::SpendLimit),
            _ => Ok(()),
        }
    }

    /// Lets the leg out, or says why not. Alerts are told in both cases.
    pub(crate) fn admit(
        &mut self,
        now: Timestamp,
        leg: LegId,
        w: &Wanted<'_>,
    ) -> (Result<(), EndReason>, Vec<Alert>) {
        let checked = self.check(now, w);
        let usage = self.tenants.entry(w.tenant).or_default();
        if let Err(why) = checked {
            return (Err(why), usage.refuse(now));
        }
        self.legs.insert(leg, w.tenant);
        usage.running.insert(
            leg,
            Running {
                rate: rate_of(w.rules, w.number).cloned(),
                answered: None,
            },
        );
        if usage.starts.len() >= STARTS_MAX {
            usage.starts.pop_front();
        }
        while usage
            .starts
            .front()
            .is_some_and(|t| now.since(*t) >= MINUTE)
        {
            usage.starts.pop_front();
        }
        usage.starts.push_back(now);
        (Ok(()), usage.alerts(now, w))
    }

    /// Whether a refusal is written down: the first ones of a minute are.
    pub(crate) fn logs_refusal(&self, tenant: TenantId) -> bool {
        self.tenants
            .get(&tenant)
            .is_none_or(|u| u.refused <= REFUSALS_LOGGED_MAX)
    }

    pub(crate) fn answered(&mut self, now: Timestamp, tenant: TenantId, leg: LegId, rules: &Rules) {
        let Some(usage) = self.tenants.get_mut(&tenant) else {
            return;
        };
        if let Some(running) = usage.running.get_mut(&leg) {
            running.answered = Some(now);
            usage.plan_cut(now, rules);
        }
    }

    /// The leg is over; what it cost is charged.
    pub(crate) fn ended(
        &mut self,
        now: Timestamp,
        tenant: TenantId,
        leg: LegId,
        rules: &Rules,
    ) -> Option<Charge> {
        self.legs.remove(&leg);
        let usage = self.tenants.get_mut(&tenant)?;
        let running = usage.running.remove(&leg)?;
        let micros = running.cost(now);
        let today = LocalTime::of(now, &rules.time_zone);
        usage.roll(today);
        usage.spent_day = usage.spent_day.saturating_add(micros);
        usage.spent_month = usage.spent_month.saturating_add(micros);
        usage.plan_cut(now, rules);
        let (rate, since) = (running.rate?, running.answered?);
        Some(Charge {
            prefix: rate.prefix,
            seconds: now.since(since).as_secs(),
            micros,
            day: today.day,
        })
    }

    /// What the log says was spent on a day; the newest day of a tenant comes last.
    pub(crate) fn restore(&mut self, tenant: TenantId, day: u32, micros: u64) {
        let usage = self.tenants.entry(tenant).or_default();
        if usage.day / 100 != day / 100 {
            usage.spent_month = 0;
        }
        if usage.day != day {
            usage.spent_day = 0;
        }
        usage.day = day;
        usage.spent_day = usage.spent_day.saturating_add(micros);
        usage.spent_month = usage.spent_month.saturating_add(micros);
    }

    pub(crate) fn tenant_of(&self, leg: LegId) -> Option<TenantId> {
        self.legs.get(&leg).copied()
    }

    pub(crate) fn next_cut(&self) -> Option<Timestamp> {
        self.tenants.values().filter_map(|u| u.cut_at).min()
    }

    /// The tenants whose time to be looked at has come.
    pub(crate) fn due(&self, now: Timestamp) -> Vec<TenantId> {
        let due = self
            .tenants
            .iter()
            .filter(|(_, u)| u.cut_at.is_some_and(|t| t <= now));
        due.map(|(t, _)| *t).collect()
    }

    /// The calls to be ended because the money is spent; looks ahead anew.
    pub(crate) fn cut(&mut self, now: Timestamp, tenant: TenantId, rules: &Rules) -> Vec<LegId> {
        let Some(usage) = self.tenants.get_mut(&tenant) else {
            return vec![];
        };
        let today = LocalTime::of(now, &rules.time_zone);
        let spent = rules.at_limit == AtLimit::Cut
            && !lifted(rules, now)
            && usage.left(rules, today, now) == Some(0);
        if !spent {
            usage.plan_cut(now, rules);
            return vec![];
        }
        usage.cut_at = None;
        let priced = usage.running.iter().filter(|(_, r)| r.rate.is_some());
        priced.map(|(leg, _)| *leg).collect()
    }

    /// For the API: calls now, spent today and this month with what runs.
    pub(crate) fn usage(
        &self,
        now: Timestamp,
        tenant: TenantId,
        rules: &Rules,
    ) -> (usize, u64, u64) {
        let Some(u) = self.tenants.get(&tenant) else {
            return (0, 0, 0);
        };
        let (day, month) = u.spent(LocalTime::of(now, &rules.time_zone));
        let running = u.running_cost(now);
        (
            u.running.len(),
            day.saturating_add(running),
            month.saturating_add(running),
        )
    }
}

impl Usage {
    fn refuse(&mut self, now: Timestamp) -> Vec<Alert> {
        if now.since(self.refused_since) >= MINUTE {
            (self.refused, self.refused_since) = (0, now);
        }
        self.refused = self.refused.saturating_add(1);
        if self.refused >= REFUSALS_ALERT && self.due("refusals", now) {
            let detail = format!(
                "{} outgoing calls were refused within a minute",
                self.refused
            );
            return vec![("refusals", detail)];
        }
        vec![]
    }

    fn alerts(&mut self, now: Timestamp, w: &Wanted<'_>) -> Vec<Alert> {
        let mut alerts = Vec::new();
        let rules = w.rules;
        let near = |n: u64, max: u64| {
            let pct = u128::from(rules.alert_pct.clamp(1, 100));
            max != 0 && u128::from(n) * 100 >= u128::from(max) * pct
        };
        let running = self.running.len() as u64;
        if near(running, u64::from(rules.calls_max)) && self.due("calls", now) {
            alerts.push((
                "calls",
                format!("{running} outgoing calls of {} at a time", rules.calls_max),
            ));
        }
        let rate = self.in_minute(now) as u64;
        if near(rate, u64::from(rules.calls_per_minute_max)) && self.due("rate", now) {
            alerts.push((
                "rate",
                format!(
                    "{rate} outgoing calls of {} within a minute",
                    rules.calls_per_minute_max
                ),
            ));
        }
        let (day, month) = self.spent(LocalTime::of(now, &rules.time_zone));
        let live = self.running_cost(now);
        let spend = near(day.saturating_add(live), rules.spend_daily_max_micros)
            || near(month.saturating_add(live), rules.spend_monthly_max_micros);
        if spend && self.due("spend", now) {
            alerts.push((
                "spend",
                format!(
                    "{} per cent of the money for calls is spent",
                    rules.alert_pct
                ),
            ));
        }
        if self.numbers.len() >= NUMBERS_MAX {
            self.numbers.clear();
        }
        let key = rustc_hash::FxBuildHasher.hash_one(w.number);
        let (count, since) = self.numbers.entry(key).or_insert((0, now));
        if now.since(*since) >= HOUR {
            (*count, *since) = (0, now);
        }
        *count += 1;
        let count = *count;
        if rules.same_number_alert != 0
            && count >= rules.same_number_alert
            && self.due("same_number", now)
        {
            alerts.push((
                "same_number",
                format!("{count} calls to one number within an hour"),
            ));
        }
        alerts
    }

    /// Finds when the running calls will have spent what is left.
    fn plan_cut(&mut self, now: Timestamp, rules: &Rules) {
        self.cut_at = None;
        if rules.at_limit != AtLimit::Cut
            || self
                .running
                .values()
                .all(|r| r.rate.is_none() || r.answered.is_none())
        {
            return;
        }
        let left_at = |s: u64| {
            let at = now + Duration::from_secs(s);
            self.left(rules, LocalTime::of(now, &rules.time_zone), at)
        };
        if left_at(0).is_none() {
            return;
        }
        let (mut low, mut high) = (0, LOOK_AHEAD_S);
        while low < high {
            let middle = (low + high) / 2;
            match left_at(middle) {
                Some(0) => high = middle,
                _ => low = middle + 1,
            }
        }
        self.cut_at = Some(now + Duration::from_secs(low.max(1)));
    }
}

fn lifted(rules: &Rules, now: Timestamp) -> bool {
    rules.lifted.as_ref().is_some_and(|l| l.until > now)
}

fn in_hours(rules: &Rules, now: LocalTime) -> bool {
    rules.hours.is_empty()
        || rules.hours.iter().any(|h| {
            (h.days.is_empty() || h.days.contains(&now.weekday))
                && (h.from_minute..h.to_minute).contains(&now.minute)
        })
}

fn rate_of<'r>(rules: &'r Rules, number: &str) -> Option<&'r Rate> {
    let fits = rules
        .rates
        .iter()
        .filter(|r| number.starts_with(r.prefix.as_str()));
    fits.max_by_key(|r| r.prefix.len())
}

fn longest(list: &[String], number: &str) -> Option<usize> {
    list.iter()
        .filter(|p| number.starts_with(p.as_str()))
        .map(String::len)
        .max()
}

/// Whether the rules let anybody dial there at all.
fn destination(w: &Wanted<'_>) -> Result<(), EndReason> {
    let rules = w.rules;
    if w.by_address && !rules.sip_addresses {
        return Err(EndReason::DestinationBlocked);
    }
    let number = as_number(w.number);
    let Some(number) = number.as_deref() else {
        return match w.by_address {
            true => Ok(()), // A name somewhere; it costs nothing.
            false => by_prefix(rules, w.number, None),
        };
    };
    for reading in readings(number) {
        let barred = match dialling::kind_of(&reading) {
            Kind::Premium => !rules.premium,
            Kind::Network => !rules.networks,
            Kind::Ordinary => false,
        };
        if barred {
            return Err(EndReason::DestinationBlocked);
        }
    }
    let country = number
        .starts_with('+')
        .then(|| dialling::country_of(number))
        .flatten();
    by_prefix(rules, number, country)
}

fn by_prefix(rules: &Rules, number: &str, country: Option<&str>) -> Result<(), EndReason> {
    let (allowed, blocked) = (longest(&rules.allow, number), longest(&rules.block, number));
    let is =
        |list: &[String]| country.is_some_and(|c| list.iter().any(|l| l.eq_ignore_ascii_case(c)));
    let open = rules.allow.is_empty() && rules.countries.is_empty();
    let home = country.is_some_and(|c| c.eq_ignore_ascii_case(&rules.home_country));
    let refused = match (allowed, blocked) {
        (a, Some(b)) if a.is_none_or(|a| a <= b) => true,
        (Some(_), _) => false,
        (None, _) => {
            is(&rules.blocked_countries)
                || (!rules.international && !home)
                || !(open || is(&rules.countries))
        }
    };
    if refused {
        Err(EndReason::DestinationBlocked)
    } else {
        Ok(())
    }
}

/// The number in what is dialled: digits with or without `+`, separators dropped. A name has none.
fn as_number(dialled: &str) -> Option<String> {
    let user = dialled.split([';', '?']).next().unwrap_or("");
    let plus = if user.starts_with('+') { "+" } else { "" };
    let fine = |c: char| c.is_ascii_digit() || "+-.() ".contains(c);
    let digits: String = user.chars().filter(char::is_ascii_digit).collect();
    (user.chars().all(fine) && !digits.is_empty()).then(|| format!("{plus}{digits}"))
}

/// How the digits may be read where they arrive: with a country code, or after an access code. Only
/// digits long enough to be somebody abroad.
fn readings(number: &str) -> Vec<String> {
    if number.starts_with('+') {
        return vec![number.to_string()];
    }
    let stripped = ["", "00", "011", "0011", "+"]
        .iter()
        .filter_map(|p| number.strip_prefix(p));
    stripped
        .filter(|n| n.len() >= 9)
        .map(|n| format!("+{n}"))
        .collect()
}

#[cfg(test)]
mod tests;
