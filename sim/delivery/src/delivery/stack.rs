//! The deployed stack: what it consists of, and where events go.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::queue::{Queue, QueueDepth};
use super::record::{Attribute, Record};
use crate::resources::{Function, Mapping, Resources, Rule, Table};
use crate::template::{Pseudo, Template, TemplateError, bus_name};

/// Where an event went.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Routed {
    /// The logical ids of the queues that have the event now; one for each target of each rule.
    pub queues: Vec<String>,
    /// The logical ids of the rules that matched; none means that nobody wanted the event.
    pub rules: Vec<String>,
    /// The logical ids of the queues that refused the event because it is longer than a message may be.
    pub refused: Vec<String>,
}

/// An invocation that has not been finished yet.
#[derive(Debug, Clone)]
pub(super) struct Invocation {
    /// The position of the mapping.
    pub(super) mapping: usize,
    /// When its messages become visible again, which ends it whatever it still does.
    pub(super) ends_at: i64,
}

/// The stack of a template. It has no clock: the caller says what time it is, in milliseconds since 1970.
#[derive(Debug, Clone)]
pub struct Stack {
    pub(super) account: String,
    pub(super) region: String,
    pub(super) resources: Resources,
    /// By logical id.
    pub(super) queues: BTreeMap<String, Queue>,
    pub(super) invocations: BTreeMap<u64, Invocation>,
    pub(super) next_message: u64,
    pub(super) next_invocation: u64,
    /// The position of the mapping whose turn it is.
    pub(super) turn: usize,
}

impl Stack {
    /// Reads a template. `overrides` are the parameters whose values are not the defaults.
    pub fn load(
        text: &str,
        overrides: &BTreeMap<String, String>,
        pseudo: &Pseudo,
    ) -> Result<Self, TemplateError> {
        let resources = Resources::read(&Template::read(text, overrides, pseudo)?)?;
        let queues = resources.queues.iter().cloned();
        Ok(Self {
            account: pseudo.account.clone(),
            region: pseudo.region.clone(),
            queues: queues.map(|queue| (queue.logical_id.clone(), Queue::new(queue))).collect(),
            resources,
            invocations: BTreeMap::new(),
            next_message: 1,
            next_invocation: 1,
            turn: 0,
        })
    }

    /// The functions, ordered by logical id.
    pub fn functions(&self) -> impl Iterator<Item = &Function> {
        self.resources.functions.iter()
    }

    /// How long a queue hides a message that was received, in milliseconds; `None` if there is no such queue.
    pub fn visibility_timeout(&self, queue: &str) -> Option<i64> {
        self.queues.get(queue).map(Queue::visibility_timeout)
    }

    /// The tables, ordered by logical id.
    pub fn tables(&self) -> &[Table] {
        &self.resources.tables
    }

    /// The ARNs of the topics, ordered by logical id.
    pub fn topics(&self) -> &[String] {
        &self.resources.topics
    }

    /// The names of the buses that the template adds to the account's default bus.
    pub fn buses(&self) -> &[String] {
        &self.resources.buses
    }

    /// The rules, ordered by logical id.
    pub fn rules(&self) -> &[Rule] {
        &self.resources.rules
    }

    /// The event source mappings, ordered by logical id.
    pub fn mappings(&self) -> &[Mapping] {
        &self.resources.mappings
    }

    /// Sends an event to the queues of every rule on the bus that matches it. The bus is given by name or
    /// ARN; `default` is the account's own.
    pub fn route(&mut self, bus: &str, event: &Value, now: i64) -> Routed {
        let bus = bus_name(bus);
        let mut routed = Routed::default();
        let mut body: Option<Arc<str>> = None;
        for index in 0..self.resources.rules.len() {
            let rule = &self.resources.rules[index];
            if rule.bus == bus && rule.pattern.as_ref().is_some_and(|pattern| pattern.matches(event)) {
                let body = Arc::clone(body.get_or_insert_with(|| serialize(event)));
                self.target(index, &body, now, &mut routed);
            }
        }
        routed
    }

    /// Sends an event to the queues of a rule, which is given by its position.
    pub(super) fn target(&mut self, rule: usize, body: &Arc<str>, now: i64, routed: &mut Routed) {
        let rule = &self.resources.rules[rule];
        routed.rules.push(rule.logical_id.clone());
        for target in &rule.queues {
            let Some(queue) = self.queues.get_mut(target) else { continue };
            match queue.send(self.next_message, Arc::clone(body), now) {
                Ok(()) => {
                    self.next_message += 1;
                    routed.queues.push(target.clone());
                }
                Err(_) => routed.refused.push(target.clone()),
            }
        }
    }

    /// The URLs of the queues, ordered by logical id.
    pub fn queue_urls(&self) -> impl Iterator<Item = &str> {
        self.queues.values().map(Queue::url)
    }

    /// Puts a message that somebody sent into the queue with this URL, where it is delayed for so many seconds. Returns
    /// whether there is such a queue, and whether it takes a message of this length.
    pub fn send(
        &mut self,
        queue_url: &str,
        body: &str,
        attributes: BTreeMap<String, Attribute>,
        delay_seconds: u32,
        now: i64,
    ) -> bool {
        let Some(queue) = self.queues.values_mut().find(|queue| queue.url() == queue_url) else {
            return false;
        };
        let ready_at = now + i64::from(delay_seconds) * 1_000;
        let sent = queue.send_delayed(self.next_message, body.into(), attributes, ready_at, now);
        self.next_message += u64::from(sent.is_ok());
        sent.is_ok()
    }

    /// What lies in the dead-letter queues: the logical id of the queue, and the message.
    pub fn dead_letters(&self) -> Vec<(String, Record)> {
        let redrives = self.queues.values().filter_map(Queue::redrive);
        let names: BTreeSet<&str> = redrives.map(|redrive| redrive.dead_letter_queue.as_str()).collect();
        names
            .into_iter()
            .filter_map(|name| Some((name, self.queues.get(name)?)))
            .flat_map(|(name, queue)| queue.peek().map(move |record| (name.to_owned(), record)))
            .collect()
    }

    /// How many messages each queue holds, by its URL.
    pub fn queue_depths(&self) -> impl Iterator<Item = (&str, QueueDepth)> {
        self.queues.values().map(|queue| (queue.url(), queue.depth()))
    }

    /// How many messages a queue holds, those in flight included; the queue is named by its logical id.
    pub fn queue_length(&self, queue: &str) -> usize {
        self.queues.get(queue).map_or(0, Queue::len)
    }

    /// Whether every queue that feeds a function is empty, with nothing in flight either.
    pub fn idle(&self) -> bool {
        self.resources.mappings.iter().all(|mapping| self.queue_length(&mapping.queue) == 0)
    }
}

/// The event's JSON. A `Value` always has one; its `Display` writes the same text at half the speed.
pub(super) fn serialize(event: &Value) -> Arc<str> {
    serde_json::to_string(event).unwrap_or_else(|_| event.to_string()).into()
}
