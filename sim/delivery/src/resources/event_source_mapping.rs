//! What Lambda takes from a queue, how much at once, and when.
//!
//! Source: <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-parameters.html>.

use serde_json::{Value, json};

use super::function::Function;
use super::queue::Queue;
use crate::template::{Template, TemplateError, whole_number};

/// The batch size of a mapping that sets none.
const DEFAULT_BATCH_SIZE: u32 = 10;
/// The most messages that one invocation takes.
const LARGEST_BATCH: u32 = 10_000;
/// The most messages that an invocation may take without waiting for a batching window.
const LARGEST_BATCH_WITHOUT_WINDOW: u32 = 10;
/// The longest batching window, in seconds.
const LONGEST_WINDOW: u32 = 300;

/// An event source mapping from a queue to a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    pub logical_id: String,
    /// The name of the function.
    pub function: String,
    /// The logical id of the queue.
    pub queue: String,
    /// The most messages of one invocation.
    pub batch_size: u32,
    /// How long Lambda gathers messages before it invokes with fewer.
    pub batching_window_seconds: u32,
    /// The most invocations at once, where the mapping limits them.
    pub maximum_concurrency: Option<u32>,
    /// Whether the function's answer names the messages that failed. If not, any answer is success.
    pub reports_failures: bool,
}

pub(super) fn read(
    template: &Template,
    functions: &[Function],
    queues: &[Queue],
) -> Result<Vec<Mapping>, TemplateError> {
    let mut mappings: Vec<Mapping> = Vec::new();
    for logical_id in template.of_kind("AWS::Lambda::EventSourceMapping") {
        let refuse = |reason: String| TemplateError::resource(logical_id, reason);
        if template.property(logical_id, "FilterCriteria")?.is_some() {
            return Err(refuse("FilterCriteria is not supported".to_owned()));
        }
        if template.property(logical_id, "Enabled")?.is_some_and(|enabled| enabled != Value::Bool(true)) {
            continue;
        }
        let function = mapped_function(template, logical_id, functions)?;
        let queue = mapped_queue(template, logical_id, queues)?;
        if let Some(twin) = mappings.iter().find(|mapping| mapping.queue == queue.logical_id) {
            let reason = format!("EventSourceArn: `{}` already feeds `{}`", queue.logical_id, twin.function);
            return Err(refuse(reason));
        }
        if queue.visibility_timeout_seconds < function.timeout_seconds {
            return Err(refuse(format!(
                "the VisibilityTimeout of `{}` is shorter than the Timeout of `{}`",
                queue.logical_id, function.logical_id
            )));
        }
        let (batch_size, batching_window_seconds) = batching(template, logical_id)?;
        mappings.push(Mapping {
            logical_id: logical_id.to_owned(),
            function: function.name.clone(),
            queue: queue.logical_id.clone(),
            batch_size,
            batching_window_seconds,
            maximum_concurrency: maximum_concurrency(template, logical_id)?,
            reports_failures: reports_failures(template, logical_id)?,
        });
    }
    Ok(mappings)
}

/// `FunctionName` takes a name or an ARN.
fn mapped_function<'a>(
    template: &Template,
    logical_id: &str,
    functions: &'a [Function],
) -> Result<&'a Function, TemplateError> {
    let named = template.text(logical_id, "FunctionName")?.unwrap_or_default();
    functions
        .iter()
        .find(|function| {
            template.physical_name(&function.logical_id).as_ref() == Ok(&named)
                || template.arn(&function.logical_id).as_ref() == Ok(&named)
        })
        .ok_or_else(|| {
            let reason = format!("FunctionName: expected a function of this template, found `{named}`");
            TemplateError::resource(logical_id, reason)
        })
}

fn mapped_queue<'a>(
    template: &Template,
    logical_id: &str,
    queues: &'a [Queue],
) -> Result<&'a Queue, TemplateError> {
    let arn = template.text(logical_id, "EventSourceArn")?.unwrap_or_default();
    queues.iter().find(|queue| queue.arn == arn).ok_or_else(|| {
        let reason = format!("EventSourceArn: expected a queue of this template, found `{arn}`");
        TemplateError::resource(logical_id, reason)
    })
}

/// The batch size, and the batching window in seconds.
fn batching(template: &Template, logical_id: &str) -> Result<(u32, u32), TemplateError> {
    let batch_size = template.number(logical_id, "BatchSize")?.unwrap_or(DEFAULT_BATCH_SIZE);
    let window = template.number(logical_id, "MaximumBatchingWindowInSeconds")?.unwrap_or(0);
    let reason = if !(1..=LARGEST_BATCH).contains(&batch_size) {
        format!("BatchSize: expected 1 to {LARGEST_BATCH}, found {batch_size}")
    } else if window > LONGEST_WINDOW {
        format!("MaximumBatchingWindowInSeconds: expected 0 to {LONGEST_WINDOW}, found {window}")
    } else if batch_size > LARGEST_BATCH_WITHOUT_WINDOW && window == 0 {
        format!("BatchSize: more than {LARGEST_BATCH_WITHOUT_WINDOW} need a `MaximumBatchingWindowInSeconds`")
    } else {
        return Ok((batch_size, window));
    };
    Err(TemplateError::resource(logical_id, reason))
}

fn maximum_concurrency(template: &Template, logical_id: &str) -> Result<Option<u32>, TemplateError> {
    let Some(scaling) = template.property(logical_id, "ScalingConfig")? else { return Ok(None) };
    match scaling.get("MaximumConcurrency").map(whole_number) {
        None => Ok(None),
        Some(Some(most @ 2..=1_000)) => Ok(Some(most)),
        Some(_) => {
            let reason = "ScalingConfig: expected a `MaximumConcurrency` from 2 to 1000";
            Err(TemplateError::resource(logical_id, reason))
        }
    }
}

fn reports_failures(template: &Template, logical_id: &str) -> Result<bool, TemplateError> {
    match template.property(logical_id, "FunctionResponseTypes")? {
        None => Ok(false),
        Some(types) if types == json!(["ReportBatchItemFailures"]) => Ok(true),
        Some(other) => {
            let reason =
                format!("FunctionResponseTypes: expected `[\"ReportBatchItemFailures\"]`, found `{other}`");
            Err(TemplateError::resource(logical_id, reason))
        }
    }
}
