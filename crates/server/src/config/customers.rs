//! How customers are reached beside a call.

use super::Reader;
use crate::customers::mail::{MailConfig, Security};
use crate::customers::sms::SmsConfig;

pub(super) fn url(r: &mut Reader, key: &str) -> Option<String> {
    let text: String = r.optional(key, "a URL")?;
    if text.starts_with("https://") || text.starts_with("http://") {
        return Some(text);
    }
    r.problem(key, "must start with https:// or http://");
    None
}

pub(super) fn mail(r: &mut Reader) -> Option<MailConfig> {
    let server: String = r.optional("mail.server", "a host and port")?;
    let Some((host, port)) = server
        .rsplit_once(':')
        .and_then(|(h, p)| Some((h, p.parse().ok()?)))
    else {
        r.problem("mail.server", format!("{server:?} is not host:port"));
        return None;
    };
    let security = r.parse("mail.security", Security::StartTls, "tls, starttls or none");
    let here = ["localhost", "127.0.0.1", "::1", "[::1]"].contains(&host);
    if security == Security::None && !here {
        r.problem("mail.security", "none is for a mail server on this machine");
    }
    if r.text("mail.from").parse::<lettre::Address>().is_err() {
        r.problem("mail.from", "mail needs the address it comes from");
    }
    Some(MailConfig {
        host: host.trim_matches(['[', ']']).to_string(),
        port,
        security,
        ca: Some(r.text("mail.ca").to_string()).filter(|file| !file.is_empty()),
        user: r.text("mail.user").to_string(),
        password: r.text("mail.password").to_string(),
        from: r.text("mail.from").to_string(),
    })
}

pub(super) fn sms(r: &mut Reader) -> Option<SmsConfig> {
    let url = url(r, "sms.url")?;
    if r.text("sms.from").is_empty() {
        r.problem("sms.from", "texts need the number or name they come from");
    }
    Some(SmsConfig {
        url,
        user: r.text("sms.user").to_string(),
        password: r.text("sms.password").to_string(),
        from: r.text("sms.from").to_string(),
    })
}
