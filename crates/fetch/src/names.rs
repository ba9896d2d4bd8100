//! From a host name to addresses.

use crate::FetchError;
use hickory_resolver::config::{LookupIpStrategy, NameServerConfig, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::Name;
use hickory_resolver::{Resolver, TokioResolver};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// One question to one name server.
const QUESTION_TIME: Duration = Duration::from_secs(2);

pub(crate) struct Names {
    resolver: TokioResolver,
    hosts: Vec<(String, IpAddr)>,
}

impl Names {
    /// Must be called inside the tokio runtime.
    pub(crate) fn new(
        servers: &[SocketAddr],
        hosts: Vec<(String, IpAddr)>,
    ) -> Result<Self, FetchError> {
        let provider = TokioRuntimeProvider::default();
        let mut builder = if servers.is_empty() {
            TokioResolver::builder_tokio().unwrap_or_else(|error| {
                tracing::warn!(%error, "no usable DNS configuration: nothing will be fetched by name");
                let none = ResolverConfig::from_parts(None, Vec::new(), Vec::new());
                Resolver::builder_with_config(none, provider)
            })
        } else {
            let servers = servers.iter().map(name_server).collect();
            let servers = ResolverConfig::from_parts(None, Vec::new(), servers);
            Resolver::builder_with_config(servers, provider)
        };
        let options = builder.options_mut();
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        options.timeout = QUESTION_TIME;
        let resolver = builder
            .build()
            .map_err(|e| FetchError::Resolver { why: e.to_string() })?;
        Ok(Self { resolver, hosts })
    }

    /// All addresses of a name.
    pub(crate) async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, FetchError> {
        let known: Vec<IpAddr> = self
            .hosts
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case(host))
            .map(|(_, ip)| *ip)
            .collect();
        if !known.is_empty() {
            return Ok(known);
        }
        let mut name = Name::from_utf8(host).map_err(|_| FetchError::NameNotFound)?;
        // A single label goes through the hosts file and the search list.
        name.set_fqdn(host.contains('.'));
        let found = self.resolver.lookup_ip(name).await.map_err(error_of)?;
        let ips: Vec<IpAddr> = found.iter().collect();
        if ips.is_empty() {
            return Err(FetchError::NameNotFound);
        }
        Ok(ips)
    }
}

fn error_of(error: NetError) -> FetchError {
    if error.is_no_records_found() {
        FetchError::NameNotFound
    } else {
        FetchError::NameFailed
    }
}

fn name_server(addr: &SocketAddr) -> NameServerConfig {
    let mut server = NameServerConfig::udp_and_tcp(addr.ip());
    for connection in &mut server.connections {
        connection.port = addr.port();
    }
    server
}
