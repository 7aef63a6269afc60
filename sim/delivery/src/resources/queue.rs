use std::collections::BTreeMap;

use serde_json::Value;

use crate::template::{Template, TemplateError, whole_number};

/// The visibility timeout of a queue that sets none, in seconds.
const DEFAULT_VISIBILITY_TIMEOUT: u32 = 30;
/// The longest that SQS allows, in seconds.
const LONGEST_VISIBILITY_TIMEOUT: u32 = 43_200;

/// A standard queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Queue {
    pub(crate) logical_id: String,
    pub(crate) arn: String,
    pub(crate) url: String,
    pub(crate) visibility_timeout_seconds: u32,
    pub(crate) redrive: Option<Redrive>,
}

/// When a queue gives up on a message, and where the message goes.
/// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html>.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Redrive {
    /// The logical id of the dead-letter queue.
    pub(crate) dead_letter_queue: String,
    /// How often a message is received before it goes there.
    pub(crate) max_receive_count: u32,
}

pub(super) fn read(template: &Template) -> Result<Vec<Queue>, TemplateError> {
    let mut logical_ids: BTreeMap<String, &str> = BTreeMap::new();
    for logical_id in template.of_kind("AWS::SQS::Queue") {
        if let Some(twin) = logical_ids.insert(template.arn(logical_id)?, logical_id) {
            let reason = format!("QueueName: `{twin}` has the same name");
            return Err(TemplateError::resource(logical_id, reason));
        }
    }
    template
        .of_kind("AWS::SQS::Queue")
        .map(|logical_id| {
            for (property, neutral) in [("FifoQueue", Value::from(false)), ("DelaySeconds", Value::from(0))] {
                if template.property(logical_id, property)?.is_some_and(|value| value != neutral) {
                    return Err(TemplateError::resource(logical_id, format!("{property} is not supported")));
                }
            }
            Ok(Queue {
                logical_id: logical_id.to_owned(),
                arn: template.arn(logical_id)?,
                url: template.queue_url(logical_id)?,
                visibility_timeout_seconds: visibility_timeout(template, logical_id)?,
                redrive: redrive(template, logical_id, &logical_ids)?,
            })
        })
        .collect()
}

fn visibility_timeout(template: &Template, logical_id: &str) -> Result<u32, TemplateError> {
    match template.number(logical_id, "VisibilityTimeout")?.unwrap_or(DEFAULT_VISIBILITY_TIMEOUT) {
        seconds @ 0..=LONGEST_VISIBILITY_TIMEOUT => Ok(seconds),
        seconds => {
            let reason = format!(
                "VisibilityTimeout: expected at most {LONGEST_VISIBILITY_TIMEOUT} seconds, found {seconds}"
            );
            Err(TemplateError::resource(logical_id, reason))
        }
    }
}

fn redrive(
    template: &Template,
    logical_id: &str,
    logical_ids: &BTreeMap<String, &str>,
) -> Result<Option<Redrive>, TemplateError> {
    let refuse = |reason: String| TemplateError::resource(logical_id, format!("RedrivePolicy: {reason}"));
    let Some(policy) = template.property(logical_id, "RedrivePolicy")? else { return Ok(None) };
    let arn = policy.get("deadLetterTargetArn").and_then(Value::as_str).unwrap_or_default();
    let dead_letter_queue = logical_ids.get(arn).ok_or_else(|| {
        refuse(format!("expected a queue of this template as `deadLetterTargetArn`, found `{arn}`"))
    })?;
    let max_receive_count = policy
        .get("maxReceiveCount")
        .and_then(whole_number)
        .filter(|count| (1..=1_000).contains(count))
        .ok_or_else(|| refuse("expected a `maxReceiveCount` from 1 to 1000".to_owned()))?;
    Ok(Some(Redrive { dead_letter_queue: (*dead_letter_queue).to_owned(), max_receive_count }))
}
