use serde_json::json;
use sim_delivery::Pattern;

use super::check_refused;

#[test]
fn a_pattern_of_the_wrong_shape_is_refused_with_its_place() {
    check_refused(&[
        (json!([]), "$", "expected an object"),
        (json!({}), "$", "at least one field"),
        (json!({"detail": {}}), "detail", "at least one field"),
        (json!({"detail": {"x": []}}), "detail.x", "empty list"),
        (json!({"x": "text"}), "x", "expected a list"),
        (json!({"x": 42}), "x", "expected a list"),
        (json!({"x": null}), "x", "expected a list"),
        (json!({"x": [["a"]]}), "x", "found the list"),
        (json!({"x": [{}]}), "x", "exactly one operator"),
        (json!({"x": [{"prefix": "a", "suffix": "b"}]}), "x", "exactly one operator"),
        (json!({"x": [{"exists": "yes"}]}), "x", "true or false"),
    ]);
}

/// Names of operators are case-sensitive. What EventBridge knows and this crate does not is refused
/// as well, rather than read as something else.
#[test]
fn an_unknown_operator_is_refused_by_name() {
    check_refused(&[
        (json!({"x": [{"EXISTS": true}]}), "x", "`EXISTS` is not supported"),
        (json!({"x": [{"contains": "a"}]}), "x", "`contains` is not supported"),
        (json!({"x": [{"cidr": "10.0.0.0/8"}]}), "x", "`cidr` is not supported"),
        (json!({"x": [{"exactly": "a"}]}), "x", "`exactly` is not supported"),
    ]);
}

/// event-ruler keeps the list that comes last. The order is lost when JSON is parsed, so the pattern
/// is refused: it never means what it seems to say.
#[test]
fn a_field_that_is_named_twice_is_refused() {
    check_refused(&[
        (json!({"a": {"b": [1]}, "a.b": [2]}), "a.b", "twice"),
        (json!({"x": [1], "$or": [{"x": [2]}, {"y": [1]}]}), "x", "twice"),
    ]);
}

/// Guide, page "Amazon EventBridge quotas".
#[test]
fn a_pattern_has_at_most_2048_characters() {
    let of_length = |length: usize| json!({"x": ["é".repeat(length - r#"{"x":[""]}"#.len())]});
    assert!(Pattern::compile(&of_length(2_048)).is_ok());
    check_refused(&[(of_length(2_049), "$", "2048")]);
}
