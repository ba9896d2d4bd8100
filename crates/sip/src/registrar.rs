//! The registrar's bindings (RFC 3261 10.3, RFC 5626): pure bookkeeping over a table. Messages
//! are read and answered by `ua::registration`.

use crate::dialog::{host_ip, is_private};
use crate::table::{Handle, Table};
use crate::ua::{UaLimits, Unregistration};
use crate::uri::SipUri;
use cp_vocab::net::{ConnectionId, Flow, Target, Transport};
use cp_vocab::{PhoneId, Timestamp};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::net::SocketAddr;

/// One contact of a phone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Binding {
    /// The contact URI, as the phone wrote it: Request-URI of calls to it.
    pub uri: Box<str>,
    /// Where to send them: the flow for connections and for phones behind NAT, else an address.
    pub target: Target,
    pub expires_at: Timestamp,
    pub user_agent: Option<Box<str>>,
    /// The flow it registered on; `None` after a restart.
    pub flow: Option<Flow>,
    pub phone: PhoneId,
    /// Preference in thousandths.
    pub q: u16,
    /// `+sip.instance` and `reg-id` (RFC 5626 4.2).
    pub instance: Option<(Box<str>, u32)>,
    /// Path of the registration (RFC 3327): Route of calls to it, in order.
    pub path: Box<[Box<str>]>,
    call_id: Box<str>,
    cseq: u32,
    updated_at: Timestamp,
}

/// One contact of a REGISTER, judged.
pub(crate) struct NewBinding {
    pub(crate) uri: Box<str>,
    pub(crate) expires_s: u32,
    pub(crate) q: u16,
    pub(crate) instance: Option<(Box<str>, u32)>,
}

/// Where and when a REGISTER came, and what tells old from new (10.3 step 7).
pub(crate) struct Source<'a> {
    pub(crate) now: Timestamp,
    pub(crate) flow: Flow,
    pub(crate) call_id: &'a str,
    pub(crate) cseq: u32,
    pub(crate) user_agent: Option<&'a str>,
    pub(crate) path: Vec<Box<str>>,
}

/// What one contact came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Added(Handle),
    Refreshed(Handle),
    Removed,
    Nothing,
}

/// All bindings. Phones come from the configuration and each has `bindings_per_phone_max` at most.
pub(crate) struct Registrar {
    limits: UaLimits,
    bindings: Table<Binding>,
    by_phone: FxHashMap<PhoneId, SmallVec<[Handle; 2]>>,
    by_connection: FxHashMap<ConnectionId, SmallVec<[Handle; 1]>>,
}

