//! Agents and tickets by profile, and which fits which.

use crate::bits::Bits;
use cp_vocab::id::*;
use cp_vocab::model::{Queue, SelectionRule, SkillLevel};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

/// Task classes with skills of their own at most; beyond, classes nobody waits in are reused, and
/// when there is none the ticket goes by its queue's skills alone (its explanation says so).
pub(crate) const TASK_CLASSES_MAX: usize = 8_192;

pub(crate) type Skills = SmallVec<[(SkillId, u8); 1]>;
/// Queues and skills of an agent, both sorted.
type Profile = (Box<[u32]>, Box<[(SkillId, u8)]>);

/// What a task class is made from; equal keys share a class.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct TaskKey {
    pub(crate) queue: u32,
    /// How many relaxations of the queue apply.
    pub(crate) stage: u8,
    /// The ticket's own wishes, sorted.
    pub(crate) extra: Skills,
}

#[derive(Debug)]
struct AgentClass {
    queues: Box<[u32]>,
    skills: Box<[(SkillId, u8)]>,
    users: u32,
    /// Task classes its agents can take.
    fits: Bits,
}

#[derive(Debug)]
pub(crate) struct TaskClass {
    key: TaskKey,
    /// Sorted queue numbers whose agents are taken.
    pub(crate) queues: SmallVec<[u32; 4]>,
    pub(crate) skills: Skills,
    pub(crate) rule: SelectionRule,
    users: u32,
    /// Listed in [`Classes::quiet`].
    quiet: bool,
    /// Agent classes that can take it.
    fits: Bits,
    /// Score per agent class, filled when the rule is best score.
    scores: Vec<u16>,
}

#[derive(Default)]
pub(crate) struct Classes {
    agents: Vec<AgentClass>,
    agent_by: FxHashMap<Profile, u32>,
    agent_free: Vec<u32>,
    tasks: Vec<TaskClass>,
    task_by: FxHashMap<TaskKey, u32>,
    task_free: Vec<u32>,
    /// Task classes that were left by the last ticket; some may have tickets again.
    quiet: Vec<u32>,
    /// Per queue number: the agent classes in it.
    members: Vec<Bits>,
}

/// What a ticket of a queue wants at a stage, and whose agents it takes.
pub(crate) fn requirement(
    queue: &Queue,
    stage: u8,
    extra: &[(SkillId, u8)],
) -> (Skills, SmallVec<[QueueId; 4]>) {
    let mut skills = Skills::new();
    for SkillLevel { skill, level } in &queue.skills {
        wish(&mut skills, *skill, *level);
    }
    for (skill, level) in extra {
        wish(&mut skills, *skill, *level);
    }
    let mut queues: SmallVec<[QueueId; 4]> = SmallVec::from_slice(&[queue.id]);
    for relaxation in queue.relaxations.iter().take(stage.into()) {
        skills.retain(|(s, _)| !relaxation.drop_skills.contains(s));
        for (_, level) in &mut skills {
            *level = level.saturating_sub(relaxation.lower_levels_by).max(1);
        }
        for wider in &relaxation.widen_to {
            if !queues.contains(wider) {
                queues.push(*wider);
            }
        }
    }
    skills.sort_unstable();
    (skills, queues)
}

fn wish(skills: &mut Skills, skill: SkillId, level: u8) {
    match skills.iter_mut().find(|(s, _)| *s == skill) {
        Some((_, have)) => *have = (*have).max(level),
        None => skills.push((skill, level)),
    }
}

/// Level of a skill in a sorted profile; 0 when missing.
pub(crate) fn level_of(skills: &[(SkillId, u8)], skill: SkillId) -> u8 {
    skills
        .binary_search_by_key(&skill, |(s, _)| *s)
        .map_or(0, |i| skills[i].1)
}

fn score(agent: &AgentClass, wanted: &Skills) -> u16 {
    let levels: u32 = if wanted.is_empty() {
        agent.skills.iter().map(|(_, l)| u32::from(*l)).sum()
    } else {
        wanted
            .iter()
            .map(|(s, _)| u32::from(level_of(&agent.skills, *s)))
            .sum()
    };
    levels.min(u32::from(u16::MAX)) as u16
}

fn fits(agent: &AgentClass, task: &TaskClass) -> bool {
    task.queues
        .iter()
        .any(|q| agent.queues.binary_search(q).is_ok())
        && able(agent, task)
}

fn able(agent: &AgentClass, task: &TaskClass) -> bool {
    task.skills
        .iter()
        .all(|(skill, level)| level_of(&agent.skills, *skill) >= (*level).max(1))
}

impl Classes {
    /// Joins the agent class of this profile; both lists sorted. Give it back with [`Self::leave_agent`].
    pub(crate) fn join_agent(&mut self, queues: &[u32], skills: &[(SkillId, u8)]) -> u32 {
        let key = (Box::from(queues), Box::from(skills));
        if let Some(class) = self.agent_by.get(&key) {
            self.agents[*class as usize].users += 1;
            return *class;
        }
        let mut new = AgentClass {
            queues: key.0.clone(),
            skills: key.1.clone(),
            users: 1,
            fits: Bits::default(),
        };
        let at = self.agent_free.pop().unwrap_or(self.agents.len() as u32);
        for (number, task) in self.tasks.iter_mut().enumerate() {
            if !fits(&new, task) {
                continue;
            }
            new.fits.set(number as u32);
            task.fits.set(at);
            if task.rule == SelectionRule::BestScore {
                let score = score(&new, &task.skills);
                put(&mut task.scores, at, score);
            }
        }
        for queue in queues {
            if *queue as usize >= self.members.len() {
                self.members.resize_with(*queue as usize + 1, Bits::default);
            }
            self.members[*queue as usize].set(at);
        }
        if at as usize == self.agents.len() {
            self.agents.push(new);
        } else {
            self.agents[at as usize] = new;
        }
        self.agent_by.insert(key, at);
        at
    }

