//! Browsers that ring when no tab is open (S3.1): keeps the key that signs pushes, sends them by
//! the guarded client, and forgets subscriptions that the push services no longer know. Who rings
//! is told by [`follow`].

pub mod follow;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cp_api::{PushRefused, Pusher};
use cp_channels::push::payload::Message;
use cp_channels::push::{
    Outcome, PushError, PushRequest, Sealing, Subscription, Urgency, Vapid, request,
};
use cp_edge::Clock;
use cp_fetch::{Client, FetchError, Limits, Ports, Request};
use cp_store::{PushRow, Store};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// One push from the name of the service to its answer; a ring that takes longer is not worth it.
const SEND_TIME: Duration = Duration::from_secs(5);
/// Where operators are reached when the configuration names nobody.
const CONTACT: &str = "https://crosspoint.invalid/operator";

/// Sends pushes.
pub struct Push {
    client: Client,
    vapid: Vapid,
    store: Arc<dyn Store>,
    clock: Clock,
}

/// Why a push did not get to its service.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    #[error(transparent)]
    Made(#[from] PushError),
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error("the push service no longer knows this browser")]
    Gone,
    #[error("the push service asks to wait {after_s} s")]
    Later { after_s: u32 },
    #[error("the push service refuses with status {status}")]
    Refused { status: u16 },
}

impl Failed {
    fn code(&self) -> &'static str {
        match self {
            Self::Made(e) => e.code(),
            Self::Fetch(e) => e.code(),
            Self::Gone => "push_gone",
            Self::Later { .. } => "push_later",
            Self::Refused { .. } => "push_refused",
        }
    }
}

impl Push {
    /// The signing key is kept in `push.key` of the data folder and made when it is missing.
    pub fn open(data: &Path, client: Client, store: Arc<dyn Store>, clock: Clock) -> Result<Self> {
        let file = data.join("push.key");
        let (private, public) = match std::fs::read_to_string(&file) {
            Ok(text) => read_key(&text)
                .with_context(|| format!("{} holds no push key; delete it to get a new one (browsers then subscribe again)", file.display()))?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => make_key(&file)?,
            Err(e) => return Err(e).with_context(|| format!("cannot read {}", file.display())),
        };
        let vapid = Vapid::new(&private, &public, CONTACT)?;
        Ok(Self {
            client,
            vapid,
            store,
            clock,
        })
    }

    fn made(&self, row: &PushRow, message: &Message, ttl_s: u32) -> Result<PushRequest, PushError> {
        let to = Subscription::new(
            row.endpoint.expose(),
            row.p256dh.expose(),
            row.auth.expose(),
        )?;
        let topic = match message {
            Message::Ring { ring, .. } | Message::RingEnded { ring, .. } => ring,
        };
        let how = (Urgency::High, topic.as_str(), ttl_s);
        let now_s = self.clock.now().as_millis() / 1_000;
        request(
            &to,
            &message.to_bytes(),
            &self.vapid,
            how,
            now_s,
            &Sealing::fresh()?,
        )
    }

    /// Sends one message to one browser; done when its push service has it. A subscription that is
    /// gone is forgotten.
    pub async fn send(&self, row: &PushRow, message: &Message, ttl_s: u32) -> Result<(), Failed> {
        let made = self.made(row, message, ttl_s)?;
        let limits = Limits {
            total: SEND_TIME,
            first_byte: SEND_TIME,
            body_bytes_max: 16 * 1_024,
            ..Limits::default()
        };
        let mut post = Request::post(made.url)
            .limits(limits)
            .ports(Ports::HttpsAndHigh)
            .body(made.body);
        for (name, value) in made.headers {
            post = post.header(name, value);
        }
        let answer = self.client.fetch(post).await?;
        match Outcome::of(answer.status, answer.header("retry-after")) {
            Outcome::Taken => Ok(()),
            Outcome::Gone => {
                let (store, id) = (self.store.clone(), row.id);
                let forgotten = tokio::task::spawn_blocking(move || store.push_gone(id)).await;
                if let Ok(Err(error)) = forgotten {
                    tracing::warn!(
                        code = error.code(),
                        "a push subscription stays though it is gone"
                    );
                }
                Err(Failed::Gone)
            }
            Outcome::Later { after_s } => Err(Failed::Later { after_s }),
            Outcome::Refused { status } => Err(Failed::Refused { status }),
        }
    }
}

fn read_key(text: &str) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut lines = text.lines().map(|l| URL_SAFE_NO_PAD.decode(l.trim()));
    Some((lines.next()?.ok()?, lines.next()?.ok()?))
}

fn make_key(file: &Path) -> Result<(Vec<u8>, Vec<u8>)> {
    let (private, public) = Vapid::generate()?;
    let text = format!(
        "{}\n{}\n",
        URL_SAFE_NO_PAD.encode(&private),
        URL_SAFE_NO_PAD.encode(&public)
    );
    let mut made = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)
        .with_context(|| format!("cannot make {}", file.display()))?;
    made.write_all(text.as_bytes())?;
    made.sync_all()?;
    Ok((private, public))
}

impl Pusher for Push {
    fn public_key(&self) -> String {
        self.vapid.public_key()
    }

    fn check<'a>(&'a self, row: &'a PushRow) -> BoxFuture<'a, Result<(), PushRefused>> {
        async move {
            // Sealing is the only proof that the key is a point of the curve.
            let probe = Message::RingEnded {
                ring: String::new(),
                how: cp_channels::push::payload::RingEnd::Missed,
            };
            self.made(row, &probe, 0).map_err(|e| PushRefused {
                pointer: match e {
                    PushError::Key("auth") => "/keys/auth",
                    PushError::Key(_) => "/keys/p256dh",
                    _ => "/endpoint",
                },
                detail: format!("{e}: pass on what the browser's PushSubscription gives"),
            })?;
            let url = row.endpoint.expose();
            let admitted = self.client.admits(url, Ports::HttpsAndHigh).await;
            admitted.map_err(|e| PushRefused {
                pointer: "/endpoint",
                detail: format!("{e}: pushes go to push services of the public internet only"),
            })
        }
        .boxed()
    }

    fn test(&self, row: PushRow) -> BoxFuture<'_, Result<(), PushRefused>> {
        async move {
            let message = Message::Ring {
                ring: row.id.to_string(),
                title: "Crosspoint".into(),
                body: Some("This browser rings when a call comes in.".into()),
                picture: None,
                url: "/app/".into(),
                until_ms: self.clock.now().as_millis() + 60_000,
                renewed: false,
            };
            let sent = self.send(&row, &message, 60).await;
            sent.map_err(|e| PushRefused {
                pointer: "/endpoint",
                detail: e.to_string(),
            })
        }
        .boxed()
    }
}
