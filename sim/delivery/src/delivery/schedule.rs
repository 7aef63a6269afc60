//! Rules that the clock fires. The caller moves the clock, so the caller asks when it next has to stop.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::stack::{Routed, Stack, serialize};
use crate::resources::{Rule, Schedule};

impl Stack {
    /// When the next scheduled rule fires after a time; `None` where no rule has a schedule.
    pub fn next_scheduled(&self, after: i64) -> Option<i64> {
        let schedules = self.rules().iter().filter_map(|rule| rule.schedule);
        schedules.map(|schedule| schedule.next_after(after)).min()
    }

    /// Fires the rules that are scheduled for exactly this time.
    pub fn fire_scheduled(&mut self, now: i64) -> Routed {
        self.fire(now, |schedule| schedule.fires_at(now))
    }

    /// Fires every rule that has a schedule.
    pub fn fire_every_schedule(&mut self, now: i64) -> Routed {
        self.fire(now, |_| true)
    }

    fn fire(&mut self, now: i64, fires: impl Fn(Schedule) -> bool) -> Routed {
        let mut routed = Routed::default();
        for index in 0..self.resources.rules.len() {
            let rule = &self.resources.rules[index];
            if rule.schedule.is_some_and(&fires) {
                let body = serialize(&self.scheduled_event(rule, now));
                self.target(index, &body, now, &mut routed);
            }
        }
        routed
    }

    /// What EventBridge sends when a schedule fires.
    /// Source: <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-run-lambda-schedule.html>.
    fn scheduled_event(&self, rule: &Rule, now: i64) -> Value {
        let time = Timestamp::from_second(now.div_euclid(1_000)).unwrap_or_default();
        json!({
            "version": "0",
            "id": format!("{:08x}-0000-4000-8000-{:012x}", self.next_message >> 48, self.next_message & 0xFFFF_FFFF_FFFF),
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": self.account,
            "time": time.to_string(),
            "region": self.region,
            "resources": [rule.arn],
            "detail": {},
        })
    }
}
