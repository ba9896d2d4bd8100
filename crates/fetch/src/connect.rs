//! The connection: the name is resolved once, every address it has is checked, and the socket is
//! opened to an address that was checked, so that a name which changes its mind gets nowhere.

use crate::FetchError;
use crate::allow::allows_address;
use crate::client::Inner;
use crate::request::Ports;
use crate::url::Place;
use rustls_pki_types::ServerName;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UdpSocket};

/// Addresses of one name that are tried; all of them are checked.
const ADDRESSES_TRIED_MAX: usize = 4;
/// One attempt to connect, so that a dead first address leaves time for the next.
const CONNECT_TIME: Duration = Duration::from_secs(3);

/// A connection of either kind.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Inner {
    pub(crate) async fn connect(
        &self,
        place: &Place,
        ports: Ports,
    ) -> Result<Box<dyn Stream>, FetchError> {
        let addresses = self.addresses(place, ports).await?;
        let mut last = FetchError::Connect {
            why: "no address".into(),
        };
        for ip in addresses.into_iter().take(ADDRESSES_TRIED_MAX) {
            let to = SocketAddr::new(ip, place.port);
            match tokio::time::timeout(CONNECT_TIME, TcpStream::connect(to)).await {
                Ok(Ok(stream)) => return self.secure(place, to, stream).await,
                Ok(Err(e)) => {
                    last = FetchError::Connect {
                        why: e.kind().to_string(),
                    }
                }
                Err(_) => {
                    last = FetchError::Connect {
                        why: "timed out".into(),
                    }
                }
            }
        }
        Err(last)
    }

    /// All addresses of a place, each checked.
    pub(crate) async fn addresses(
        &self,
        place: &Place,
        ports: Ports,
    ) -> Result<Vec<IpAddr>, FetchError> {
        let addresses = match place.ip {
            Some(ip) => vec![ip],
            None => self.names.addresses(&place.host).await?,
        };
        for ip in &addresses {
            self.check(place, *ip, ports).await?;
        }
        Ok(addresses)
    }

    /// Whether this address may be connected to. One that may not spoils the whole name: an honest
    /// one has no address inside our house.
    async fn check(&self, place: &Place, ip: IpAddr, ports: Ports) -> Result<(), FetchError> {
        if place.allowed || allows_address(&self.config.allow, ip) {
            return Ok(());
        }
        place.check_public(ports)?;
        let refused = !cp_vocab::net::is_public(ip)
            || self.config.own.contains(&ip.to_canonical())
            || is_own(ip).await;
        (!refused).then_some(()).ok_or(FetchError::AddressRefused)
    }

    async fn secure(
        &self,
        place: &Place,
        to: SocketAddr,
        stream: TcpStream,
    ) -> Result<Box<dyn Stream>, FetchError> {
        if stream.peer_addr().ok() != Some(to) {
            return Err(FetchError::AddressRefused);
        }
        // Small requests should not wait for more; where it cannot be set it does not matter.
        let _ = stream.set_nodelay(true);
        if !place.secure {
            return Ok(Box::new(stream));
        }
        let tls = |why: String| FetchError::Tls { why };
        let name = match place.ip {
            Some(ip) => ServerName::from(ip),
            None => ServerName::try_from(place.host.clone()).map_err(|e| tls(e.to_string()))?,
        };
        let stream = self
            .tls
            .connect(name, stream)
            .await
            .map_err(|e| tls(e.to_string()))?;
        Ok(Box::new(stream))
    }
}

/// Whether the address is one of this machine's: then a packet to it would come from it. Connecting
/// a datagram socket asks the routing table and sends nothing.
async fn is_own(ip: IpAddr) -> bool {
    let any: SocketAddr = match ip {
        IpAddr::V4(_) => (std::net::Ipv4Addr::UNSPECIFIED, 0).into(),
        IpAddr::V6(_) => (std::net::Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let Ok(socket) = UdpSocket::bind(any).await else {
        return false;
    };
    socket.connect((ip, 9)).await.is_ok() && socket.local_addr().is_ok_and(|l| l.ip() == ip)
}
