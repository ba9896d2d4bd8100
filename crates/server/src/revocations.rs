//! Whom to believe, kept up to date: roots from a file, and what was revoked from a file or from the
//! address where the policy administrator publishes it.

use crate::config::Config;
use crate::drive::{Handle, Message};
use anyhow::{Context, Result};
use cp_fetch::{Client, Limits, Request};
use cp_identity::certificate::Certificate;
use cp_identity::crl::{LIST_BYTES_MAX, RevocationList};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;

/// When the answer does not say how long it holds.
const AGAIN: Duration = Duration::from_secs(3_600);
/// However short or long it says, and after a failure the shorter.
const AGAIN_MIN: Duration = Duration::from_secs(60);
const AGAIN_MAX: Duration = Duration::from_secs(21_600);
/// One fetch of the list.
const FETCH_TIME_MAX: Duration = Duration::from_secs(30);

/// Tells the engine whom to believe, at SIGHUP and whenever the list has changed.
pub(crate) struct Believed {
    config: Config,
    handle: Handle,
    /// The last good list that was fetched; it stays while a newer one cannot be had.
    fetched: Mutex<Option<Arc<RevocationList>>>,
    now: Notify,
}

impl Believed {
    /// Begins to follow the list, where it has an address.
    ///
    /// # Errors
    /// The list's signer cannot be read.
    pub(crate) fn start(
        config: &Config,
        client: Client,
        runtime: &tokio::runtime::Handle,
        handle: Handle,
    ) -> Result<Arc<Self>> {
        let believed = Arc::new(Self {
            config: config.clone(),
            handle,
            fetched: Mutex::new(None),
            now: Notify::new(),
        });
        let url = config.identity_revocations_url.clone();
        if !url.is_empty() {
            let signer = crate::identity::revocations_signer(config)?
                .context("identity.revocations_url needs identity.revocations_signer")?;
            runtime.spawn(follow(believed.clone(), client, url, signer));
        }
        Ok(believed)
    }

    /// Reads roots and list again; on an error those in force stay.
    pub(crate) fn reload(&self) {
        self.tell();
        self.now.notify_one();
    }

    fn tell(&self) {
        let trust = match crate::identity::trust(&self.config) {
            Ok(trust) => trust,
            Err(error) => return tracing::error!(%error, "the old roots and revocations stay"),
        };
        let list = self.fetched.lock().ok().and_then(|l| l.clone());
        let trust = trust.map(|t| match list {
            Some(list) => {
                let mut changed = (*t).clone();
                changed.set_revocations(list);
                Arc::new(changed)
            }
            None => t,
        });
        self.handle.send(Message::IdentityTrust(trust));
    }
}

/// Until the runtime ends. What cannot be fetched or read leaves the last good list in force.
async fn follow(believed: Arc<Believed>, client: Client, url: String, signer: Certificate) {
    let mut last = Vec::new();
    loop {
        let mut again = AGAIN_MIN;
        match fetch(&client, &url).await {
            Ok((bytes, holds)) => match RevocationList::read(&bytes, &signer) {
                Ok(_) if bytes == last => again = holds,
                Ok(list) => {
                    tracing::info!(entries = list.len(), "revocation list fetched");
                    if let Ok(mut fetched) = believed.fetched.lock() {
                        *fetched = Some(Arc::new(list));
                    }
                    believed.tell();
                    (last, again) = (bytes, holds);
                }
                Err(fault) => tracing::warn!(
                    code = fault.code(),
                    "the fetched revocation list cannot be used; the old one stays"
                ),
            },
            Err(code) => tracing::warn!(code, "no revocation list; the old one stays"),
        }
        tokio::select! {
            () = tokio::time::sleep(again) => {}
            () = believed.now.notified() => {}
        }
    }
}

/// The list's bytes and how long they hold, or why there are none.
async fn fetch(client: &Client, url: &str) -> Result<(Vec<u8>, Duration), &'static str> {
    let request = Request::get(url)
        .header("accept", "application/pkix-crl, */*")
        .limits(Limits {
            total: FETCH_TIME_MAX,
            first_byte: FETCH_TIME_MAX,
            body_bytes_max: LIST_BYTES_MAX,
            redirects_max: 0,
            ..Limits::default()
        });
    let answer = client.fetch(request).await.map_err(|e| e.code())?;
    if answer.status != 200 {
        return Err("status");
    }
    let holds = answer.max_age_s().map_or(AGAIN, Duration::from_secs);
    Ok((answer.body.to_vec(), holds.clamp(AGAIN_MIN, AGAIN_MAX)))
}
