use serde_json::json;

use super::{check, check_patterns, matches};

/// Guide, "Exists matching": it works on leaves alone.
#[test]
fn only_a_leaf_exists() {
    check(&[
        (json!([{"exists": true}]), json!({"x": "any"}), true),
        (json!([{"exists": true}]), json!({"x": null}), true),
        (json!([{"exists": true}]), json!({"x": ""}), true),
        (json!([{"exists": true}]), json!({}), false),
        (json!([{"exists": true}]), json!({"x": {"y": 1}}), false),
        (json!([{"exists": true}]), json!({"x": {}}), false),
        (json!([{"exists": true}]), json!({"x": []}), false),
        (json!([{"exists": true}]), json!({"x": [{"y": 1}]}), false),
        (json!([{"exists": true}]), json!({"x": [[], [1]]}), true),
        (json!([{"exists": false}]), json!({}), true),
        (json!([{"exists": false}]), json!({"x": {"y": 1}}), true),
        (json!([{"exists": false}]), json!({"x": []}), true),
        (json!([{"exists": false}]), json!({"x": null}), false),
        (json!([{"exists": false}, "red"]), json!({"x": "red"}), true),
        (json!([{"exists": false}, "red"]), json!({"x": "blue"}), false),
    ]);
}

#[test]
fn what_lies_under_an_absent_or_plain_parent_is_absent() {
    let pattern = json!({"detail": {"x": {"y": [{"exists": false}]}}});
    for event in [json!({}), json!({"detail": null}), json!({"detail": {"x": 5}}), json!({"detail": []})] {
        assert!(matches(&pattern, &event), "{event}");
    }
    assert!(!matches(&pattern, &json!({"detail": {"x": {"y": 0}}})));
}

/// `NameState.java`: a field is absent if it is absent within the elements that the fields before it,
/// in the order of their paths, were found in.
#[test]
fn absence_in_a_list_is_asked_in_the_elements_that_earlier_fields_settled_on() {
    let second_lacks_b = json!({"lines": [{"a": 1, "b": 1}, {"a": 2}]});
    check_patterns(&[
        (json!({"lines": {"a": [2], "b": [{"exists": false}]}}), second_lacks_b.clone(), true),
        (json!({"lines": {"a": [1], "b": [{"exists": false}]}}), second_lacks_b.clone(), false),
        // No field comes before `b` here, so it must be absent in every element.
        (json!({"lines": {"b": [{"exists": false}]}}), second_lacks_b.clone(), false),
        (json!({"lines": {"c": [{"exists": false}]}}), second_lacks_b, true),
        // `a` is asked before `b`.
        (
            json!({"lines": {"a": [{"exists": false}], "b": [1]}}),
            json!({"lines": [{"a": 1}, {"b": 1}]}),
            false,
        ),
    ]);
}
