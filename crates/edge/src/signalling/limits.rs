//! Every limit of the signalling edge, with what happens when it is reached.

use std::time::Duration;

/// Limits an operator may set; `Default` gives values for a site of up to 20,000 phones.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Accepted connections at one time, handshakes included. At the limit a new one is closed
    /// at once.
    pub connections_max: usize,
    /// The same per source address. At the limit a new one from there is closed at once.
    pub connections_per_source_max: usize,
    /// Connections opened by us at one time. At the limit the message fails (`SendFailed`).
    pub outgoing_connections_max: usize,
    /// Messages waiting to be written to one connection. At the limit the message fails
    /// (`SendFailed`): the far side does not read.
    pub queued_per_connection_max: usize,
    /// Time for TLS and WebSocket handshakes together. After it the connection is closed.
    pub handshake_time_max: Duration,
    /// Time to open a connection, and again for its TLS handshake. After it the messages for it fail.
    pub connect_time_max: Duration,
    /// Time from accepting a connection to its first whole message. After it the connection is
    /// closed: whoever connects has something to say.
    pub first_message_time_max: Duration,
    /// Time from the first to the last byte of one message. After it the connection is closed
    /// (slow loris).
    pub message_time_max: Duration,
    /// Time for one write to be taken. After it the connection is closed.
    pub write_time_max: Duration,
    /// Time without a byte from the far side. After it the connection is closed; phones keep
    /// theirs alive by RFC 5626 every two minutes.
    pub idle_time_max: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 20_000,
            connections_per_source_max: 1_000,
            outgoing_connections_max: 2_000,
            queued_per_connection_max: 256,
            handshake_time_max: Duration::from_secs(10),
            connect_time_max: Duration::from_secs(5),
            first_message_time_max: Duration::from_secs(32),
            message_time_max: Duration::from_secs(10),
            write_time_max: Duration::from_secs(15),
            idle_time_max: Duration::from_secs(900),
        }
    }
}

/// Messages from connections that wait for the engine. At the limit connections are not read on, so
/// that TCP slows the senders down.
pub(super) const INBOUND_QUEUE_MAX: usize = 1_024;
/// Messages taken from connections in one `poll`; the rest is for the next one.
pub(super) const INBOUND_PER_POLL_MAX: usize = 256;
/// Batches taken from one UDP socket in one `poll`; the rest is for the next one.
pub(super) const BATCHES_PER_POLL_MAX: usize = 4;
/// Datagrams that wait because the kernel takes no more. At the limit the oldest is dropped, as a
/// network would.
pub(super) const UDP_QUEUE_MAX: usize = 4_096;
/// Kernel buffer asked for per UDP socket and direction, in bytes.
pub(super) const UDP_KERNEL_BUFFER_BYTES: i32 = 8 << 20;
/// ICMP errors read from a socket in one go.
pub(super) const ICMP_PER_POLL_MAX: usize = 64;
/// Name look-ups under way. At the limit a new one is answered `Busy`.
pub(super) const LOOKUPS_MAX: usize = 256;
/// Targets given for one name; the rest is left out.
pub(super) const TARGETS_MAX: usize = 16;
/// Pause of an accept loop when the system has no file descriptor left.
pub(super) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Connections that wait in the kernel to be accepted.
pub(super) const LISTEN_BACKLOG: i32 = 1_024;
/// Read buffer of a WebSocket, in bytes: allocated per connection, so small.
pub(super) const WEBSOCKET_READ_BUFFER_BYTES: usize = 2_048;
/// Bytes read from a connection at once, in a buffer shared by all connections of a thread.
pub(super) const READ_CHUNK_BYTES: usize = 16_384;
/// From this length on a message costs its connection the read buffer, so that idle connections
/// keep no large ones, in bytes.
pub(super) const KEPT_BUFFER_BYTES_MAX: usize = 4_096;
