//! The clients among themselves: if one of these fails, the tools are broken, not Crosspoint.

use cp_interop::kamailio::Kamailio;
use cp_interop::phone::Setup;
use cp_interop::{Sipp, ports};
use std::net::SocketAddr;

/// Nobody listens there: these carriers have no trunk.
fn nobody() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], ports::one()))
}

#[test]
fn sipp_calls_sipp() {
    let callee = Sipp::new("uas").from([127, 0, 0, 3]);
    let callee = callee.start(nobody());
    let messages = Sipp::new("uac").run(callee.addr);
    assert!(messages.contains("BYE"), "{messages}");
    callee.succeed();
}

#[test]
fn scenarios_fit_each_other() {
    let pairs = [
        ("uac_cancel", "uas_no_answer", ""),
        ("uac_refused", "uas_refuses", "486"),
        ("uac_remote_bye", "uas_bye", ""),
        ("uac", "uas_early", ""),
    ];
    for (caller, callee, status) in pairs {
        let callee = Sipp::new(callee)
            .from([127, 0, 0, 3])
            .value("STATUS", status);
        let callee = callee.start(nobody());
        let addr = callee.addr;
        Sipp::new(caller).value("STATUS", status).run(addr);
        callee.succeed();
    }
}

#[test]
fn two_phones_hear_each_other_through_kamailio() {
    for (codecs, srtp) in [
        ("PCMU", false),
        ("G722/16000/1", false),
        ("opus/48000/2", true),
    ] {
        let carrier = Kamailio::start(nobody());
        let setup = |user, hz| {
            let setup = Setup::new(user).codecs(codecs).tone(hz);
            if srtp { setup.srtp() } else { setup }
        };
        let mut a = setup("1001", 1_000).start_at(carrier.addr);
        let mut b = setup("1002", 600).start_at(carrier.addr);
        a.dial("sip:1002@interop.test");
        b.expect("CALL_INCOMING");
        a.expect("CALL_RINGING");
        b.accept();
        a.expect("CALL_ESTABLISHED");
        a.hears(600.0);
        b.hears(1_000.0);
        a.digits("12#");
        for digit in ["1", "2", "#"] {
            assert_eq!(b.expect("CALL_DTMF_START")["param"], digit, "{codecs}");
        }
        a.hang_up();
        b.expect("CALL_CLOSED");
    }
}

#[test]
fn a_phone_transfers_a_call() {
    let carrier = Kamailio::start(nobody());
    let mut a = Setup::new("1001").tone(1_000).start_at(carrier.addr);
    let mut b = Setup::new("1002")
        .tone(600)
        .auto_answer()
        .start_at(carrier.addr);
    let c = Setup::new("1003")
        .tone(600)
        .auto_answer()
        .start_at(carrier.addr);
    b.dial("sip:1001@interop.test");
    a.expect("CALL_INCOMING");
    a.accept();
    a.expect("CALL_ESTABLISHED");
    a.hears(600.0);
    a.transfer("sip:1003@interop.test");
    c.hears(600.0);
    a.expect("CALL_CLOSED");
}
