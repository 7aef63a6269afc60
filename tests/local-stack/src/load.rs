//! What the template says of functions, queues, rules, tables, topics and buses.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::error::TemplateError;
use crate::name::bus_name;
use crate::parameter::text_of;
use crate::pattern::Pattern;
use crate::queue::{Queue, Redrive};
use crate::stack::{Function, Rule, Table};
use crate::template::{Template, whole_number};

/// Lambda's own default, in seconds.
const FUNCTION_TIMEOUT: u32 = 3;
/// The default of SQS, in seconds.
const VISIBILITY_TIMEOUT: u32 = 30;
/// What SQS allows, in seconds.
const LONGEST_VISIBILITY_TIMEOUT: u32 = 43_200;
/// What EventBridge allows of one rule.
const MOST_TARGETS: usize = 5;

pub(crate) fn functions(template: &Template) -> Result<Vec<Function>, TemplateError> {
    let mut functions: Vec<Function> = Vec::new();
    for (logical_id, _) in template.of_kind("AWS::Serverless::Function") {
        let refuse = |reason: String| TemplateError::resource(logical_id, reason);
        let code =
            template.text(logical_id, "CodeUri")?.ok_or_else(|| refuse("it has no CodeUri".to_owned()))?;
        let name = code.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned();
        if let Some(twin) = functions.iter().find(|function| function.name == name) {
            return Err(refuse(format!("it has the same CodeUri as {}", twin.logical_id)));
        }
        let mut environment = BTreeMap::new();
        if let Some(Value::Object(block)) = template.property(logical_id, "Environment")?
            && let Some(Value::Object(variables)) = block.get("Variables")
        {
            for (variable, value) in variables {
                let text = text_of(value)
                    .ok_or_else(|| refuse(format!("the environment variable {variable} is not text")))?;
                environment.insert(variable.clone(), text);
            }
        }
        let timeout_seconds = template.number(logical_id, "Timeout")?.unwrap_or(FUNCTION_TIMEOUT);
        let grants = crate::grant::of_function(template, logical_id)?;
        functions.push(Function {
            logical_id: logical_id.to_owned(),
            name,
            environment,
            timeout_seconds,
            grants,
        });
    }
    Ok(functions)
}

pub(crate) fn queues(template: &Template) -> Result<BTreeMap<String, Queue>, TemplateError> {
    let arns = queue_arns(template)?;
    let mut queues = BTreeMap::new();
    for (arn, logical_id) in &arns {
        let refuse = |reason: String| TemplateError::resource(logical_id, reason);
        for (property, neutral) in [("FifoQueue", Value::from(false)), ("DelaySeconds", Value::from(0))] {
            if template.property(logical_id, property)?.is_some_and(|value| value != neutral) {
                return Err(refuse(format!("{property} is not supported")));
            }
        }
        let visibility = template.number(logical_id, "VisibilityTimeout")?.unwrap_or(VISIBILITY_TIMEOUT);
        if visibility > LONGEST_VISIBILITY_TIMEOUT {
            return Err(refuse(format!("VisibilityTimeout: {visibility} s are more than SQS allows")));
        }
        let redrive = template
            .property(logical_id, "RedrivePolicy")?
            .map(|policy| {
                redrive(&policy, &arns).map_err(|reason| refuse(format!("RedrivePolicy: {reason}")))
            })
            .transpose()?;
        queues.insert(logical_id.clone(), Queue::new(arn.clone(), visibility, redrive));
    }
    Ok(queues)
}

/// The logical id of every queue, by ARN.
fn queue_arns(template: &Template) -> Result<BTreeMap<String, String>, TemplateError> {
    let mut arns = BTreeMap::new();
    for (logical_id, _) in template.of_kind("AWS::SQS::Queue") {
        let arn = template.arn(logical_id).map_err(|reason| TemplateError::resource(logical_id, reason))?;
        if let Some(twin) = arns.insert(arn, logical_id.to_owned()) {
            return Err(TemplateError::resource(logical_id, format!("it has the same name as {twin}")));
        }
    }
    Ok(arns)
}

fn redrive(policy: &Value, arns: &BTreeMap<String, String>) -> Result<Redrive, String> {
    let target = policy.get("deadLetterTargetArn").and_then(Value::as_str);
    let dead_letter_queue = target
        .and_then(|arn| arns.get(arn))
        .ok_or_else(|| format!("deadLetterTargetArn {target:?} is no queue of this template"))?;
    let max_receive_count = policy
        .get("maxReceiveCount")
        .and_then(whole_number)
        .filter(|count| (1..=1_000).contains(count))
        .ok_or("maxReceiveCount must be a number from 1 to 1000")?;
    Ok(Redrive { dead_letter_queue: dead_letter_queue.clone(), max_receive_count })
}

