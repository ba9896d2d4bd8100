//! From a SIP host name to targets (RFC 3263), by DNS.

use super::config::DnsConfig;
use super::limits::TARGETS_MAX;
use crate::error::EdgeError;
use cp_vocab::net::{ResolveError, Target, Transport};
use hickory_resolver::config::{LookupIpStrategy, NameServerConfig, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::rdata::{NAPTR, SRV};
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::{Resolver, TokioResolver};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// What is to be found.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) host: String,
    pub(super) port: Option<u16>,
    pub(super) transport: Option<Transport>,
    pub(super) secure: bool,
}

impl Question {
    /// The transport when neither URI nor DNS says one (RFC 3263 4.1).
    fn transport_or_default(&self) -> Transport {
        match (self.transport, self.secure) {
            (Some(Transport::Tcp), true) | (None, true) => Transport::Tls,
            (Some(Transport::Ws), true) => Transport::Wss,
            (Some(transport), _) => transport,
            (None, false) => Transport::Udp,
        }
    }

    fn target(&self, transport: Transport, ip: IpAddr, port: u16) -> Target {
        Target::Addr {
            transport,
            addr: SocketAddr::new(ip, port),
            // The certificate must name the domain that was asked for, not what DNS made of it
            // (RFC 5922 4).
            server_name: (transport.is_secure() && literal(&self.host).is_none())
                .then(|| self.host.trim_end_matches('.').to_ascii_lowercase()),
        }
    }

    /// The answer, when the host is an address and nobody need be asked.
    pub(super) fn at_once(&self) -> Option<Vec<Target>> {
        let ip = literal(&self.host)?;
        let transport = self.transport_or_default();
        let port = self.port.unwrap_or(default_port(transport));
        Some(vec![self.target(transport, ip, port)])
    }
}

