//! Whether the queue policies let every rule send to its queues.
//!
//! A rule without permission deploys well and then drops every event in silence, so a template that
//! forgets one is refused here.
//! Source: <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html>.

use serde_json::Value;

use super::event_rule::Rule;
use crate::template::{Template, TemplateError};

pub(super) fn check(template: &Template, rules: &[Rule]) -> Result<(), TemplateError> {
    let mut statements = Vec::new();
    for logical_id in template.of_kind("AWS::SQS::QueuePolicy") {
        let document = template.property(logical_id, "PolicyDocument")?;
        match document.as_ref().and_then(|document| document.get("Statement")) {
            Some(Value::Array(list)) => statements.extend(list.iter().cloned()),
            Some(single @ Value::Object(_)) => statements.push(single.clone()),
            _ => return Err(TemplateError::resource(logical_id, "PolicyDocument: expected a `Statement`")),
        }
    }
    for rule in rules {
        let rule_arn = template.arn(&rule.logical_id)?;
        for queue in &rule.queues {
            let queue_arn = template.arn(queue)?;
            if !statements.iter().any(|statement| allows(statement, &rule_arn, &queue_arn)) {
                let reason = format!("no AWS::SQS::QueuePolicy lets it send to `{queue}`");
                return Err(TemplateError::resource(&rule.logical_id, reason));
            }
        }
    }
    Ok(())
}

fn allows(statement: &Value, rule_arn: &str, queue_arn: &str) -> bool {
    let service = statement.get("Principal").and_then(|principal| principal.get("Service"));
    let source = statement.get("Condition").and_then(|condition| {
        ["ArnEquals", "ArnLike", "StringEquals"]
            .iter()
            .find_map(|name| condition.get(*name)?.get("aws:SourceArn"))
    });
    statement.get("Effect").and_then(Value::as_str) == Some("Allow")
        && names(service, "events.amazonaws.com")
        && names(statement.get("Action"), "sqs:SendMessage")
        && names(statement.get("Resource"), queue_arn)
        && names(source, rule_arn)
}

/// Whether a value is this text, or a list that has it.
fn names(value: Option<&Value>, text: &str) -> bool {
    match value {
        Some(Value::String(one)) => one == text,
        Some(Value::Array(several)) => several.iter().any(|one| one.as_str() == Some(text)),
        _ => false,
    }
}
