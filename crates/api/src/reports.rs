//! A day (or any span of it) in figures: per half hour, per queue, per agent.

use crate::auth::Caller;
use crate::auth::permission::Permission;
use crate::extract::Query;
use crate::operation::{self, Api};
use crate::problem::{FieldError, Problem, Reply};
use crate::schema::vocabulary as published;
use crate::state::ApiState;
use axum::extract::State;
use axum::response::IntoResponse;
use cp_store::{InteractionFilter, InteractionRow, PAGE_ROWS_MAX, PageRequest};
use cp_vocab::event::Direction;
use cp_vocab::{AgentId, EndReason, QueueId, Timestamp};
use serde::Serialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;
use utoipa::ToSchema;

/// Longest span of one report.
const SPAN_MAX: Duration = Duration::from_secs(31 * 86_400);
/// Interactions counted at most; a report of more says that it is cut.
const INTERACTIONS_MAX: usize = 50_000;
/// Slots of time at most, whatever the span.
const SLOTS_MAX: u64 = 31 * 48;
const SLOT_DEFAULT_MS: u64 = 30 * 60_000;

/// Figures of interactions that have something in common.
#[derive(Clone, PartialEq, Debug, Default, Serialize, ToSchema)]
pub(crate) struct FiguresView {
    /// Interactions that began.
    started: u64,
    /// Of these: came into a queue.
    queued: u64,
    /// Of these: parties were connected.
    answered: u64,
    /// Of the queued: the caller left before anybody answered.
    abandoned: u64,
    /// Of the answered from a queue: within the queue's service level.
    in_time: u64,
    /// Share of answered and abandoned that were answered in time, per cent.
    service_level_pct: Option<f32>,
    waited_ms_mean: u64,
    waited_ms_max: u64,
    talk_ms_mean: u64,
    talk_ms_total: u64,
}

#[derive(Serialize, ToSchema)]
struct SlotView {
    /// When it begins.
    #[schema(format = DateTime)]
    at: String,
    #[serde(flatten)]
    figures: FiguresView,
}

#[derive(Serialize, ToSchema)]
struct QueueReportView {
    #[schema(value_type = published::QueueId)]
    queue: QueueId,
    #[serde(flatten)]
    figures: FiguresView,
}

#[derive(Serialize, ToSchema)]
struct AgentReportView {
    #[schema(value_type = published::AgentId)]
    agent: AgentId,
    #[serde(flatten)]
    figures: FiguresView,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Report)]
struct ReportView {
    #[schema(format = DateTime)]
    from: String,
    #[schema(format = DateTime)]
    until: String,
    slot_ms: u64,
    total: FiguresView,
    slots: Vec<SlotView>,
    queues: Vec<QueueReportView>,
    agents: Vec<AgentReportView>,
    /// More interactions than are counted fell into the span.
    truncated: bool,
}

pub(crate) fn add(api: &mut Api) {
    let time = || json!({ "type": "string", "format": "date-time" });
    let slot = json!({ "type": "integer", "minimum": 60_000, "maximum": 86_400_000, "default": SLOT_DEFAULT_MS });
    api.add(
        operation::get("/v1/reports/interactions", "reportInteractions", "Reports", "Interactions of a span in figures")
            .describe("By slot of time, by queue (the last one an interaction was in), by agent. A day begins where you say.")
            .needs(&[Permission::InteractionsRead])
            .query("from", time(), "Began at or after; 24 hours ago when left out.")
            .query("until", time(), "Began before; a day after `from` when left out, 31 days at most.")
            .query("slot_ms", slot, "Length of a slot.")
            .replies::<ReportView>(200, "The figures"),
        report,
    );
}

