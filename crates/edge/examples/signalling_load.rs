//! What the edge itself costs per SIP message over UDP: answers every datagram with as long a one
//! and prints the CPU time of the polling thread.
//!
//! `cargo run --release -p cp-edge --example signalling_load -- [messages per second] [seconds]`

use cp_edge::{Clock, ListenConfig, SignalIn, Signalling};
use cp_vocab::net::Target;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

const MESSAGE_BYTES: usize = 900;

/// CPU time of the calling thread so far (proc(5) `schedstat`).
fn own_cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("proc");
    let ns = text.split(' ').next().and_then(|n| n.parse().ok());
    Duration::from_nanos(ns.unwrap_or(0))
}

/// Send `per_second` messages for `seconds` in bursts of a millisecond; how many were sent.
fn blast(server: SocketAddr, per_second: u64, seconds: u64, answers: &AtomicU64) -> u64 {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind");
    socket.set_nonblocking(true).expect("option");
    let message = [b'x'; MESSAGE_BYTES];
    let (start, mut sent) = (Instant::now(), 0);
    let mut buffer = [0; 2_000];
    for ms in 0..seconds * 1_000 {
        let at = start + Duration::from_millis(ms);
        std::thread::sleep(at.saturating_duration_since(Instant::now()));
        while sent < per_second * (ms + 1) / 1_000 {
            sent += u64::from(socket.send_to(&message, server).is_ok());
        }
        while socket.recv_from(&mut buffer).is_ok() {
            answers.fetch_add(1, Relaxed);
        }
    }
    sent
}

fn main() {
    let mut args = std::env::args().skip(1);
    let per_second = args.next().map_or(20_000, |a| a.parse().expect("rate"));
    let seconds = args.next().map_or(4, |a| a.parse().expect("seconds"));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("runtime");
    let config = ListenConfig {
        udp: vec![(Ipv4Addr::LOCALHOST, 0).into()],
        ..ListenConfig::default()
    };
    let mut signalling = Signalling::bind(config, runtime.handle(), Clock::start()).expect("bind");
    let server = signalling.local_addresses()[0].1;
    let (done, answers) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
    let (waker, over, heard) = (signalling.waker(), Arc::clone(&done), Arc::clone(&answers));
    let sender = std::thread::spawn(move || {
        let sent = blast(server, per_second, seconds, &heard);
        over.store(true, Relaxed);
        waker.wake();
        sent
    });
    let (mut batch, mut received, mut polls) = (Vec::new(), 0u64, 0u64);
    let cpu = own_cpu();
    while !done.load(Relaxed) {
        signalling.poll(None, &mut batch);
        polls += 1;
        for event in batch.drain(..) {
            if let SignalIn::Datagram { flow, bytes } = event {
                received += 1;
                signalling.send(Target::Flow(flow), bytes);
            }
        }
    }
    let used = own_cpu() - cpu;
    let sent = sender.join().expect("sender");
    println!(
        "sent={sent} received={received} answers={} per_poll={:.1} us_per_message_in_and_out={:.2}",
        answers.load(Relaxed),
        received as f64 / polls as f64,
        used.as_secs_f64() * 1e6 / received as f64
    );
}
