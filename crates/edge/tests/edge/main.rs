//! The edge with real sockets on loopback. Every wait has a deadline; nothing sleeps.

mod connections;
mod media;
mod resolve;
mod site;
mod tls;
mod udp;
mod websocket;