async fn report(State(state): State<ApiState>, caller: Caller, query: Query) -> Reply {
    let time = |name| query.parse::<Timestamp>(name, "an RFC 3339 time", Timestamp::parse_rfc3339);
    let (from, until) = (time("from"), time("until"));
    let slot_ms = query.parse("slot_ms", "60000 to 86400000", |v| {
        v.parse::<u64>()
            .ok()
            .filter(|n| (60_000..=86_400_000).contains(n))
    });
    query.finish()?;
    let wrong = |name: &str, detail: &str| {
        Problem::invalid(vec![FieldError::new(format!("/{name}"), "format", detail)])
    };
    // Without a beginning: the last 24 hours.
    let from = from.unwrap_or_else(|| Timestamp(state.now().0.saturating_sub(86_400_000_000)));
    let until = until.unwrap_or(from + Duration::from_secs(86_400));
    let slot_ms = slot_ms.unwrap_or(SLOT_DEFAULT_MS);
    if until <= from || until.since(from) > SPAN_MAX {
        return Err(wrong(
            "until",
            "a span ends after it begins and has 31 days at most",
        ));
    }
    if until.since(from).as_millis() as u64 / slot_ms > SLOTS_MAX {
        return Err(wrong(
            "slot_ms",
            "too many slots; make them longer or the span shorter",
        ));
    }
    let tenant = caller.tenant;
    let snapshot = state.snapshot().await?;
    let levels: BTreeMap<QueueId, u64> = snapshot
        .queues
        .iter()
        .map(|q| (q.id, q.service_level_ms))
        .collect();
    let view = state
        .store(move |store| -> Reply<ReportView> {
            let filter = InteractionFilter {
                from: Some(from),
                until: Some(until),
                ..InteractionFilter::default()
            };
            let mut day = Day::new(from, until, slot_ms, levels);
            let mut page = PageRequest::first(PAGE_ROWS_MAX);
            while day.counted < INTERACTIONS_MAX {
                let rows = store.interactions(tenant, &filter, &page)?;
                rows.items.iter().for_each(|r| day.count(r));
                match rows.next {
                    Some(next) => page.after = Some(next),
                    None => return Ok(day.view(false)),
                }
            }
            Ok(day.view(true))
        })
        .await?;
    Ok(axum::Json(view).into_response())
}

/// Sums before they become means.
#[derive(Clone, Default)]
struct Sums {
    figures: FiguresView,
    waited_ms: u64,
}

impl Sums {
    fn count(&mut self, row: &InteractionRow, level_ms: Option<u64>) {
        let f = &mut self.figures;
        let queued = row.queue.is_some();
        let answered = row.answered_at.is_some();
        f.started += 1;
        f.queued += u64::from(queued);
        f.answered += u64::from(answered);
        f.abandoned +=
            u64::from(queued && !answered && row.end_reason == Some(EndReason::Abandoned));
        f.in_time += u64::from(queued && answered && level_ms.is_some_and(|l| row.waited_ms <= l));
        f.waited_ms_max = f.waited_ms_max.max(row.waited_ms);
        f.talk_ms_total += row.talk_ms;
        self.waited_ms += row.waited_ms;
    }

    fn view(&self) -> FiguresView {
        let mut f = self.figures.clone();
        let mean = |sum: u64, n: u64| sum.checked_div(n).unwrap_or(0);
        f.waited_ms_mean = mean(self.waited_ms, f.queued);
        f.talk_ms_mean = mean(f.talk_ms_total, f.answered);
        let judged = f.answered.min(f.queued) + f.abandoned;
        f.service_level_pct = (judged > 0).then(|| f.in_time as f32 * 100.0 / judged as f32);
        f
    }
}

/// A span being counted.
struct Day {
    from: Timestamp,
    until: Timestamp,
    slot_ms: u64,
    levels: BTreeMap<QueueId, u64>,
    counted: usize,
    total: Sums,
    slots: Vec<Sums>,
    queues: BTreeMap<QueueId, Sums>,
    agents: BTreeMap<AgentId, Sums>,
}

impl Day {
    fn new(
        from: Timestamp,
        until: Timestamp,
        slot_ms: u64,
        levels: BTreeMap<QueueId, u64>,
    ) -> Self {
        let slots = (until.since(from).as_millis() as u64).div_ceil(slot_ms);
        Self {
            from,
            until,
            slot_ms,
            levels,
            counted: 0,
            total: Sums::default(),
            slots: vec![Sums::default(); slots as usize],
            queues: BTreeMap::new(),
            agents: BTreeMap::new(),
        }
    }

