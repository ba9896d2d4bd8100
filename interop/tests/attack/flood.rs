//! Floods from strangers while good calls are placed.

use crate::mutate::{Dice, broken, corpus};
use crate::world::*;
use cp_interop::{Server, Sipp};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};

/// Packets a second of the flood.
const FLOOD_PER_S: u32 = 20_000;
/// Good calls in every test run, and new ones a second.
const CALLS: u32 = 60;
const CALLS_PER_S: u32 = 20;

#[test]
fn good_calls_succeed_under_a_flood_of_20000_packets_a_second() {
    let mut server = Server::start(&world());
    let target = server.sip;
    let before = memory_mib(&server);
    let done = AtomicBool::new(false);
    // SIPp counts a call that failed as a failure of the run, and gives up after 40 s.
    let runs = length();
    let rate = std::thread::scope(|scope| {
        let flood = scope.spawn(|| flood(target, &done));
        for _ in 0..runs {
            Sipp::new("uac")
                .dial("answer")
                .calls(CALLS)
                .rate(CALLS_PER_S)
                .run(target);
        }
        done.store(true, Ordering::SeqCst);
        flood.join().expect("the flood ends")
    });
    unharmed(&mut server, "the flood");
    let after = memory_mib(&server);
    println!(
        "{} of {} good calls at {rate:.0} packets/s; {before} to {after} MiB",
        CALLS * runs,
        CALLS * runs
    );
    assert!(
        after < before + 200,
        "memory grew from {before} to {after} MiB"
    );
}

/// INVITE, REGISTER, OPTIONS and garbage from 64 addresses; how fast it was.
fn flood(target: SocketAddr, done: &AtomicBool) -> f64 {
    let sockets: Vec<UdpSocket> = (64..128)
        .map(|n| UdpSocket::bind((Ipv4Addr::new(127, 0, 1, n), 0)).expect("a socket"))
        .collect();
    let corpus = corpus(&target.to_string());
    let mut dice = Dice::new(7);
    // Made beforehand, so that the sender keeps the pace.
    let messages: Vec<Vec<u8>> = (0..2_000_usize)
        .map(|n| match n % 4 {
            0 => broken(&mut dice, &corpus),
            n => fresh(&corpus[n - 1], &mut dice),
        })
        .filter(|m| m.len() < 8_000)
        .collect();
    let mut pace = Pace::new(FLOOD_PER_S / 20);
    let mut n = 0;
    while !done.load(Ordering::SeqCst) {
        pace.turn();
        for _ in 0..20 {
            let socket = &sockets[n % sockets.len()];
            // What the kernel drops is dropped.
            let _ = socket.send_to(&messages[n % messages.len()], target);
            n += 1;
        }
    }
    pace.rate() * 20.0
}

/// A request that belongs to no transaction before it.
fn fresh(message: &[u8], dice: &mut Dice) -> Vec<u8> {
    let text = String::from_utf8_lossy(message);
    let id = format!("{:x}", dice.roll());
    text.replace("z9hG4bKabc", &format!("z9hG4bK{id}"))
        .replace("c1@x", &id)
        .into_bytes()
}