fn literal(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[')
        .trim_end_matches(']')
        .parse()
        .ok()
}

fn default_port(transport: Transport) -> u16 {
    match transport {
        Transport::Udp | Transport::Tcp => 5060,
        Transport::Tls => 5061,
        Transport::Ws => 80,
        Transport::Wss => 443,
    }
}

/// Answers questions; cheap to clone.
#[derive(Clone)]
pub(super) struct Names {
    resolver: TokioResolver,
    hosts: std::sync::Arc<[(String, IpAddr)]>,
    time_max: Duration,
}

impl Names {
    /// Must be called inside the tokio runtime.
    pub(super) fn new(config: &DnsConfig) -> Result<Self, EdgeError> {
        let failed = |e: NetError| EdgeError::Resolver { why: e.to_string() };
        let provider = TokioRuntimeProvider::default();
        let mut builder = if config.servers.is_empty() {
            TokioResolver::builder_tokio().unwrap_or_else(|error| {
                tracing::warn!(%error, "no usable DNS configuration: host names will not resolve");
                let none = ResolverConfig::from_parts(None, Vec::new(), Vec::new());
                Resolver::builder_with_config(none, provider)
            })
        } else {
            let servers = config.servers.iter().map(name_server).collect();
            let servers = ResolverConfig::from_parts(None, Vec::new(), servers);
            Resolver::builder_with_config(servers, provider)
        };
        let options = builder.options_mut();
        options.ip_strategy = LookupIpStrategy::Ipv4thenIpv6;
        options.timeout = config.time_max / 2;
        Ok(Self {
            resolver: builder.build().map_err(failed)?,
            hosts: config.hosts.clone().into(),
            time_max: config.time_max,
        })
    }

    /// Answer a question, in the time set.
    pub(super) async fn answer(&self, question: &Question) -> Result<Vec<Target>, ResolveError> {
        if let Some(targets) = question.at_once() {
            return Ok(targets);
        }
        tokio::time::timeout(self.time_max, self.ask(question))
            .await
            .unwrap_or(Err(ResolveError::TimedOut))
    }

    async fn ask(&self, question: &Question) -> Result<Vec<Target>, ResolveError> {
        let default = question.transport_or_default();
        let browser = matches!(default, Transport::Ws | Transport::Wss);
        if question.port.is_some() || browser || self.known(&question.host).is_some() {
            let port = question.port.unwrap_or(default_port(default));
            let ips = self.addresses(&question.host).await?;
            return Ok(ips
                .into_iter()
                .take(TARGETS_MAX)
                .map(|ip| question.target(default, ip, port))
                .collect());
        }
        // A name server that fails at one kind of record may still know the next.
        let mut worst = ResolveError::NotFound;
        let services = match self.services(question).await {
            Ok(services) => services,
            Err(error) => {
                worst = error;
                fallback_services(question)
            }
        };
        let mut targets = Vec::new();
        for (transport, name) in services {
            match self.servers(&name).await {
                Err(error) => worst = more_telling(worst, error),
                Ok(servers) => {
                    for server in servers {
                        let host = server.target.to_utf8();
                        let Ok(ips) = self.addresses(&host).await else {
                            continue;
                        };
                        targets.extend(
                            ips.into_iter()
                                .map(|ip| question.target(transport, ip, server.port)),
                        );
                        if targets.len() >= TARGETS_MAX {
                            targets.truncate(TARGETS_MAX);
                            return Ok(targets);
                        }
                    }
                }
            }
        }
        if !targets.is_empty() {
            return Ok(targets);
        }
        let port = default_port(default);
        match self.addresses(&question.host).await {
            Ok(ips) => Ok(ips
                .into_iter()
                .take(TARGETS_MAX)
                .map(|ip| question.target(default, ip, port))
                .collect()),
            Err(error) => Err(more_telling(worst, error)),
        }
    }

    fn known(&self, host: &str) -> Option<IpAddr> {
        self.hosts
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(host.trim_end_matches('.')))
            .map(|(_, ip)| *ip)
    }

    /// The services to ask for, best first: by NAPTR, else one per transport (RFC 3263 4.1).
    async fn services(&self, question: &Question) -> Result<Vec<(Transport, Name)>, ResolveError> {
        if question.transport.is_some() {
            return Ok(fallback_services(question));
        }
        let answer = self
            .resolver
            .lookup(full_name(&question.host)?, RecordType::NAPTR)
            .await;
        let records: Vec<NAPTR> = match answer {
            Err(error) if error.is_no_records_found() => Vec::new(),
            Err(error) => return Err(error_of(&error)),
            Ok(lookup) => lookup
                .answers()
                .iter()
                .filter_map(|record| match &record.data {
                    RData::NAPTR(naptr) => Some(naptr.clone()),
                    _ => None,
                })
                .collect(),
        };
        let services = by_naptr(records, question.secure);
        if services.is_empty() {
            return Ok(fallback_services(question));
        }
        Ok(services)
    }

    async fn servers(&self, service: &Name) -> Result<Vec<SRV>, ResolveError> {
        let lookup = self
            .resolver
            .lookup(service.clone(), RecordType::SRV)
            .await
            .map_err(|e| error_of(&e))?;
        let records = lookup
            .answers()
            .iter()
            .filter_map(|record| match &record.data {
                // The root as target says: decidedly not offered here (RFC 2782).
                RData::SRV(srv) if !srv.target.is_root() => Some(srv.clone()),
                _ => None,
            })
            .collect();
        let random = RandomState::new().build_hasher().finish();
        Ok(in_order(records, random))
    }

    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, ResolveError> {
        if let Some(ip) = self.known(host) {
            return Ok(vec![ip]);
        }
        let name = if host.contains('.') {
            full_name(host)?
        } else {
            // A single label goes through the hosts file and the search list.
            Name::from_utf8(host).map_err(|_| ResolveError::NotFound)?
        };
        let lookup = self
            .resolver
            .lookup_ip(name)
            .await
            .map_err(|e| error_of(&e))?;
        let ips: Vec<IpAddr> = lookup.iter().collect();
        if ips.is_empty() {
            return Err(ResolveError::NotFound);
        }
        Ok(ips)
    }
}

