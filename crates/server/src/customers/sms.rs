//! Text messages by a gateway's HTTP interface, in the form most of them know: a POST of `To`,
//! `From` and `Body` with basic authentication, 2xx when it was taken.

use crate::config::Config;
use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cp_fetch::{Client, Limits, Ports, Request};
use cp_proof::SendFault;
use cp_vocab::Pii;
use std::fmt::Write;
use std::time::Duration;

/// A gateway that takes longer is not worth a caller's wait.
const SEND_TIME: Duration = Duration::from_secs(10);

/// The text message part of the configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SmsConfig {
    pub url: String,
    pub user: String,
    pub password: String,
    pub from: String,
}

pub(super) struct Sms {
    client: Client,
    config: SmsConfig,
    runtime: tokio::runtime::Handle,
}

impl Sms {
    pub(super) fn new(config: &Config, runtime: &tokio::runtime::Handle) -> Result<Option<Self>> {
        let Some(sms) = config.sms.clone() else {
            return Ok(None);
        };
        let _inside = runtime.enter();
        // The operator named it, so it may be reached wherever it is; nothing else may.
        let host = sms.url.split_once("://").map_or("", |(_, rest)| rest);
        let host = host.split('/').next().unwrap_or(host);
        let named = host.parse().ok().context("sms.url has no host")?;
        let fetch = cp_fetch::Config {
            allow: vec![named],
            authorities: config.fetch_authorities.clone(),
            ..cp_fetch::Config::default()
        };
        let client = Client::new(fetch).context("cannot set up text messages")?;
        Ok(Some(Self {
            client,
            config: sms,
            runtime: runtime.clone(),
        }))
    }

    pub(super) fn send(&self, to: &Pii<String>, text: &Pii<String>) -> Result<(), SendFault> {
        let known = format!("{}:{}", self.config.user, self.config.password);
        let body = form(&[
            ("To", to.expose()),
            ("From", &self.config.from),
            ("Body", text.expose()),
        ]);
        let request = Request::post(&self.config.url)
            .header("authorization", format!("Basic {}", STANDARD.encode(known)))
            .header("content-type", "application/x-www-form-urlencoded")
            .ports(Ports::HttpsAndHigh)
            .limits(Limits {
                total: SEND_TIME,
                ..Limits::default()
            })
            .body(body);
        let answer = self.runtime.block_on(self.client.fetch(request));
        match answer {
            Ok(r) if r.is_success() => Ok(()),
            Ok(r) => {
                let what = format!("the text gateway answered {}", r.status);
                Err(SendFault::Refused(what))
            }
            Err(e) => {
                tracing::warn!(code = e.code(), "the text gateway cannot be reached");
                Err(SendFault::Refused(
                    "the text gateway cannot be reached".into(),
                ))
            }
        }
    }
}

/// `application/x-www-form-urlencoded`.
fn form(fields: &[(&str, &str)]) -> String {
    let mut out = String::new();
    for (name, value) in fields {
        if !out.is_empty() {
            out.push('&');
        }
        out.push_str(name);
        out.push('=');
        for b in value.bytes() {
            match b {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                    out.push(char::from(b));
                }
                b' ' => out.push('+'),
                b => {
                    let _ = write!(out, "%{b:02X}");
                }
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use std::io::{Read, Write as _};
    use std::net::TcpListener;

    #[test]
    fn forms_are_encoded() {
        let made = form(&[("To", "+1 555"), ("Body", "a&b=ü\n")]);
        assert_eq!(made, "To=%2B1+555&Body=a%26b%3D%C3%BC%0A");
    }

    /// A gateway that answers one request with `status` and gives back what it was sent.
    fn gateway(status: &'static str) -> (u16, std::thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let served = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let (mut heard, mut part) = (Vec::new(), [0; 1024]);
            while !String::from_utf8_lossy(&heard).contains("Body=") {
                let n = stream.read(&mut part).unwrap();
                heard.extend_from_slice(&part[..n]);
            }
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 2\r\n\r\n{{}}");
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8_lossy(&heard).into_owned()
        });
        (port, served)
    }

    fn send(port: u16) -> Result<(), SendFault> {
        let text = format!(
            "[sms]\nurl = \"http://127.0.0.1:{port}/messages\"\nuser = \"acme\"\npassword = \"secret\"\nfrom = \"+15550000\""
        );
        let config = Config::load(&text, []).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let sms = Sms::new(&config, runtime.handle()).unwrap().unwrap();
        sms.send(&Pii("+15550100".into()), &Pii("Your code is 1".into()))
    }

    #[test]
    fn a_gateway_is_sent_the_message() {
        let (port, served) = gateway("201 Created");
        assert_eq!(send(port), Ok(()));
        let heard = served.join().unwrap();
        assert!(heard.starts_with("POST /messages HTTP/1.1"), "{heard}");
        assert!(
            heard
                .to_lowercase()
                .contains("authorization: basic ywntztpzzwnyzxq="),
            "{heard}"
        );
        assert!(
            heard.ends_with("To=%2B15550100&From=%2B15550000&Body=Your+code+is+1"),
            "{heard}"
        );
    }

    #[test]
    fn a_refusal_is_told_without_the_number() {
        let (port, served) = gateway("400 Bad Request");
        let fault = send(port).unwrap_err();
        assert_eq!(fault.to_string(), "the text gateway answered 400");
        served.join().unwrap();
    }
}
