//! What runs beside calls and follows the log: pushes, context of lent numbers, content of cards.

use crate::card::{self, Pictures};
use crate::config::Config;
use crate::drive::Handle;
use crate::lent;
use crate::push::{self, Push};
use crate::serve::random_seed;
use anyhow::{Context, Result};
use cp_edge::Clock;
use cp_engine::Restore;
use cp_fetch::Client;
use cp_store::{Store, StoreError};
use cp_vocab::IdSource;
use std::sync::Arc;
use std::time::Duration;

/// Starts them; what the API needs of them.
pub(crate) fn start(
    config: &Config,
    client: &Client,
    store: &Arc<dyn Store>,
    handle: &Handle,
    runtime: &tokio::runtime::Handle,
    clock: Clock,
) -> Result<(Arc<Push>, Arc<Pictures>)> {
    let ids = || random_seed().map(IdSource::from_seed);
    let push = Push::open(&config.data, client.clone(), store.clone(), clock)?;
    let push = Arc::new(push);
    push::follow::start(push.clone(), handle, ids()?, runtime)
        .context("the log cannot be read for pushes")?;
    lent::start(store.clone(), handle, ids()?, runtime)
        .context("the log cannot be read for lent numbers")?;
    let pictures = Arc::new(Pictures::default());
    let parts = card::Parts {
        client: client.clone(),
        pictures: pictures.clone(),
        clock,
        ids: ids()?,
        wait: Duration::from_millis(config.card_content_ms_max),
    };
    card::start(parts, store.clone(), handle, runtime)
        .context("the log cannot be read for cards")?;
    Ok((push, pictures))
}

/// What the engine begins with of what they keep: incentives given out, and who is reached by a push.
pub(crate) fn restore(store: &dyn Store, restore: &mut Restore) -> Result<(), StoreError> {
    let snapshot = restore.snapshot.clone();
    for brand in &snapshot.brands {
        let given = store.incentives_used(brand.id)?;
        restore.incentives.push((brand.id, given));
    }
    let with_push = store.push_users()?;
    let pushed = snapshot.agents.iter().filter(|a| {
        let user = a.user.map(|u| (a.tenant, u));
        user.is_some_and(|u| with_push.contains(&u))
    });
    restore.pushed.extend(pushed.map(|a| a.id));
    Ok(())
}
