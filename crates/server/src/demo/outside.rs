//! The way from the demo's tenant to its world outside, whose port is another one at each start.

use super::tenant;
use crate::drive::Message;
use crate::serve::{Running, random_seed};
use anyhow::{Context, Result};
use cp_store::{Edit, StoreExt};
use cp_vocab::command::{Actor, CommandEnvelope};
use cp_vocab::model::{Trunk, TrunkAuth};
use cp_vocab::*;
use std::net::SocketAddr;

/// Lets the demo's trunk lead to `address`. One that somebody made something else of stays as it is.
pub(super) fn lead(running: &Running, address: SocketAddr) -> Result<()> {
    let store = &running.store;
    let snapshot = store.snapshot()?;
    let Some(found) = snapshot.trunks.iter().find(|t| is_ours(t)) else {
        return Ok(());
    };
    let host = address.to_string();
    if found.host == host {
        return Ok(());
    }
    let tenant = found.tenant;
    let trunk = Trunk {
        host,
        ..found.clone()
    };
    let mut ids = IdSource::from_seed(random_seed()?);
    let now = cp_edge::Clock::start().now();
    store
        .update(Edit::new(tenant, Actor::System, now), trunk, None)
        .context("the trunk cannot be changed")?;
    let snapshot = store.snapshot()?;
    let envelope = CommandEnvelope {
        id: ids.next(now),
        tenant,
        actor: Actor::System,
        command: Command::Configure { snapshot },
    };
    let (reply, _) = tokio::sync::oneshot::channel();
    anyhow::ensure!(
        running
            .handle
            .send_waiting(Message::Command { envelope, reply }),
        "the engine has stopped"
    );
    Ok(())
}

fn is_ours(trunk: &Trunk) -> bool {
    let by_address = match &trunk.auth {
        TrunkAuth::Address { networks } => networks.iter().any(|n| n.contains(tenant::outside())),
        _ => false,
    };
    let leads_there = trunk.host.parse::<SocketAddr>().map(|a| a.ip()) == Ok(tenant::outside());
    trunk.name == tenant::OUTSIDE_TRUNK && by_address && (trunk.host.is_empty() || leads_there)
}
