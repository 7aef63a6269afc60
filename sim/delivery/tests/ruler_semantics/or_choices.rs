use serde_json::{Map, Value, json};
use sim_delivery::Pattern;

use super::{check_patterns, check_refused, matches};

/// Guide, "Or matching"; README of event-ruler, "The `$or` primitive".
#[test]
fn one_of_the_choices_must_match_beside_everything_else() {
    let pattern = json!({
        "source": ["shop"],
        "$or": [{"paid": [true]}, {"detail": {"total": [{"numeric": ["<", 5]}], "currency": ["EUR"]}}],
    });
    check_patterns(&[
        (pattern.clone(), json!({"source": "shop", "paid": true}), true),
        (pattern.clone(), json!({"source": "shop", "detail": {"total": 3, "currency": "EUR"}}), true),
        (pattern.clone(), json!({"source": "shop", "detail": {"total": 3, "currency": "USD"}}), false),
        (pattern.clone(), json!({"source": "shop", "paid": false}), false),
        (pattern, json!({"source": "bank", "paid": true}), false),
    ]);
}

#[test]
fn choices_nest_and_stand_at_any_depth() {
    let pattern = json!({"detail": {"$or": [
        {"kind": ["a"], "$or": [{"size": [1]}, {"size": [2]}]},
        {"kind": ["b"]},
    ]}});
    check_patterns(&[
        (pattern.clone(), json!({"detail": {"kind": "a", "size": 2}}), true),
        (pattern.clone(), json!({"detail": {"kind": "a", "size": 3}}), false),
        (pattern.clone(), json!({"detail": {"kind": "b", "size": 3}}), true),
        (pattern, json!({"kind": "b"}), false),
    ]);
}

/// A choice is one more field of the same match, so it lies in the same element of a list.
#[test]
fn a_choice_lies_in_the_same_element_as_the_other_fields() {
    let pattern = json!({"lines": {"item": ["pen"], "$or": [{"count": [2]}, {"weight": [9]}]}});
    check_patterns(&[
        (pattern.clone(), json!({"lines": [{"item": "pen", "weight": 9}]}), true),
        (pattern, json!({"lines": [{"item": "pen"}, {"item": "ink", "weight": 9}]}), false),
    ]);
}

/// `JsonRuleCompiler.java` and the reserved names in `Constants.java`.
#[test]
fn a_malformed_or_is_refused() {
    check_refused(&[
        (json!({"$or": {"x": [1]}}), "$or", "at least two"),
        (json!({"$or": []}), "$or", "at least two"),
        (json!({"$or": [{"x": [1]}]}), "$or", "at least two"),
        (json!({"$or": ["a", "b"]}), "$or", "expected an object"),
        (json!({"detail": {"$or": [{"x": [1]}, {}]}}), "detail", "at least one field"),
        (json!({"$or": [{"x": [1]}, {"prefix": ["a"]}]}), "prefix", "reserved"),
        (json!({"$or": [{"x": [1]}, {"y": {"regex": ["a"]}}]}), "y.regex", "reserved"),
        (json!({"$or": [{"x": [1]}, {"$or": [{"y": [1]}]}]}), "$or", "at least two"),
    ]);
    // Outside of `$or` they are names like any other.
    assert!(matches(&json!({"prefix": ["a"]}), &json!({"prefix": "a"})));
}

/// EventBridge refuses more than a thousand combinations.
#[test]
fn choices_multiply_up_to_a_thousand() {
    let ors = |names: &str| {
        let mut pattern = Map::new();
        for name in names.chars() {
            let choices: Vec<Value> =
                (0..10).map(|number| json!({(format!("{name}{number}")): [1]})).collect();
            pattern.insert(name.to_string(), json!({"$or": choices}));
        }
        Value::Object(pattern)
    };
    assert!(Pattern::compile(&ors("abc")).is_ok());
    check_refused(&[(ors("abcd"), "d.$or", "1000 combinations")]);
}