pub(crate) fn rules(
    template: &Template,
    queues: &BTreeMap<String, Queue>,
) -> Result<Vec<Rule>, TemplateError> {
    let mut rules = Vec::new();
    for (logical_id, _) in template.of_kind("AWS::Events::Rule") {
        let refuse = |reason: String| TemplateError::resource(logical_id, reason);
        match template.text(logical_id, "State")?.as_deref() {
            None | Some("ENABLED" | "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS") => {}
            Some("DISABLED") => continue,
            Some(other) => return Err(refuse(format!("State: {other} is not supported"))),
        }
        let pattern = match template.property(logical_id, "EventPattern")? {
            Some(pattern) => Some(
                Pattern::compile(&pattern)
                    .map_err(|source| TemplateError::Pattern { logical_id: logical_id.to_owned(), source })?,
            ),
            None if template.property(logical_id, "ScheduleExpression")?.is_some() => None,
            None => return Err(refuse("it has neither an EventPattern nor a ScheduleExpression".to_owned())),
        };
        let bus = template.text(logical_id, "EventBusName")?;
        let bus = bus.as_deref().map_or("default", bus_name).to_owned();
        let targets = match template.property(logical_id, "Targets")? {
            Some(Value::Array(targets)) if (1..=MOST_TARGETS).contains(&targets.len()) => targets,
            _ => return Err(refuse(format!("Targets must be a list of 1 to {MOST_TARGETS}"))),
        };
        let targets = targets
            .iter()
            .map(|target| target_queue(target, pattern.is_some(), queues).map_err(refuse))
            .filter_map(Result::transpose)
            .collect::<Result<Vec<_>, _>>()?;
        rules.push(Rule { logical_id: logical_id.to_owned(), bus, pattern, queues: targets });
    }
    Ok(rules)
}

/// The queue that a target names; `None` for the target of a schedule, which carries no event.
fn target_queue(
    target: &Value,
    has_pattern: bool,
    queues: &BTreeMap<String, Queue>,
) -> Result<Option<String>, String> {
    if !has_pattern {
        return Ok(None);
    }
    if let Some(property) =
        ["Input", "InputPath", "InputTransformer"].iter().find(|name| target.get(**name).is_some())
    {
        return Err(format!("Targets: {property} is not supported, since functions read whole events"));
    }
    let arn = target.get("Arn").and_then(Value::as_str).ok_or("Targets: a target has no Arn")?;
    let queue = queues.iter().find(|(_, queue)| queue.arn == arn).map(|(logical_id, _)| logical_id.clone());
    queue.map(Some).ok_or_else(|| format!("Targets: {arn} is no queue of this template"))
}

pub(crate) fn tables(template: &Template) -> Result<Vec<Table>, TemplateError> {
    let mut tables = Vec::new();
    for (logical_id, _) in template.of_kind("AWS::DynamoDB::Table") {
        let refuse = |reason: &str| TemplateError::resource(logical_id, reason);
        let schema = template.property(logical_id, "KeySchema")?;
        let keys = schema.as_ref().and_then(Value::as_array).map(Vec::as_slice);
        let [key] = keys.unwrap_or_default() else {
            return Err(refuse("KeySchema must be one hash key"));
        };
        let key = match (key.get("KeyType").and_then(Value::as_str), key.get("AttributeName")) {
            (Some("HASH"), Some(Value::String(name))) => name.clone(),
            _ => return Err(refuse("KeySchema must be one hash key")),
        };
        let name = template.physical_name(logical_id).map_err(|reason| refuse(&reason))?;
        tables.push(Table { logical_id: logical_id.to_owned(), name, key });
    }
    Ok(tables)
}

pub(crate) fn topics(template: &Template) -> Result<Vec<String>, TemplateError> {
    let topics = template.of_kind("AWS::SNS::Topic");
    topics
        .map(|(logical_id, _)| {
            template.arn(logical_id).map_err(|reason| TemplateError::resource(logical_id, reason))
        })
        .collect()
}

pub(crate) fn buses(template: &Template) -> Result<Vec<String>, TemplateError> {
    let buses = template.of_kind("AWS::Events::EventBus");
    buses
        .map(|(logical_id, _)| {
            template.physical_name(logical_id).map_err(|reason| TemplateError::resource(logical_id, reason))
        })
        .collect()
}
