//! Where a request may go (RFC 3263): a machine that says what to ask of the DNS next and orders
//! the answers. Pure; the edge asks, and seeds the weighted choice of RFC 2782.

mod blacklist;
#[cfg(test)]
mod tests;

pub(crate) use blacklist::Blacklist;

use crate::dialog::host_ip;
use crate::ua::ResolveError;
use cp_vocab::net::{Target, Transport};
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

/// Records of one answer that are looked at, and targets given at most; the rest is ignored.
const RECORDS_MAX: usize = 32;
const TARGETS_MAX: usize = 16;
/// Questions for one name; then what was found counts.
const QUESTIONS_MAX: usize = 24;

/// What to ask of the DNS.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Question {
    Naptr(String),
    Srv(String),
    /// A and AAAA.
    Addresses(String),
}

/// A NAPTR record with flag `s` (RFC 3403).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Naptr {
    pub order: u16,
    pub preference: u16,
    pub flags: String,
    pub service: String,
    pub replacement: String,
}

/// An SRV record (RFC 2782).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Srv {
    pub priority: u16,
    pub weight: u16,
    pub port: u16,
    pub target: String,
}

/// What the DNS said. "No such name" and "no such records" are empty lists.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    Naptr(Vec<Naptr>),
    Srv(Vec<Srv>),
    Addresses(Vec<IpAddr>),
    /// The name servers did not answer.
    Failed,
}

/// The next thing to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    Ask(Question),
    /// Try these in this order.
    Done(Vec<Target>),
    Failed(ResolveError),
}

/// One name being located.
#[derive(Clone, Debug)]
pub struct Locate {
    host: String,
    port: Option<u16>,
    secure: bool,
    /// Transports we can send over, preferred first.
    able: Vec<Transport>,
    seed: u64,
    /// What remains to be asked, in the order in which its targets count.
    todo: VecDeque<(Question, Transport, Option<u16>)>,
    asked: Option<(Question, Transport, Option<u16>)>,
    questions: usize,
    targets: Vec<Target>,
    servers_failed: bool,
    /// No SRV record was found so far: then the plain addresses count (4.2).
    fall_back: Option<Transport>,
}

impl Locate {
    /// What a `Resolve` output asks. `able` are the transports this node can send over, preferred
    /// first; `seed` is randomness for weights.
    pub fn new(
        host: &str,
        port: Option<u16>,
        transport: Option<Transport>,
        secure: bool,
        able: &[Transport],
        seed: u64,
    ) -> Self {
        let able = able
            .iter()
            .copied()
            .filter(|t| !secure || t.is_secure())
            .filter(|t| transport.is_none_or(|wanted| wanted == *t))
            .collect();
        let mut this = Self {
            host: host.trim_end_matches('.').to_ascii_lowercase(),
            port,
            secure,
            able,
            seed,
            todo: VecDeque::new(),
            asked: None,
            questions: 0,
            targets: Vec::new(),
            servers_failed: false,
            fall_back: None,
        };
        this.begin(transport);
        this
    }

    /// RFC 3263 4.1: a transport or port in the URI makes NAPTR superfluous.
    fn begin(&mut self, transport: Option<Transport>) {
        let Some(usual) = self.usual() else {
            return;
        };
        let transport = transport.unwrap_or(usual);
        if let Some(ip) = host_ip(&self.host) {
            self.push(ip, transport, self.port);
        } else if let Some(port) = self.port {
            let addresses = Question::Addresses(self.host.clone());
            self.todo.push_back((addresses, transport, Some(port)));
        } else if self.able.len() == 1 {
            self.ask_srv(&[transport]);
        } else {
            let naptr = Question::Naptr(self.host.clone());
            self.todo.push_back((naptr, transport, None));
        }
    }

    /// UDP, or TLS for `sips`, when able; else whatever we are able to.
    fn usual(&self) -> Option<Transport> {
        let usual = if self.secure {
            Transport::Tls
        } else {
            Transport::Udp
        };
        let able = self.able.contains(&usual);
        able.then_some(usual).or(self.able.first().copied())
    }

    fn ask_srv(&mut self, transports: &[Transport]) {
        for &transport in transports {
            let prefix = match transport {
                Transport::Udp => "_sip._udp",
                Transport::Tcp => "_sip._tcp",
                Transport::Tls => "_sips._tcp",
                Transport::Ws => "_sip._ws",
                Transport::Wss => "_sips._ws",
            };
            let name = format!("{prefix}.{}", self.host);
            self.todo.push_back((Question::Srv(name), transport, None));
        }
        self.fall_back = self.usual();
    }