impl Registrar {
    pub(crate) fn new(limits: UaLimits) -> Self {
        Self {
            limits,
            bindings: Table::default(),
            by_phone: FxHashMap::default(),
            by_connection: FxHashMap::default(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.bindings.len()
    }

    pub(crate) fn get(&self, handle: Handle) -> Option<&Binding> {
        self.bindings.get(handle)
    }

    /// Bindings of a phone, preferred first, then the latest.
    pub(crate) fn contacts(&self, phone: PhoneId) -> SmallVec<[&Binding; 2]> {
        let mut found: SmallVec<[&Binding; 2]> = self
            .by_phone
            .get(&phone)
            .into_iter()
            .flatten()
            .filter_map(|h| self.bindings.get(*h))
            .collect();
        found.sort_by_key(|b| (std::cmp::Reverse(b.q), std::cmp::Reverse(b.updated_at)));
        found
    }

    fn find(&self, phone: PhoneId, new: &NewBinding) -> Option<Handle> {
        let handles = self.by_phone.get(&phone)?;
        let same = |b: &Binding| match (&b.instance, &new.instance) {
            // An outbound client is known by instance and flow number, not by its address.
            (Some(old), Some(new)) => old == new,
            _ => same_uri(&b.uri, &new.uri),
        };
        handles
            .iter()
            .copied()
            .find(|h| self.bindings.get(*h).is_some_and(same))
    }

    /// Whether a REGISTER is older than what a binding has from the same client (10.3 step 7).
    pub(crate) fn is_stale(&self, phone: PhoneId, new: &NewBinding, source: &Source<'_>) -> bool {
        let old = self.find(phone, new).and_then(|h| self.bindings.get(h));
        old.is_some_and(|b| *b.call_id == *source.call_id && source.cseq <= b.cseq)
    }

    /// Adds, refreshes or removes (expires 0) one contact. At the limit the contact that was
    /// updated longest ago is pushed out; it is given back.
    pub(crate) fn apply(
        &mut self,
        phone: PhoneId,
        new: NewBinding,
        source: &Source<'_>,
    ) -> (Change, Option<Binding>) {
        let old = self.find(phone, &new);
        if new.expires_s == 0 {
            return match old.and_then(|h| self.remove(h)) {
                Some(_) => (Change::Removed, None),
                None => (Change::Nothing, None),
            };
        }
        let mut pushed_out = None;
        if let Some(old) = old {
            self.remove(old);
        } else if self.by_phone.get(&phone).map_or(0, |h| h.len())
            >= self.limits.bindings_per_phone_max
        {
            let oldest = self.by_phone.get(&phone).and_then(|handles| {
                handles
                    .iter()
                    .copied()
                    .min_by_key(|h| self.bindings.get(*h).map(|b| b.updated_at))
            });
            pushed_out = oldest.and_then(|h| self.remove(h));
        }
        let target = binding_target(&new.uri, &source.flow);
        let handle = self.add(Binding {
            target,
            expires_at: source.now + std::time::Duration::from_secs(u64::from(new.expires_s)),
            user_agent: source.user_agent.map(Into::into),
            flow: Some(source.flow),
            phone,
            q: new.q,
            instance: new.instance,
            path: source.path.clone().into(),
            call_id: source.call_id.into(),
            cseq: source.cseq,
            updated_at: source.now,
            uri: new.uri,
        });
        match old {
            Some(_) => (Change::Refreshed(handle), pushed_out),
            None => (Change::Added(handle), pushed_out),
        }
    }

    fn add(&mut self, binding: Binding) -> Handle {
        let phone = binding.phone;
        let connection = binding.flow.and_then(|f| f.connection);
        let handle = self.bindings.insert(binding);
        self.by_phone.entry(phone).or_default().push(handle);
        if let Some(connection) = connection {
            self.by_connection
                .entry(connection)
                .or_default()
                .push(handle);
        }
        handle
    }

    pub(crate) fn remove(&mut self, handle: Handle) -> Option<Binding> {
        let binding = self.bindings.remove(handle)?;
        if let Some(handles) = self.by_phone.get_mut(&binding.phone) {
            handles.retain(|h| *h != handle);
            if handles.is_empty() {
                self.by_phone.remove(&binding.phone);
            }
        }
        if let Some(connection) = binding.flow.and_then(|f| f.connection)
            && let Some(handles) = self.by_connection.get_mut(&connection)
        {
            handles.retain(|h| *h != handle);
            if handles.is_empty() {
                self.by_connection.remove(&connection);
            }
        }
        Some(binding)
    }

    /// All bindings of a phone, taken out.
    pub(crate) fn remove_phone(&mut self, phone: PhoneId) -> Vec<Binding> {
        let handles = self.by_phone.get(&phone).cloned().unwrap_or_default();
        handles.into_iter().filter_map(|h| self.remove(h)).collect()
    }

    /// All bindings whose flow was this connection, taken out.
    pub(crate) fn remove_connection(&mut self, connection: ConnectionId) -> Vec<Binding> {
        let handles = self
            .by_connection
            .get(&connection)
            .cloned()
            .unwrap_or_default();
        handles.into_iter().filter_map(|h| self.remove(h)).collect()
    }

    /// One line for the store.
    pub(crate) fn serialise(&self, handle: Handle) -> Option<String> {
        let b = self.bindings.get(handle)?;
        let (flow_kind, local, remote) = match (&b.target, b.flow) {
            (Target::Flow(f), _) => ("flow", f.local, f.remote),
            (Target::Addr { addr, .. }, Some(f)) => ("addr", f.local, *addr),
            (Target::Addr { addr, .. }, None) => ("addr", *addr, *addr),
        };
        let transport = match &b.target {
            Target::Flow(f) => f.transport,
            Target::Addr { transport, .. } => *transport,
        };
        let (instance, reg_id) = match &b.instance {
            Some((instance, id)) => (&**instance, *id),
            None => ("", 0),
        };
        let fields = [
            "b1",
            &b.uri,
            flow_kind,
            transport.via(),
            &local.to_string(),
            &remote.to_string(),
            &b.q.to_string(),
            instance,
            &reg_id.to_string(),
            b.user_agent.as_deref().unwrap_or(""),
            &b.path.join(","),
        ]
        .map(|f| f.replace(['\t', '\r', '\n'], " "));
        Some(fields.join("\t"))
    }

    /// Takes a binding back after a restart; `None` when it is expired, known or not understood.
    pub(crate) fn restore(
        &mut self,
        phone: PhoneId,
        line: &str,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Option<Handle> {
        let mut binding = parse_binding(line, phone)?;
        binding.expires_at = expires_at;
        binding.updated_at = now;
        let new = NewBinding {
            uri: binding.uri.clone(),
            expires_s: 1,
            q: binding.q,
            instance: binding.instance.clone(),
        };
        let held = self.by_phone.get(&phone).map_or(0, |h| h.len());
        let fits = expires_at > now
            && self.find(phone, &new).is_none()
            && held < self.limits.bindings_per_phone_max;
        fits.then(|| self.add(binding))
    }
}

/// Reads what `serialise` wrote. Connections are gone with the old process: their bindings come
/// back only if the contact is an address that can be called.
fn parse_binding(line: &str, phone: PhoneId) -> Option<Binding> {
    let fields: Vec<&str> = line.split('\t').collect();
    let [
        "b1",
        uri,
        kind,
        transport,
        local,
        remote,
        q,
        instance,
        reg_id,
        agent,
        path,
    ] = fields[..]
    else {
        return None;
    };
    let transport = [
        Transport::Udp,
        Transport::Tcp,
        Transport::Tls,
        Transport::Ws,
        Transport::Wss,
    ]
    .into_iter()
    .find(|t| t.via() == transport)?;
    let local: SocketAddr = local.parse().ok()?;
    let remote: SocketAddr = remote.parse().ok()?;
    let target = match (transport, kind) {
        (Transport::Udp, "flow") => Target::Flow(Flow {
            transport,
            local,
            remote,
            connection: None,
        }),
        (Transport::Ws | Transport::Wss, _) => return None,
        (_, "flow") => contact_address(uri, transport)?,
        _ => Target::Addr {
            transport,
            addr: remote,
            server_name: None,
        },
    };
    Some(Binding {
        uri: uri.into(),
        target,
        expires_at: Timestamp::ZERO,
        user_agent: (!agent.is_empty()).then(|| agent.into()),
        flow: None,
        phone,
        q: q.parse().unwrap_or(1_000),
        instance: (!instance.is_empty()).then(|| (instance.into(), reg_id.parse().unwrap_or(0))),
        path: crate::message::text::split_list(path)
            .filter(|p| !p.is_empty())
            .map(Into::into)
            .collect(),
        call_id: "".into(),
        cseq: 0,
        updated_at: Timestamp::ZERO,
    })
}

/// Why a binding that was taken out went, for the event.
pub(crate) fn unregistration(now: Timestamp, binding: &Binding) -> Unregistration {
    match binding.expires_at <= now {
        true => Unregistration::Expired,
        false => Unregistration::Requested,
    }
}

fn same_uri(a: &str, b: &str) -> bool {
    a == b
        || match (SipUri::parse(a), SipUri::parse(b)) {
            (Some(a), Some(b)) => a.equivalent(&b),
            _ => false,
        }
}

/// Where calls to a contact go: back on its connection (RFC 5626 5.3); over UDP to the contact's
/// address, or to where it was heard from when the two differ (NAT).
fn binding_target(uri: &str, flow: &Flow) -> Target {
    if flow.transport.is_reliable() {
        return Target::Flow(*flow);
    }
    let source = flow.remote.ip().to_canonical();
    match contact_address(uri, Transport::Udp) {
        Some(Target::Addr {
            addr, transport, ..
        }) if addr.ip() == source || !is_private(addr.ip()) => Target::Addr {
            transport,
            addr,
            server_name: None,
        },
        _ => Target::Flow(*flow),
    }
}

/// The address in a contact, when it is one.
fn contact_address(uri: &str, default: Transport) -> Option<Target> {
    let parsed = SipUri::parse(uri)?;
    let transport = crate::ua::uri_transport(&parsed).unwrap_or(default);
    if matches!(transport, Transport::Ws | Transport::Wss) {
        return None;
    }
    let ip = host_ip(parsed.host)?;
    Some(Target::Addr {
        transport,
        addr: SocketAddr::new(ip, parsed.port.unwrap_or(5060)),
        server_name: None,
    })
}
