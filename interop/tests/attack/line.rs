//! A line for tools that stop at answers they do not expect: what they ask goes on by many source addresses,
//! and the answers are held back until the tool pauses, so that it has asked for everything by then.

use std::collections::{HashMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A tool that asks nothing for so long waits for answers.
const PAUSE: Duration = Duration::from_millis(300);
/// Between two answers: what the tool's socket buffer and its reading keep up with.
const BETWEEN: Duration = Duration::from_micros(150);
/// Source addresses that the questions come from, by turns.
const SOURCES: u8 = 20;

/// What went over the line: questions and answers, by the name in `To`.
#[derive(Default)]
pub(crate) struct Told {
    pub asked: HashMap<String, u32>,
    /// Status codes, in their order.
    pub answered: HashMap<String, Vec<String>>,
}

pub(crate) struct Line {
    pub addr: SocketAddr,
    pub told: Arc<Mutex<Told>>,
    done: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Line {
    /// `net` is the third octet of the source addresses: each line has its own.
    pub(crate) fn to(target: SocketAddr, net: u8, hold: bool) -> Self {
        let near = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
        let addr = near.local_addr().expect("its address");
        let (told, done) = (
            Arc::new(Mutex::new(Told::default())),
            Arc::new(AtomicBool::new(false)),
        );
        let shared = (told.clone(), done.clone());
        let thread =
            std::thread::spawn(move || carry(&near, target, net, hold, &shared.0, &shared.1));
        Self {
            addr,
            told,
            done,
            thread: Some(thread),
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.done.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn carry(
    near: &UdpSocket,
    target: SocketAddr,
    net: u8,
    hold: bool,
    told: &Mutex<Told>,
    done: &AtomicBool,
) {
    let far: Vec<UdpSocket> = (1..=SOURCES)
        .map(|n| UdpSocket::bind((Ipv4Addr::new(127, 0, net, n), 0)).expect("a socket"))
        .collect();
    for socket in far.iter().chain([near]) {
        socket.set_nonblocking(true).expect("it does not wait");
    }
    let mut held: VecDeque<Vec<u8>> = VecDeque::new();
    let (mut tool, mut last, mut turn) = (None, Instant::now(), 0);
    let mut buffer = [0; 8_192];
    while !done.load(Ordering::SeqCst) {
        let mut idle = true;
        while let Ok((n, from)) = near.recv_from(&mut buffer) {
            (tool, idle) = (Some(from), false);
            let _ = far[turn % far.len()].send_to(&buffer[..n], target);
            turn += 1;
            // Thanks for an answer are no question.
            if buffer.starts_with(b"ACK ") {
                continue;
            }
            last = Instant::now();
            let name = name(&buffer[..n]);
            *told.lock().expect("told").asked.entry(name).or_default() += 1;
        }
        for socket in &far {
            while let Ok((n, _)) = socket.recv_from(&mut buffer) {
                held.push_back(buffer[..n].to_vec());
                idle = false;
            }
        }
        if let Some(tool) = tool.filter(|_| !hold || last.elapsed() > PAUSE)
            && let Some(answer) = held.pop_front()
        {
            let mut told = told.lock().expect("told");
            let status = String::from_utf8_lossy(&answer)
                .split(' ')
                .nth(1)
                .map(String::from);
            let all = told.answered.entry(name(&answer)).or_default();
            all.extend(status);
            let _ = near.send_to(&answer, tool);
            idle = true;
        }
        if idle {
            std::thread::park_timeout(BETWEEN);
        }
    }
}

/// The user in `To`.
fn name(message: &[u8]) -> String {
    let text = String::from_utf8_lossy(message);
    let to = text.lines().find(|l| l.starts_with("To:")).unwrap_or("");
    let user = to.split("sip:").nth(1).and_then(|u| u.split('@').next());
    user.unwrap_or("").to_string()
}
