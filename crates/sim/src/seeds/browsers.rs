//! Browsers in random runs: tabs of agents and customers' pages that ring, answer, call, sleep, come
//! back, and ask what they like.

use super::{EXTENSIONS, PEOPLE, Play};
use cp_vocab::command::{Actor, Command};
use cp_vocab::event::Endpoint;
use cp_vocab::media::{SeatAt, SeatsAsk, Selected};
use cp_vocab::model::{Destination, DialTarget};
use cp_vocab::web::{CustomerCall, DeviceAsk, Signal};
use cp_vocab::*;
use rand::RngExt;
use std::time::Duration;

/// What the media of this world takes for a description.
const SDP: &str = "v=0";

#[derive(Clone)]
struct Tab {
    device: DeviceId,
    /// `None`: a customer's page.
    agent: Option<AgentId>,
    legs: Vec<LegId>,
    /// Its socket is gone: it hears nothing until it comes back.
    away: bool,
}

#[derive(Default)]
pub(super) struct Browsers {
    tabs: Vec<Tab>,
    /// Signals heard so far.
    heard: usize,
}

impl Play {
    fn tab_asks(&mut self, at: usize, ask: DeviceAsk) {
        let tab = &self.browsers.tabs[at];
        let (device, agent) = (tab.device, tab.agent);
        self.did(format!("{device}: {ask:?}"));
        let actor = agent.map_or(Actor::System, Actor::Agent);
        let ask = Box::new(ask);
        let command = Command::Device { device, ask };
        self.world.command(self.house.us(), actor, command);
    }

    fn open_tab(&mut self, agent: Option<AgentId>) -> usize {
        let now = self.world.now;
        self.browsers.tabs.push(Tab {
            device: self.world.ids.next(now),
            agent,
            legs: vec![],
            away: false,
        });
        let at = self.browsers.tabs.len() - 1;
        if let Some(agent) = agent {
            self.tab_asks(
                at,
                DeviceAsk::Attach {
                    agent,
                    carries: vec![],
                },
            );
        }
        at
    }

    /// Tabs do what they were told since the last time.
    pub(super) fn hear_signals(&mut self) {
        let from = self.browsers.heard;
        let told = self.world.signals[from..].to_vec();
        self.browsers.heard += told.len();
        for (device, signal) in told {
            let tabs = &self.browsers.tabs;
            if let Some(at) = tabs.iter().position(|t| t.device == device && !t.away) {
                self.hear_signal(at, signal);
            }
        }
    }

    fn hear_signal(&mut self, at: usize, signal: Signal) {
        let (sdp, fresh) = (SDP.to_string(), true);
        let known = &mut self.browsers.tabs[at].legs;
        match signal {
            Signal::Ring { leg } => {
                let leg = leg.leg;
                known.push(leg);
                match self.rng.random_range(0u32..6) {
                    0 => {}
                    1 => self.tab_asks(at, DeviceAsk::Reject { leg }),
                    _ => self.tab_asks(at, DeviceAsk::Accept { leg, sdp }),
                }
            }
            Signal::AutoAnswer { leg } => self.tab_asks(at, DeviceAsk::Accept { leg, sdp }),
            Signal::Reconnect { leg } => self.tab_asks(at, DeviceAsk::Offer { leg, sdp, fresh }),
            Signal::Offer { leg, .. } => self.tab_asks(at, DeviceAsk::Answer { leg, sdp }),
            Signal::Answer { leg, .. } if !known.contains(&leg) => known.push(leg),
            Signal::Ended { leg, .. } => known.retain(|l| *l != leg),
            _ => {}
        }
    }

