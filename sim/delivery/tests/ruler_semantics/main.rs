//! What event patterns mean, rule by rule, and where the rule comes from.
//!
//! "Guide" is the EventBridge user guide, page "Comparison operators for use in event patterns" unless
//! another page is named. Names that end in `.java` are classes of AWS's own matcher,
//! <https://github.com/aws/event-ruler>, which is the tie-breaker where the guide is silent.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

mod anything_but;
mod compilation;
mod exists;
mod lists_and_objects;
mod numeric;
mod or_choices;
mod properties;
mod texts;
mod values;

use serde_json::{Value, json};
use sim_delivery::Pattern;

fn matches(pattern: &Value, event: &Value) -> bool {
    Pattern::compile(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}")).matches(event)
}

/// Checks alternatives for the field `x` against events.
fn check(cases: &[(Value, Value, bool)]) {
    for (alternatives, event, expected) in cases {
        assert_eq!(matches(&json!({"x": alternatives}), event), *expected, "{alternatives} on {event}");
    }
}

/// Checks whole patterns against events.
fn check_patterns(cases: &[(Value, Value, bool)]) {
    for (pattern, event, expected) in cases {
        assert_eq!(matches(pattern, event), *expected, "{pattern} on {event}");
    }
}

/// Checks that patterns are refused, each with its path and with a word of the reason.
fn check_refused(cases: &[(Value, &str, &str)]) {
    for (pattern, path, reason) in cases {
        let error = Pattern::compile(pattern).map(|_| panic!("{pattern} was not refused")).unwrap_err();
        assert_eq!(error.path, *path, "{pattern}: {error}");
        assert!(error.reason.contains(reason), "{pattern}: {error}");
    }
}
