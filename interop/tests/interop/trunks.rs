//! Kamailio as a carrier: calls in by the trunk, calls out by the trunk.

use crate::world::{HIGH, LOW, server_with};
use cp_interop::kamailio::{CARRIER, Kamailio};
use cp_interop::phone::Setup;
use cp_interop::{Phone, Server, ports};
use std::net::SocketAddr;

/// A carrier with a customer 2001, and a Crosspoint whose trunk leads there.
fn carrier() -> (Server, Kamailio, Phone) {
    let port = ports::one();
    let server = server_with(SocketAddr::from((CARRIER, port)));
    let carrier = Kamailio::start_on(port, server.sip);
    let customer = Setup::new("2001").tone(600).start_at(carrier.addr);
    (server, carrier, customer)
}

#[test]
fn a_call_comes_in_by_the_trunk() {
    let (server, _carrier, mut customer) = carrier();
    let mut phone = Setup::new("1001").tone(1_000).start(&server);
    customer.dial("sip:+15550101001@interop.test");
    phone.expect("CALL_INCOMING");
    phone.accept();
    customer.expect("CALL_ESTABLISHED");
    customer.hears(HIGH);
    phone.hears(LOW);
    customer.hang_up();
    phone.expect("CALL_CLOSED");
    let trail = server.wait_only_trail();
    let started = trail.find("interaction.started").expect("it has begun");
    assert_eq!(started["direction"], "inbound");
    assert!(started["trunk"].is_string(), "{started}");
}

#[test]
fn a_call_goes_out_by_the_trunk() {
    let (server, _carrier, mut customer) = carrier();
    let mut phone = Setup::new("1001").tone(1_000).start(&server);
    phone.dial(&server.uri("carrier"));
    customer.expect("CALL_INCOMING");
    customer.accept();
    phone.expect("CALL_ESTABLISHED");
    customer.hears(HIGH);
    phone.hears(LOW);
    customer.hang_up();
    phone.expect("CALL_CLOSED");
    assert_eq!(server.wait_only_trail().end_reason(), "hung_up");
}
