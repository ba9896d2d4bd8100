//! Mail by SMTP (RFC 5321) to the house's own server, which passes it on.

use crate::config::Config;
use anyhow::{Context, Result};
use cp_proof::SendFault;
use cp_vocab::Pii;
use lettre::message::header::ContentType;
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::{SmtpTransport, Transport};
use std::time::Duration;

/// A server that takes longer is not worth a caller's wait.
const SEND_TIME: Duration = Duration::from_secs(10);

/// How the way to the mail server is protected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Security {
    /// TLS from the first byte (port 465).
    Tls,
    /// TLS by STARTTLS, or not at all (port 587).
    StartTls,
    /// None: to a server on this machine only.
    None,
}

impl std::str::FromStr for Security {
    type Err = ();
    fn from_str(s: &str) -> Result<Self, ()> {
        match s {
            "tls" => Ok(Self::Tls),
            "starttls" => Ok(Self::StartTls),
            "none" => Ok(Self::None),
            _ => Err(()),
        }
    }
}

/// The mail part of the configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MailConfig {
    pub host: String,
    pub port: u16,
    pub security: Security,
    /// File with the certificate that signed the server's, when the system does not trust it.
    pub ca: Option<String>,
    pub user: String,
    pub password: String,
    pub from: String,
}

fn tls_parameters(mail: &MailConfig) -> Result<TlsParameters> {
    let mut tls = TlsParameters::builder(mail.host.clone());
    if let Some(file) = &mail.ca {
        let pem = std::fs::read(file).with_context(|| format!("mail.ca: {file} is not read"))?;
        let signer = Certificate::from_pem(&pem).context("mail.ca holds no certificate")?;
        tls = tls
            .certificate_store(CertificateStore::None)
            .add_root_certificate(signer);
    }
    tls.build().context("no TLS for mail")
}

pub(super) struct Mail {
    transport: SmtpTransport,
    from: Mailbox,
}

impl Mail {
    pub(super) fn new(config: &Config) -> Result<Option<Self>> {
        let Some(mail) = &config.mail else {
            return Ok(None);
        };
        let from = mail.from.parse().context("mail.from is not an address")?;
        let tls = || tls_parameters(mail);
        let tls = match mail.security {
            Security::Tls => Tls::Wrapper(tls()?),
            Security::StartTls => Tls::Required(tls()?),
            Security::None => Tls::None,
        };
        let mut transport = SmtpTransport::builder_dangerous(&mail.host)
            .port(mail.port)
            .tls(tls)
            .timeout(Some(SEND_TIME));
        if !mail.user.is_empty() {
            let known = Credentials::new(mail.user.clone(), mail.password.clone());
            transport = transport.credentials(known);
        }
        Ok(Some(Self {
            transport: transport.build(),
            from,
        }))
    }

    pub(super) fn send(
        &self,
        to: &Pii<String>,
        subject: &str,
        text: &Pii<String>,
    ) -> Result<(), SendFault> {
        let to: Mailbox = to.expose().parse().map_err(|_| SendFault::Address)?;
        let message = Message::builder()
            .from(self.from.clone())
            .to(to)
            .subject(subject)
            .header(ContentType::TEXT_PLAIN)
            .body(text.expose().clone())
            .map_err(|_| SendFault::Address)?;
        match self.transport.send(&message) {
            Ok(_) => Ok(()),
            // The server's words may quote the address; its status does not.
            Err(e) => {
                let status = e
                    .status()
                    .map_or_else(String::new, |s| format!(" with {s}"));
                let what = format!("the mail server did not take it{status}");
                Err(SendFault::Refused(what))
            }
        }
    }
}