    pub(crate) fn leave_agent(&mut self, class: u32) {
        let gone = &mut self.agents[class as usize];
        gone.users -= 1;
        if gone.users > 0 {
            return;
        }
        for task in gone.fits.iter() {
            self.tasks[task as usize].fits.clear(class);
        }
        for queue in &gone.queues {
            self.members[*queue as usize].clear(class);
        }
        let key = (
            std::mem::take(&mut gone.queues),
            std::mem::take(&mut gone.skills),
        );
        gone.fits = Bits::default();
        self.agent_by.remove(&key);
        self.agent_free.push(class);
    }

    /// Joins the task class of `key`. `resolve` turns queue ids to numbers. The second value tells
    /// that the ticket's own skills had to be left out (too many classes).
    pub(crate) fn join_task(
        &mut self,
        key: TaskKey,
        queue: &Queue,
        resolve: impl Fn(QueueId) -> Option<u32>,
    ) -> (u32, bool) {
        if let Some(class) = self.task_by.get(&key) {
            self.tasks[*class as usize].users += 1;
            return (*class, false);
        }
        let Some(at) = self.task_place(&key) else {
            let plain = TaskKey {
                extra: Skills::new(),
                ..key
            };
            return (self.join_task(plain, queue, resolve).0, true);
        };
        let (skills, queues) = requirement(queue, key.stage, &key.extra);
        let mut queues: SmallVec<[u32; 4]> = queues.iter().filter_map(|q| resolve(*q)).collect();
        queues.sort_unstable();
        let mut new = TaskClass {
            key: key.clone(),
            queues,
            skills,
            rule: queue.selection,
            users: 1,
            quiet: false,
            fits: Bits::default(),
            scores: Vec::new(),
        };
        let mut near = Bits::default();
        for queue in &new.queues {
            if let Some(members) = self.members.get(*queue as usize) {
                near.insert_all(members);
            }
        }
        for class in near.iter() {
            let agent = &mut self.agents[class as usize];
            if able(agent, &new) {
                new.fits.set(class);
                agent.fits.set(at);
                if new.rule == SelectionRule::BestScore {
                    put(&mut new.scores, class, score(agent, &new.skills));
                }
            }
        }
        if at as usize == self.tasks.len() {
            self.tasks.push(new);
        } else {
            self.tasks[at as usize] = new;
        }
        self.task_by.insert(key, at);
        (at, false)
    }

    /// A number for a new task class; `None` when there are too many and none can be reused.
    fn task_place(&mut self, key: &TaskKey) -> Option<u32> {
        if self.task_by.len() >= TASK_CLASSES_MAX && !key.extra.is_empty() {
            loop {
                let class = self.quiet.pop()?;
                let task = &mut self.tasks[class as usize];
                task.quiet = false;
                if task.users == 0 {
                    self.drop_task(class);
                    break;
                }
            }
        }
        Some(self.task_free.pop().unwrap_or(self.tasks.len() as u32))
    }

    /// The class stays for the next ticket like it, until its queue changes or room is needed.
    pub(crate) fn leave_task(&mut self, class: u32) {
        let task = &mut self.tasks[class as usize];
        task.users -= 1;
        if task.users == 0 && !task.quiet && !task.key.extra.is_empty() {
            task.quiet = true;
            self.quiet.push(class);
        }
    }

    /// Forgets the task classes of a queue whose configuration changed. All its tickets have left them.
    pub(crate) fn forget_queue(&mut self, queue: u32) {
        let gone: Vec<u32> = self
            .task_by
            .iter()
            .filter(|(k, _)| k.queue == queue)
            .map(|(_, class)| *class)
            .collect();
        for class in gone {
            debug_assert_eq!(self.tasks[class as usize].users, 0, "tickets left before");
            self.drop_task(class);
        }
        let (by, tasks) = (&self.task_by, &self.tasks);
        self.quiet
            .retain(|class| by.get(&tasks[*class as usize].key) == Some(class));
    }

    fn drop_task(&mut self, class: u32) {
        let task = &mut self.tasks[class as usize];
        if self.task_by.get(&task.key) != Some(&class) {
            return;
        }
        self.task_by.remove(&task.key);
        for agent in std::mem::take(&mut task.fits).iter() {
            self.agents[agent as usize].fits.clear(class);
        }
        // Keeps the slot from fitting agent classes that are made while it is free.
        task.queues.clear();
        task.scores = Vec::new();
        self.task_free.push(class);
    }

    pub(crate) fn task(&self, class: u32) -> &TaskClass {
        &self.tasks[class as usize]
    }

    /// Agent classes that can take this task class.
    pub(crate) fn takers(&self, task: u32) -> &Bits {
        &self.tasks[task as usize].fits
    }

    /// Task classes this agent class can take.
    pub(crate) fn tasks_for(&self, agent: u32) -> &Bits {
        &self.agents[agent as usize].fits
    }

    pub(crate) fn score(&self, task: u32, agent: u32) -> u16 {
        self.tasks[task as usize]
            .scores
            .get(agent as usize)
            .copied()
            .unwrap_or(0)
    }

    /// How much an agent class can do: queues and skills, so that the less able are taken first.
    pub(crate) fn flexibility(&self, agent: u32) -> u32 {
        let class = &self.agents[agent as usize];
        (class.queues.len() + class.skills.len()) as u32
    }
}

fn put(scores: &mut Vec<u16>, at: u32, value: u16) {
    if at as usize >= scores.len() {
        scores.resize(at as usize + 1, 0);
    }
    scores[at as usize] = value;
}