    pub(super) fn act_in_a_browser(&mut self) {
        let fresh = self.browsers.tabs.is_empty() || self.rng.random_bool(0.15);
        if fresh {
            let agents: Vec<AgentId> = self.house.agents.values().copied().collect();
            let agent = self.pick(&agents);
            self.open_tab(Some(agent));
            return;
        }
        let at = self.rng.random_range(0..self.browsers.tabs.len());
        let tab = self.browsers.tabs[at].clone();
        if tab.away {
            return self.come_back(at, &tab);
        }
        let sdp = SDP.to_string();
        match (self.rng.random_range(0u32..10), tab.agent) {
            (0, _) => {
                self.browsers.tabs[at].away = true;
                self.tab_asks(at, DeviceAsk::Gone);
            }
            (1, Some(agent)) => self.tab_asks(at, DeviceAsk::Detach { agent }),
            (2, Some(agent)) => {
                let carries = tab.legs.clone();
                self.tab_asks(at, DeviceAsk::Attach { agent, carries });
            }
            (3 | 4, Some(agent)) => {
                let extension = match self.rng.random_bool(0.6) {
                    true => self.pick(PEOPLE).to_string(),
                    false => self.pick(EXTENSIONS).to_string(),
                };
                let to = DialTarget::Extension { extension };
                self.tab_asks(at, DeviceAsk::Call { agent, to, sdp });
            }
            (5 | 6, _) => self.customer_calls(),
            _ => {
                if let Some(leg) = tab.legs.last().copied() {
                    let ask = self.ask_of_leg(leg);
                    self.tab_asks(at, ask);
                }
            }
        }
    }

    /// A reloaded tab, or one that had slept too long.
    fn come_back(&mut self, at: usize, tab: &Tab) {
        self.browsers.tabs[at].away = false;
        if let Some(agent) = tab.agent {
            let carries = vec![];
            self.tab_asks(at, DeviceAsk::Attach { agent, carries });
        }
        for leg in tab.legs.clone() {
            if tab.agent.is_none() {
                self.tab_asks(at, DeviceAsk::Resume { leg });
            }
            let (sdp, fresh) = (SDP.to_string(), true);
            self.tab_asks(at, DeviceAsk::Offer { leg, sdp, fresh });
        }
    }

    fn customer_calls(&mut self) {
        let queues: Vec<QueueId> = self.house.queues.values().copied().collect();
        let queue = self.pick(&queues);
        let at = self.open_tab(None);
        let call = CustomerCall {
            destination: Destination::Queue { queue },
            name: Some("Page".into()),
            subject: Some("shop".into()),
            context: None,
            sdp: SDP.into(),
        };
        self.tab_asks(at, DeviceAsk::CustomerCall(Box::new(call)));
    }

    fn ask_of_leg(&mut self, leg: LegId) -> DeviceAsk {
        let sdp = SDP.to_string();
        match self.rng.random_range(0u32..9) {
            0 => DeviceAsk::Offer {
                leg,
                sdp,
                fresh: self.rng.random_bool(0.3),
            },
            1 => DeviceAsk::RequestOffer { leg },
            2 => DeviceAsk::Candidate {
                leg,
                candidate: String::new(),
            },
            3 => DeviceAsk::Digits {
                leg,
                digits: "1#".into(),
            },
            4 => DeviceAsk::Mute { leg, muted: true },
            5 => DeviceAsk::Seats {
                leg,
                seats: seats_of(leg),
            },
            6 => DeviceAsk::Accept { leg, sdp },
            _ => DeviceAsk::HangUp { leg },
        }
    }

    /// All pages are closed, and whoever is still in a call hangs up first.
    pub(super) fn close_browsers(&mut self) {
        self.hear_signals();
        for at in 0..self.browsers.tabs.len() {
            for leg in std::mem::take(&mut self.browsers.tabs[at].legs) {
                self.tab_asks(at, DeviceAsk::HangUp { leg });
            }
            self.tab_asks(at, DeviceAsk::Gone);
            self.browsers.tabs[at].away = true;
        }
        // Packets of a page that nobody hears of any more would go on for ever in this world.
        let engine = &self.world.engine;
        let states = engine
            .interactions()
            .filter_map(|id| engine.interaction(id));
        let mut left: Vec<LegId> = states
            .flat_map(|s| s.live_legs())
            .filter(|l| l.endpoint == Endpoint::Browser)
            .map(|l| l.id)
            .collect();
        left.sort();
        for leg in left {
            let command = Command::HangUpLeg { leg };
            self.world.command(self.house.us(), Actor::System, command);
        }
        self.world.run(Duration::from_secs(5));
    }
}

/// What a page or a program may ask of the places of voices.
pub(super) fn seats_of(leg: LegId) -> SeatsAsk {
    SeatsAsk {
        tracks: Some(true),
        seats: vec![SeatAt {
            leg,
            x: 500,
            y: 200,
        }],
        select: Some(Selected {
            leg,
            near_ms: 8_000,
        }),
    }
}