fn name_server(addr: &SocketAddr) -> NameServerConfig {
    let mut server = NameServerConfig::udp_and_tcp(addr.ip());
    for connection in &mut server.connections {
        connection.port = addr.port();
    }
    server
}

fn full_name(host: &str) -> Result<Name, ResolveError> {
    let mut name = Name::from_utf8(host).map_err(|_| ResolveError::NotFound)?;
    name.set_fqdn(true);
    Ok(name)
}

fn error_of(error: &NetError) -> ResolveError {
    match error {
        error if error.is_no_records_found() => ResolveError::NotFound,
        NetError::Timeout => ResolveError::TimedOut,
        NetError::Busy => ResolveError::Busy,
        _ => ResolveError::Failed,
    }
}

/// "Not found" is only the answer when nothing else went wrong.
fn more_telling(a: ResolveError, b: ResolveError) -> ResolveError {
    if a == ResolveError::NotFound { b } else { a }
}

/// SRV names by transport where no NAPTR tells (RFC 3263 4.1, 4.2).
fn fallback_services(question: &Question) -> Vec<(Transport, Name)> {
    let prefixes: &[(Transport, &str)] = match (question.transport, question.secure) {
        (Some(Transport::Tls), _) | (Some(Transport::Tcp) | None, true) => {
            &[(Transport::Tls, "_sips._tcp")]
        }
        (Some(Transport::Udp), _) => &[(Transport::Udp, "_sip._udp")],
        (Some(Transport::Tcp), false) => &[(Transport::Tcp, "_sip._tcp")],
        (None, false) => &[
            (Transport::Udp, "_sip._udp"),
            (Transport::Tcp, "_sip._tcp"),
            (Transport::Tls, "_sips._tcp"),
        ],
        (Some(Transport::Ws | Transport::Wss), _) => &[],
    };
    prefixes
        .iter()
        .filter_map(|(transport, prefix)| {
            let name = full_name(&format!("{prefix}.{}", question.host)).ok()?;
            Some((*transport, name))
        })
        .collect()
}

/// The NAPTR records that name a SIP service we speak, best first (RFC 3263 4.1).
fn by_naptr(mut records: Vec<NAPTR>, secure: bool) -> Vec<(Transport, Name)> {
    records.sort_by_key(|r| (r.order, r.preference));
    records
        .into_iter()
        .filter(|r| r.flags.eq_ignore_ascii_case(b"s"))
        .filter_map(|r| {
            let service = r.services.to_ascii_uppercase();
            let transport = match service.as_slice() {
                b"SIPS+D2T" => Transport::Tls,
                b"SIP+D2T" if !secure => Transport::Tcp,
                b"SIP+D2U" if !secure => Transport::Udp,
                _ => return None,
            };
            Some((transport, r.replacement))
        })
        .collect()
}

/// By priority, and among equals drawn by weight (RFC 2782). `random` seeds the draw.
fn in_order(mut records: Vec<SRV>, mut random: u64) -> Vec<SRV> {
    records.sort_by_key(|r| (r.priority, r.weight));
    let mut ordered = Vec::with_capacity(records.len());
    while let Some(first) = records.first() {
        let priority = first.priority;
        let group = records.iter().take_while(|r| r.priority == priority);
        let total: u64 = group.map(|r| u64::from(r.weight)).sum();
        // xorshift64: spread is all that is asked of it.
        random |= 1;
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let mut draw = random % (total + 1);
        let chosen = records
            .iter()
            .take_while(|r| r.priority == priority)
            .position(|r| {
                let weight = u64::from(r.weight);
                let hit = draw <= weight;
                draw = draw.saturating_sub(weight);
                hit
            })
            .unwrap_or(0);
        ordered.push(records.remove(chosen));
    }
    ordered
}
