//! The ways by which words reach a customer: each is there when it is set up.

use super::mail::Mail;
use super::sms::Sms;
use crate::config::Config;
use anyhow::Result;
use cp_proof::{Messages, Route, SendFault};
use cp_vocab::Pii;

pub(crate) struct Adapters {
    mail: Option<Mail>,
    sms: Option<Sms>,
}

impl Adapters {
    pub(crate) fn new(config: &Config, runtime: &tokio::runtime::Handle) -> Result<Self> {
        Ok(Self {
            mail: Mail::new(config)?,
            sms: Sms::new(config, runtime)?,
        })
    }
}

impl Messages for Adapters {
    fn can(&self, route: Route) -> bool {
        match route {
            Route::Email => self.mail.is_some(),
            Route::Sms => self.sms.is_some(),
        }
    }

    fn send(
        &self,
        route: Route,
        to: &Pii<String>,
        subject: &str,
        text: &Pii<String>,
    ) -> Result<(), SendFault> {
        match (route, &self.mail, &self.sms) {
            (Route::Email, Some(mail), _) => mail.send(to, subject, text),
            (Route::Sms, _, Some(sms)) => sms.send(to, text),
            _ => Err(SendFault::NotSetUp),
        }
    }
}
