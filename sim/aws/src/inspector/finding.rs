//! Converts the finding of an event to the finding of the API.

use serde_json::{Value, json};

use super::timestamp::seconds;

/// Converts the `detail` of an "Inspector2 Finding" event: the same members, but every timestamp in seconds
/// since 1970. Returns `None` without an ARN, or if a timestamp cannot be read.
pub(crate) fn from_event(detail: &Value) -> Option<(String, Value)> {
    let arn = detail.get("findingArn")?.as_str()?.to_owned();
    Some((arn, convert(detail)?))
}

/// Whether the finding is not older than the known one.
pub(crate) fn is_as_new(finding: &Value, known: &Value) -> bool {
    let updated_at = |finding: &Value| finding.get("updatedAt").and_then(Value::as_f64).unwrap_or(f64::MIN);
    updated_at(finding) >= updated_at(known)
}

/// In the Inspector2 API model the timestamps of a finding are exactly the members that end in `At`.
fn convert(value: &Value) -> Option<Value> {
    match value {
        Value::Object(members) => members
            .iter()
            .map(|(name, member)| {
                let converted = if name.ends_with("At") && !member.is_null() {
                    json!(seconds(member)?)
                } else {
                    convert(member)?
                };
                Some((name.clone(), converted))
            })
            .collect::<Option<serde_json::Map<_, _>>>()
            .map(Value::Object),
        Value::Array(items) => items.iter().map(convert).collect::<Option<Vec<_>>>().map(Value::Array),
        other => Some(other.clone()),
    }
}