    fn count(&mut self, row: &InteractionRow) {
        self.counted += 1;
        let level = row.queue.and_then(|q| self.levels.get(&q).copied());
        self.total.count(row, level);
        let slot = row.started_at.since(self.from).as_millis() as u64 / self.slot_ms;
        if let Some(slot) = self.slots.get_mut(slot as usize) {
            slot.count(row, level);
        }
        if let Some(queue) = row.queue.filter(|_| row.direction != Direction::Outbound) {
            self.queues.entry(queue).or_default().count(row, level);
        }
        for agent in &row.agents {
            self.agents.entry(*agent).or_default().count(row, level);
        }
    }

    fn view(&self, truncated: bool) -> ReportView {
        let slot = |(n, s): (usize, &Sums)| SlotView {
            at: (self.from + Duration::from_millis(n as u64 * self.slot_ms)).to_rfc3339(),
            figures: s.view(),
        };
        ReportView {
            from: self.from.to_rfc3339(),
            until: self.until.to_rfc3339(),
            slot_ms: self.slot_ms,
            total: self.total.view(),
            slots: self.slots.iter().enumerate().map(slot).collect(),
            queues: self
                .queues
                .iter()
                .map(|(q, s)| QueueReportView {
                    queue: *q,
                    figures: s.view(),
                })
                .collect(),
            agents: self
                .agents
                .iter()
                .map(|(a, s)| AgentReportView {
                    agent: *a,
                    figures: s.view(),
                })
                .collect(),
            truncated,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cp_store::InteractionState;
    use cp_vocab::id::TypedId;
    use cp_vocab::{Address, InteractionId, Pii, TenantId, Uci};

    const DAY: u64 = 1_767_312_000;
    const QUEUE: u128 = 7;

    fn row(second: u64, waited_ms: u64, answered: bool) -> InteractionRow {
        let at = Timestamp::from_secs(DAY + second);
        InteractionRow {
            id: InteractionId::from_u128(1 + u128::from(second)),
            tenant: TenantId::from_u128(1),
            direction: Direction::Inbound,
            from: Pii(Address::Anonymous),
            from_name: None,
            to: Pii(Address::Anonymous),
            uci: Uci::from_u128(1),
            number: None,
            trunk: None,
            queue: Some(QueueId::from_u128(QUEUE)),
            agents: if answered {
                vec![AgentId::from_u128(3)]
            } else {
                vec![]
            },
            state: InteractionState::Ended,
            started_at: at,
            answered_at: answered.then_some(at),
            ended_at: Some(at),
            waited_ms,
            talk_ms: if answered { 60_000 } else { 0 },
            end_reason: Some(if answered {
                EndReason::HungUp
            } else {
                EndReason::Abandoned
            }),
            recordings: 0,
            wrap_up_code: None,
        }
    }

    #[test]
    fn a_day_is_counted_by_slot_queue_and_agent() {
        let from = Timestamp::from_secs(DAY);
        let levels = BTreeMap::from([(QueueId::from_u128(QUEUE), 20_000)]);
        let mut day = Day::new(
            from,
            from + Duration::from_secs(86_400),
            SLOT_DEFAULT_MS,
            levels,
        );
        for r in [
            row(0, 5_000, true),
            row(1_799, 40_000, true),
            row(1_800, 15_000, true),
            row(3_700, 30_000, false),
        ] {
            day.count(&r);
        }
        let view = day.view(false);
        assert_eq!(view.slots.len(), 48);
        let started: Vec<u64> = view
            .slots
            .iter()
            .take(3)
            .map(|s| s.figures.started)
            .collect();
        assert_eq!(started, [2, 1, 1]);
        let queue = &view.queues[0].figures;
        assert_eq!(
            (queue.queued, queue.answered, queue.abandoned, queue.in_time),
            (4, 3, 1, 2)
        );
        assert_eq!(queue.service_level_pct, Some(50.0));
        assert_eq!(
            (queue.waited_ms_mean, queue.waited_ms_max),
            (22_500, 40_000)
        );
        assert_eq!(view.agents[0].figures.talk_ms_total, 180_000);
    }

    #[test]
    fn a_day_without_calls_has_no_service_level() {
        let from = Timestamp::from_secs(DAY);
        let day = Day::new(
            from,
            from + Duration::from_secs(86_400),
            SLOT_DEFAULT_MS,
            BTreeMap::new(),
        );
        assert_eq!(day.view(false).total, FiguresView::default());
    }
}
