//! Broken messages without end, over UDP and TCP, from strangers and from a carrier; a good call a
//! second must go on meanwhile.

use crate::mutate::{Dice, broken, corpus};
use crate::world::*;
use cp_interop::{Server, Sipp};
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Messages in every test run; `CP_ATTACK=50` makes it a million.
const MESSAGES: u64 = 20_000;
/// Messages a second and sender: what the kernel's buffer and our reading keep up with, so that they
/// are read and not lost before.
const PER_S: u32 = 6_000;
/// Messages on one TCP connection, when it is not closed for what came before.
const ON_A_CONNECTION: usize = 20;

#[test]
fn no_broken_message_ends_the_server_or_a_good_call() {
    let mut server = Server::start(&world());
    let target = server.sip;
    let count = MESSAGES * u64::from(length());
    let before = memory_mib(&server);
    let (done, sent) = (AtomicBool::new(false), AtomicU64::new(0));
    let began = Instant::now();
    let good = std::thread::scope(|scope| {
        let good = scope.spawn(|| good_calls(target, &done));
        let senders = [
            scope.spawn(|| over_udp(STRANGER, 1, count / 4, target, &sent)),
            scope.spawn(|| over_udp(MAD_CARRIER, 2, count / 2, target, &sent)),
            scope.spawn(|| over_tcp(MAD_CARRIER, 3, count / 4, target, &sent)),
        ];
        for sender in senders {
            sender.join().expect("a sender ends");
        }
        done.store(true, Ordering::SeqCst);
        good.join().expect("every good call succeeds")
    });
    let sent = sent.load(Ordering::SeqCst);
    unharmed(&mut server, "the broken messages");
    let after = memory_mib(&server);
    println!(
        "{sent} broken messages in {:.1} s; {good} of {good} good calls; {before} to {after} MiB",
        began.elapsed().as_secs_f64()
    );
    assert!(sent >= count * 9 / 10 && good > 0);
    assert!(
        after < before + 400,
        "memory grew from {before} to {after} MiB"
    );
}

/// Good calls in one round.
const ROUND: u32 = 4;

/// One good call a second until it is over, by a client that repeats what gets lost as SIP wants
/// it; how many there were.
fn good_calls(target: SocketAddr, done: &AtomicBool) -> u32 {
    let mut calls = 0;
    while !done.load(Ordering::SeqCst) || calls == 0 {
        Sipp::new("uac")
            .dial("answer")
            .calls(ROUND)
            .rate(1)
            .run(target);
        calls += ROUND;
    }
    calls
}

fn over_udp(from: Ipv4Addr, seed: u64, count: u64, target: SocketAddr, sent: &AtomicU64) {
    let socket = UdpSocket::bind((from, 0)).expect("a socket");
    let corpus = corpus(&target.to_string());
    let mut dice = Dice::new(seed);
    let mut pace = Pace::new(PER_S);
    for _ in 0..count {
        pace.turn();
        let bytes = broken(&mut dice, &corpus);
        if socket.send_to(&bytes, target).is_ok() {
            sent.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn over_tcp(from: Ipv4Addr, seed: u64, count: u64, target: SocketAddr, sent: &AtomicU64) {
    let corpus = corpus(&target.to_string());
    let mut dice = Dice::new(seed);
    let mut pace = Pace::new(PER_S);
    let mut n = 0;
    while n < count {
        let mut stream = cp_interop::probe::connect_from(from, target).expect("a connection");
        let limit = Some(Duration::from_secs(5));
        stream.set_write_timeout(limit).expect("a limit");
        for _ in 0..ON_A_CONNECTION {
            pace.turn();
            let bytes = broken(&mut dice, &corpus);
            // Closed for what came before: rightly.
            if stream.write_all(&bytes).is_err() {
                break;
            }
            n += 1;
            sent.fetch_add(1, Ordering::Relaxed);
        }
    }
}
