//! Digest authentication of requests (RFC 3261 22, RFC 8760), both roles. A stranger learns
//! nothing of who exists: known and unknown users are challenged, judged and refused alike.

use super::UserAgent;
use super::call::Call;
use super::config::{ClientCredential, Directory, Principal};
use super::draft::Draft;
use super::reply::Inbound;
use crate::digest::{Authorization, ClientSession, NonceKeeper, Outcome, Request, Secrets};
use crate::header::HeaderName;
use crate::message::{Message, Method};
use crate::text::token;
use crate::uri::SipUri;

pub(crate) struct Auth {
    keeper: NonceKeeper,
}

impl Auth {
    pub(crate) fn new(secret: [u8; 32]) -> Self {
        Self {
            keeper: NonceKeeper::new(secret),
        }
    }
}

impl UserAgent {
    /// Makes new nonces with another secret; those of the last one stay good for their time.
    pub fn rotate_nonce_secret(&mut self, secret: [u8; 32]) {
        self.auth.keeper.rotate(secret);
    }

    /// Lets a request in that proves who it is; otherwise answers it, or says nothing to those
    /// who ask too much.
    pub(crate) fn challenge(
        &mut self,
        inbound: &Inbound<'_>,
        realm: &str,
        directory: &dyn Directory,
    ) -> Option<Principal> {
        let (now, ip) = (self.io.now, inbound.flow.remote.ip());
        if self.limiter.is_banned(now, ip) {
            self.deny(inbound.flow, "banned");
            return None;
        }
        let request = inbound.message;
        let credentials = Authorization::find(request, HeaderName::Authorization, realm)
            .or_else(|| Authorization::find(request, HeaderName::ProxyAuthorization, realm));
        let Some(credentials) = credentials else {
            self.send_challenge(inbound, realm, false);
            return None;
        };
        let user = credentials.username;
        let known = directory.credential(realm, user);
        let secrets = known.as_ref().map(|c| Secrets {
            ha1_md5: &c.ha1_md5,
            ha1_sha256: &c.ha1_sha256,
        });
        let method = request.method();
        let asked = Request {
            method: method.as_str(),
            uri: request.uri(),
            body: request.body(),
            realm,
        };
        let outcome = self.auth.keeper.verify(now, &credentials, &asked, secrets);
        let principal = known.map(|k| k.principal);
        let locked = principal.is_some_and(|p| self.limiter.is_locked(now, p, ip));
        match (outcome, principal) {
            // While somebody guesses, the right password of strangers is one more guess.
            (Outcome::Ok, Some(principal)) if !locked => {
                self.limiter.succeeded(now, ip, principal);
                // Nobody registers for somebody else (10.3 step 3).
                if method == Method::Register && !is_own_address(request, user) {
                    self.answer_new(inbound, 403, &[]);
                    self.deny(inbound.flow, "foreign_address");
                    return None;
                }
                Some(principal)
            }
            (Outcome::Stale, _) => {
                self.send_challenge(inbound, realm, true);
                None
            }
            _ => {
                if self.limiter.failed(now, ip, principal) {
                    self.deny(inbound.flow, "banned");
                } else {
                    self.deny(inbound.flow, "digest");
                }
                if self.limiter.take(now, ip) {
                    self.answer_stateless(inbound, 403, "Forbidden", &[]);
                }
                None
            }
        }
    }

    /// 401 without state: MD5 and SHA-256, of which the client chooses.
    fn send_challenge(&mut self, inbound: &Inbound<'_>, realm: &str, stale: bool) {
        let now = self.io.now;
        if !self.limiter.take(now, inbound.flow.remote.ip()) {
            return self.deny(inbound.flow, "rate");
        }
        self.auth.keeper.sweep(now);
        let [sha256, md5] = self.auth.keeper.challenge(now, realm, stale);
        // RFC 8760 2.4 wants the preferred one on top and clients to pass over what they do not know.
        // Those who know SHA-256 choose it wherever it stands; of those who do not, many look at the
        // top one only (SIPp 3.6 ends the whole run at it), so MD5 stands there.
        let both = [
            (HeaderName::WwwAuthenticate, md5.as_str()),
            (HeaderName::WwwAuthenticate, sha256.as_str()),
        ];
        let headers = if knows_md5_only(inbound.message) {
            &both[..1]
        } else {
            &both[..]
        };
        self.answer_stateless(inbound, 401, "Unauthorized", headers);
    }
}

/// Old phones that give up at a challenge they do not know instead of taking the next, as RFC 7616
/// 3.7 has them do. baresip before 2.0 (libre 1.x and 2.x) fails the request with ENOSYS. Naming
/// itself so gains nobody anything: MD5 is on offer to all. JsSIP 3 and SIP.js 0.2 look at the last
/// challenge only, and know MD5 only.
fn knows_md5_only(request: &Message) -> bool {
    let agent = request.header(HeaderName::UserAgent).unwrap_or("");
    ["baresip v0.", "baresip v1.", "JsSIP ", "SIP.js/"]
        .iter()
        .any(|old| agent.starts_with(old))
}

fn is_own_address(register: &Message, user: &str) -> bool {
    register
        .to()
        .and_then(|to| SipUri::parse(to.uri))
        .is_some_and(|uri| uri.user_decoded() == user)
}

/// The header that answers a challenge to a request of ours; `None` when we cannot.
pub(crate) fn answer(
    response: &Message,
    credential: &ClientCredential,
    draft: &Draft,
    cnonce: u64,
) -> Option<(HeaderName, Box<str>)> {
    let mut session = session_of(response, cnonce)?;
    let value = session.authorization(credential, draft.method.as_str(), &draft.uri, &draft.body);
    let name = match response.status() {
        407 => HeaderName::ProxyAuthorization,
        _ => HeaderName::Authorization,
    };
    Some((name, value.into()))
}

/// Whether who challenges a request of a call may see a digest of its password. Within a call the far
/// end is whoever answered, not who wanted to know us at its begin: it could guess the password from it.
pub(crate) fn may_see(call: Option<&mut Box<Call>>, begins: bool, response: &Message) -> bool {
    let Some(call) = call else {
        return true;
    };
    let realm = session_of(response, 0).map(|s| s.realm().into());
    if begins && call.realm.is_none() {
        call.realm = realm;
        return true;
    }
    call.realm == realm
}

fn session_of(response: &Message, cnonce: u64) -> Option<ClientSession> {
    let name = match response.status() {
        407 => HeaderName::ProxyAuthenticate,
        _ => HeaderName::WwwAuthenticate,
    };
    ClientSession::pick(response.headers(name), &token(cnonce))
}

/// Whether the challenge says that only our nonce was old.
pub(crate) fn is_stale(response: &Message) -> bool {
    session_of(response, 0).is_some_and(|s| s.stale)
}