    /// What to do next; after an `Ask` give the `answer` first.
    pub fn next_step(&mut self) -> Step {
        if self.targets.len() < TARGETS_MAX && self.questions < QUESTIONS_MAX {
            if let Some(item) = self.todo.pop_front() {
                self.questions += 1;
                let question = item.0.clone();
                self.asked = Some(item);
                return Step::Ask(question);
            }
            if let (true, Some(transport)) = (self.targets.is_empty(), self.fall_back.take()) {
                let addresses = Question::Addresses(self.host.clone());
                self.todo.push_back((addresses, transport, None));
                return self.next_step();
            }
        }
        if !self.targets.is_empty() {
            return Step::Done(std::mem::take(&mut self.targets));
        }
        Step::Failed(match (self.able.is_empty(), self.servers_failed) {
            (true, _) => ResolveError::NoTransport,
            (_, true) => ResolveError::Timeout,
            _ => ResolveError::NotFound,
        })
    }

    /// The answer to the last question.
    pub fn answer(&mut self, answer: Answer) {
        let Some((question, transport, port)) = self.asked.take() else {
            return;
        };
        match answer {
            Answer::Naptr(records) => self.naptr(records),
            Answer::Srv(records) => self.srv(records, transport),
            Answer::Addresses(ips) => {
                for ip in ips.into_iter().take(RECORDS_MAX) {
                    self.push(ip, transport, port);
                }
            }
            Answer::Failed => {
                self.servers_failed = true;
                if matches!(question, Question::Naptr(_)) {
                    self.naptr(Vec::new());
                }
            }
        }
    }

    fn naptr(&mut self, mut records: Vec<Naptr>) {
        records.truncate(RECORDS_MAX);
        records.sort_by_key(|r| (r.order, r.preference));
        for record in records {
            let transport = match record.service.to_ascii_uppercase().as_str() {
                "SIP+D2U" => Transport::Udp,
                "SIP+D2T" => Transport::Tcp,
                "SIPS+D2T" => Transport::Tls,
                "SIP+D2W" => Transport::Ws,
                "SIPS+D2W" => Transport::Wss,
                _ => continue,
            };
            let usable = record.flags.eq_ignore_ascii_case("s") && self.able.contains(&transport);
            if usable && !record.replacement.is_empty() {
                let name = record.replacement.trim_end_matches('.').to_string();
                self.todo.push_back((Question::Srv(name), transport, None));
            }
        }
        if self.todo.is_empty() {
            let able = self.able.clone();
            self.ask_srv(&able);
        } else {
            self.fall_back = self.usual();
        }
    }

    fn srv(&mut self, mut records: Vec<Srv>, transport: Transport) {
        records.truncate(RECORDS_MAX);
        // A single "." means: decidedly not available here (RFC 2782).
        records.retain(|r| !r.target.trim_end_matches('.').is_empty());
        let ordered = order_srv(records, &mut self.seed);
        // In front of what was planned before: the order of the records' transport counts first.
        for record in ordered.into_iter().rev() {
            let name = record.target.trim_end_matches('.').to_string();
            self.todo
                .push_front((Question::Addresses(name), transport, Some(record.port)));
        }
    }

    fn push(&mut self, ip: IpAddr, transport: Transport, port: Option<u16>) {
        let port = port.unwrap_or(crate::ua::default_port(transport));
        let target = Target::Addr {
            transport,
            addr: SocketAddr::new(ip, port),
            // What a certificate must prove is the name that was asked for (RFC 5922 4).
            server_name: transport.is_secure().then(|| self.host.clone()),
        };
        if self.targets.len() < TARGETS_MAX && !self.targets.contains(&target) {
            self.targets.push(target);
        }
    }
}

/// Orders SRV records by priority, and within one by weighted chance (RFC 2782). `seed` is
/// advanced.
pub fn order_srv(mut records: Vec<Srv>, seed: &mut u64) -> Vec<Srv> {
    // Records of weight 0 first within a priority, as the RFC has it.
    records.sort_by_key(|r| (r.priority, r.weight > 0));
    let mut out = Vec::with_capacity(records.len());
    while let Some(first) = records.first() {
        let priority = first.priority;
        let same = records
            .iter()
            .take_while(|r| r.priority == priority)
            .count();
        let total: u64 = records[..same].iter().map(|r| u64::from(r.weight)).sum();
        let pick = split_mix(seed) % (total + 1);
        let mut sum = 0;
        let chosen = records[..same]
            .iter()
            .position(|r| {
                sum += u64::from(r.weight);
                sum >= pick
            })
            .unwrap_or(0);
        out.push(records.remove(chosen));
    }
    out
}

/// A step of SplitMix64: enough chance for weights.
fn split_mix(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *seed;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
