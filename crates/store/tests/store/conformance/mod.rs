//! What every implementation of the store must do, written against `dyn Store`.

mod access;
mod config;
mod contact;
mod log;
mod outbox;
mod projection;
mod push;

use crate::support::*;
use cp_store::*;
use cp_vocab::model::*;
use std::sync::Arc;

/// An empty store, kept alive by what else is returned.
type Make = fn() -> (Arc<dyn Store>, Box<dyn std::any::Any>);

fn sqlite() -> (Arc<dyn Store>, Box<dyn std::any::Any>) {
    let dir = tempfile::tempdir().unwrap();
    (open(&dir), Box::new(dir))
}

macro_rules! conformance {
    ($($room:ident: $($name:ident)*;)*) => {
        mod on_sqlite { $($(#[test] fn $name() { super::$room::$name(super::sqlite); })*)* }
    };
}

conformance! {
    log:
        records_come_back_as_they_were_given
        a_gap_or_a_repeat_refuses_its_batch_alone
        the_store_numbers_streams_with_several_writers
        followers_see_one_order
        open_interactions_are_those_that_did_not_end
        closed_means_closed
        not_a_number_does_not_spoil_the_log;
    projection:
        a_call_is_projected
        lists_are_filtered_and_paged
        conference_and_park_are_projected
        people_are_projected
        queues_are_counted_per_quarter
        projections_can_be_built_again
        what_is_known_of_a_number_goes_with_its_person
        bad_cursors_are_refused;
    config:
        configuration_rows_have_versions
        unique_texts_are_kept_unique
        named_rows_must_exist
        one_edit_is_all_or_nothing
        the_snapshot_follows_each_change
        tenants_do_not_see_each_other;
    access:
        users_sign_in
        api_keys_expire
        repeated_requests_get_the_first_answer
        an_edit_keeps_its_answer;
    contact:
        contacts_are_kept_listed_and_changed
        a_number_is_lent_once_at_a_time;
    outbox:
        webhooks_fill_the_outbox
        dead_deliveries_can_be_revived;
    push:
        a_browser_belongs_to_who_subscribed_last
        the_oldest_browser_makes_room;
}

/// A tenant with a queue and an agent.
struct Setting {
    world: World,
    log: Log,
    queue: Queue,
    agent: Agent,
    _keep: Box<dyn std::any::Any>,
}

impl Setting {
    fn new(make: Make) -> Self {
        let (store, keep) = make();
        let mut world = World::new(1);
        let queue = world.queue_row("Support");
        let agent = world.agent_row("100");
        store
            .apply(
                world.edit(),
                vec![
                    Change::Create(world.tenant_row().into()),
                    Change::Create(queue.clone().into()),
                    Change::Create(agent.clone().into()),
                ],
            )
            .unwrap();
        Self {
            world,
            log: Log::of(store),
            queue,
            agent,
            _keep: keep,
        }
    }

    fn store(&self) -> &dyn Store {
        &*self.log.store
    }

    fn call(&mut self) -> Call {
        let call = self.world.call(self.queue.id, self.agent.id);
        self.log.commit(call.records.clone()).unwrap();
        call
    }
}
