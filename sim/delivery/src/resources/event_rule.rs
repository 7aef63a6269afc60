use serde_json::Value;

use super::queue::Queue;
use super::schedule::Schedule;
use crate::pattern::Pattern;
use crate::template::{Template, TemplateError, bus_name};

/// What EventBridge allows of one rule.
const MOST_TARGETS: usize = 5;

/// A rule that is not disabled, and the queues that it sends to.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    pub logical_id: String,
    pub arn: String,
    /// The name of the bus; `default` is the account's own.
    pub bus: String,
    /// `None` for a rule that only has a schedule.
    pub pattern: Option<Pattern>,
    pub schedule: Option<Schedule>,
    /// The logical ids of the queues. What a rule sends to a topic is for people, and is not delivered here.
    pub queues: Vec<String>,
}

pub(super) fn read(
    template: &Template,
    queues: &[Queue],
    topics: &[String],
) -> Result<Vec<Rule>, TemplateError> {
    let mut rules = Vec::new();
    for logical_id in template.of_kind("AWS::Events::Rule") {
        let refuse = |reason: String| TemplateError::resource(logical_id, reason);
        match template.text(logical_id, "State")?.as_deref() {
            None | Some("ENABLED" | "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS") => {}
            Some("DISABLED") => continue,
            Some(other) => return Err(refuse(format!("State: `{other}` is not supported"))),
        }
        let pattern = match template.property(logical_id, "EventPattern")? {
            Some(pattern) => Some(
                Pattern::compile(&pattern)
                    .map_err(|source| TemplateError::Pattern { logical_id: logical_id.to_owned(), source })?,
            ),
            None => None,
        };
        let schedule = template.text(logical_id, "ScheduleExpression")?;
        let schedule = schedule.map(|text| text.parse()).transpose().map_err(refuse)?;
        if pattern.is_none() && schedule.is_none() {
            return Err(refuse("expected an `EventPattern` or a `ScheduleExpression`".to_owned()));
        }
        let bus = template.text(logical_id, "EventBusName")?;
        let bus = bus.as_deref().map_or("default", bus_name).to_owned();
        if schedule.is_some() && bus != "default" {
            return Err(refuse("ScheduleExpression: only a rule on the default bus has one".to_owned()));
        }
        let targets = match template.property(logical_id, "Targets")? {
            Some(Value::Array(targets)) if (1..=MOST_TARGETS).contains(&targets.len()) => targets,
            _ => return Err(refuse(format!("Targets: expected a list of 1 to {MOST_TARGETS}"))),
        };
        let queues = targets
            .iter()
            .filter(|target| !is_one_of(target, topics))
            .map(|target| target_queue(target, queues).map_err(|reason| refuse(format!("Targets: {reason}"))))
            .collect::<Result<Vec<_>, _>>()?;
        let arn = template.arn(logical_id)?;
        rules.push(Rule { logical_id: logical_id.to_owned(), arn, bus, pattern, schedule, queues });
    }
    Ok(rules)
}

fn is_one_of(target: &Value, topics: &[String]) -> bool {
    target.get("Arn").and_then(Value::as_str).is_some_and(|arn| topics.iter().any(|topic| topic == arn))
}

/// The logical id of the queue that a target names.
fn target_queue(target: &Value, queues: &[Queue]) -> Result<String, String> {
    if let Some(property) =
        ["Input", "InputPath", "InputTransformer"].iter().find(|name| target.get(**name).is_some())
    {
        return Err(format!("`{property}` is not supported: a function reads the whole event"));
    }
    let arn = target.get("Arn").and_then(Value::as_str).ok_or("expected an `Arn` of every target")?;
    let queue = queues.iter().find(|queue| queue.arn == arn);
    queue
        .map(|queue| queue.logical_id.clone())
        .ok_or_else(|| format!("expected a queue or a topic of this template, found `{arn}`"))
}
