//! What the template says of event source mappings, with the refusals that Lambda would answer.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::error::TemplateError;
use crate::mapping::{LARGEST_BATCH, LARGEST_BATCH_WITHOUT_WINDOW, LONGEST_WINDOW, Mapping};
use crate::queue::Queue;
use crate::stack::Function;
use crate::template::{Template, whole_number};

/// Lambda's own default.
const BATCH_SIZE: u32 = 10;

pub(crate) fn mappings(
    template: &Template,
    functions: &[Function],
    queues: &BTreeMap<String, Queue>,
) -> Result<Vec<Mapping>, TemplateError> {
    for function in functions {
        // SAM would make mappings and rules of these, and they would be missing here without a word.
        if template.property(&function.logical_id, "Events")?.is_some() {
            let reason = "Events is not supported; declare an AWS::Lambda::EventSourceMapping";
            return Err(TemplateError::resource(&function.logical_id, reason));
        }
    }
    let mut mappings: Vec<Mapping> = Vec::new();
    for (logical_id, _) in template.of_kind("AWS::Lambda::EventSourceMapping") {
        let refuse = |reason: String| TemplateError::resource(logical_id, reason);
        if template.property(logical_id, "FilterCriteria")?.is_some() {
            return Err(refuse("FilterCriteria is not supported".to_owned()));
        }
        if template.property(logical_id, "Enabled")?.is_some_and(|enabled| enabled != Value::Bool(true)) {
            continue;
        }
        let function = mapped_function(template, logical_id, functions)?;
        let arn = template.text(logical_id, "EventSourceArn")?.unwrap_or_default();
        let (queue_id, queue) = queues
            .iter()
            .find(|(_, queue)| queue.arn == arn)
            .ok_or_else(|| refuse(format!("EventSourceArn: {arn:?} is no queue of this template")))?;
        if let Some(twin) = mappings.iter().find(|mapping| mapping.queue == *queue_id) {
            return Err(refuse(format!("{queue_id} already feeds {}", twin.function)));
        }
        if queue.visibility_timeout() < i64::from(function.timeout_seconds) * 1_000 {
            return Err(refuse(format!(
                "the VisibilityTimeout of {queue_id} is shorter than the Timeout of {}",
                function.logical_id
            )));
        }
        let batch_size = template.number(logical_id, "BatchSize")?.unwrap_or(BATCH_SIZE);
        let window = template.number(logical_id, "MaximumBatchingWindowInSeconds")?.unwrap_or(0);
        if !(1..=LARGEST_BATCH).contains(&batch_size) {
            return Err(refuse(format!("BatchSize must be 1 to {LARGEST_BATCH}")));
        }
        if window > LONGEST_WINDOW {
            return Err(refuse(format!("MaximumBatchingWindowInSeconds must be 0 to {LONGEST_WINDOW}")));
        }
        if batch_size > LARGEST_BATCH_WITHOUT_WINDOW && window == 0 {
            return Err(refuse(format!(
                "a BatchSize above {LARGEST_BATCH_WITHOUT_WINDOW} needs a MaximumBatchingWindowInSeconds"
            )));
        }
        mappings.push(Mapping {
            logical_id: logical_id.to_owned(),
            function: function.name.clone(),
            queue: queue_id.clone(),
            batch_size,
            batching_window_seconds: window,
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
            let reason = format!("FunctionName: {named:?} is no function of this template");
            TemplateError::resource(logical_id, reason)
        })
}

fn maximum_concurrency(template: &Template, logical_id: &str) -> Result<Option<u32>, TemplateError> {
    let Some(scaling) = template.property(logical_id, "ScalingConfig")? else { return Ok(None) };
    match scaling.get("MaximumConcurrency").map(whole_number) {
        None => Ok(None),
        Some(Some(most @ 2..=1_000)) => Ok(Some(most)),
        Some(_) => {
            Err(TemplateError::resource(logical_id, "ScalingConfig: MaximumConcurrency must be 2 to 1000"))
        }
    }
}

fn reports_failures(template: &Template, logical_id: &str) -> Result<bool, TemplateError> {
    match template.property(logical_id, "FunctionResponseTypes")? {
        None => Ok(false),
        Some(types) if types == serde_json::json!(["ReportBatchItemFailures"]) => Ok(true),
        Some(other) => Err(TemplateError::resource(
            logical_id,
            format!("FunctionResponseTypes: {other} is not supported"),
        )),
    }
}
