//! Who may do what over SIP: the user agent's view of the configuration.

use crate::index::Index;
use cp_sip::message::Message;
use cp_sip::ua::{Admission, Credential, Directory, Principal};
use cp_vocab::model::TrunkAuth;
use cp_vocab::net::Flow;

/// The realm of requests for domains that no tenant has: they are asked for a password all the same.
const NOBODY: &str = "crosspoint";

impl Directory for Index {
    /// A trunk is known by its address or its certificate; everybody else is asked for a password,
    /// whether the user exists or not.
    fn admit(&self, flow: &Flow, tls_name: Option<&str>, request: &Message) -> Admission {
        if let Some(trunk) = tls_name.and_then(|n| self.trunk_by_tls(n)) {
            return Admission::Trunk(trunk.id);
        }
        // A phone may sit at a trunk's address (a test bench, a PBX with phones behind it): registering
        // is always a phone's business.
        let registers = request.method() == cp_sip::message::Method::Register;
        if !registers && let Some(trunk) = self.trunk_by_address(flow.remote.ip()) {
            return Admission::Trunk(trunk.id);
        }
        let host = host_of(request.uri());
        match self.tenant_of_domain(host) {
            Some(t) => Admission::Challenge { realm: t.realm() },
            None => Admission::Challenge {
                realm: NOBODY.to_string(),
            },
        }
    }

    fn credential(&self, realm: &str, user: &str) -> Option<Credential> {
        let tenant = self.snapshot.tenants.iter().find(|t| t.realm() == realm)?;
        if let Some(p) = self.phone_by_user(tenant.id, user) {
            return Some(Credential {
                ha1_md5: p.ha1_md5.expose().clone(),
                ha1_sha256: p.ha1_sha256.expose().clone(),
                principal: Principal::Phone(p.id),
            });
        }
        let trunk = self.trunk_by_user(tenant.id, user)?;
        match &trunk.auth {
            TrunkAuth::Digest {
                ha1_md5,
                ha1_sha256,
                ..
            } => Some(Credential {
                ha1_md5: ha1_md5.expose().clone(),
                ha1_sha256: ha1_sha256.expose().clone(),
                principal: Principal::Trunk(trunk.id),
            }),
            _ => None,
        }
    }
}

fn host_of(uri: &str) -> &str {
    let rest = uri.split_once(':').map_or(uri, |(_, r)| r);
    let host = rest.rsplit_once('@').map_or(rest, |(_, h)| h);
    let host = host.split([';', '?', '>']).next().unwrap_or("");
    match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or(""),
        None => host.split(':').next().unwrap_or(""),
    }
}
