//! EventBridge event patterns.
//!
//! Sources: <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html>
//! for what a pattern may say, and AWS's own matcher, <https://github.com/aws/event-ruler>, for what it
//! means. A pattern that is not understood here is refused when it is compiled: skipping a filter would
//! let events through that AWS drops, or the other way round.

mod compile;
mod error;
mod event;
mod ignore_case;
mod number;
mod operator;
mod wildcard;

use serde_json::Value;

pub use error::PatternError;

use compile::Field;
use event::Membership;

/// A compiled event pattern.
#[derive(Debug, Clone, PartialEq)]
pub struct Pattern {
    /// One list of fields for each way through the `$or`s of the pattern, sorted by path.
    alternatives: Vec<Vec<Field>>,
}

impl Pattern {
    /// Compiles the JSON of a pattern.
    pub fn compile(pattern: &Value) -> Result<Self, PatternError> {
        Ok(Self { alternatives: compile::alternatives(pattern)? })
    }

    pub fn matches(&self, event: &Value) -> bool {
        event.is_object()
            && self.alternatives.iter().any(|fields| matches_within(fields, event, &Membership::default()))
    }
}

/// Whether every field matches a value of the event, with all of these values in the same elements of
/// the lists around them.
///
/// The fields come in the order of their paths because event-ruler takes them in that order: whether a
/// field is absent is asked within the elements that the fields before it have settled on.
fn matches_within(fields: &[Field], event: &Value, within: &Membership) -> bool {
    let Some((field, others)) = fields.split_first() else { return true };
    let mut is_absent = true;
    let mut settled = Vec::new();
    for leaf in event::leaves_at(event, &field.path) {
        let Some(joined) = within.joined(&leaf.within) else { continue };
        is_absent = false;
        if field.accepts(leaf.value) {
            settled.push(joined);
        }
    }
    if is_absent {
        return field.accepts_absence() && matches_within(others, event, within);
    }
    // Values in the same elements leave the same question to the other fields.
    settled.dedup();
    settled.iter().any(|within| matches_within(others, event, within))
}
