use serde_json::json;

use super::{check, check_patterns, matches};

/// Guide, page "Arrays in event patterns": the intersection of both lists must not be empty.
#[test]
fn a_list_in_the_event_matches_if_one_element_does() {
    check(&[
        (json!(["red", "blue"]), json!({"x": ["green", "blue"]}), true),
        (json!(["red", "blue"]), json!({"x": ["green"]}), false),
        (json!(["red"]), json!({"x": []}), false),
        (json!(["red"]), json!({"x": [["green"], ["red"]]}), true),
        (json!([{"numeric": [">", 4]}]), json!({"x": [1, "5", 6]}), true),
        (json!([{"prefix": "r"}]), json!({"x": [null, 5, "red"]}), true),
    ]);
}

/// README of event-ruler, "JSON Array Matching": no two fields may match in different elements of one
/// list. `ArrayMembership.java`.
#[test]
fn the_fields_of_one_match_lie_in_the_same_elements() {
    let order = json!({"lines": [{"item": "pen", "count": 1}, {"item": "ink", "count": 5}]});
    check_patterns(&[
        (json!({"lines": {"item": ["ink"], "count": [5]}}), order.clone(), true),
        (json!({"lines": {"item": ["pen"], "count": [5]}}), order.clone(), false),
        (json!({"lines": {"item": ["pen", "ink"], "count": [{"numeric": [">", 4]}]}}), order, true),
        // A list within an element: both lists must agree.
        (
            json!({"carts": {"open": [true], "lines": {"item": ["pen"]}}}),
            json!({"carts": [
                {"open": true, "lines": [{"item": "ink"}]},
                {"open": false, "lines": [{"item": "pen"}]},
            ]}),
            false,
        ),
        (
            json!({"carts": {"open": [true], "lines": {"item": ["pen"], "count": [2]}}}),
            json!({"carts": [{"open": true, "lines": [{"item": "ink"}, {"item": "pen", "count": 2}]}]}),
            true,
        ),
        // Lists of lists count element by element, too.
        (
            json!({"lines": {"item": ["pen"], "count": [5]}}),
            json!({"lines": [[{"item": "pen"}, {"count": 5}]]}),
            false,
        ),
        // Two different lists have nothing to do with one another.
        (
            json!({"old": {"item": ["pen"]}, "new": {"item": ["ink"]}}),
            json!({"old": [{"item": "pen"}], "new": [{"item": "nib"}, {"item": "ink"}]}),
            true,
        ),
    ]);
}

/// `Event.java` gives plain elements no place in their list, so they may match different fields.
#[test]
fn an_object_and_plain_values_may_stand_in_one_list() {
    check_patterns(&[
        (json!({"x": ["red"]}), json!({"x": [{"y": 1}, "red"]}), true),
        (json!({"x": {"y": [1]}}), json!({"x": ["red", {"y": 1}]}), true),
        (
            json!({"x": {"y": ["red"], "z": ["blue"]}}),
            json!({"x": {"y": ["red", "a"], "z": ["b", "blue"]}}),
            true,
        ),
    ]);
}

/// Comparison operators work on leaves; JSON within text is text.
#[test]
fn a_nested_field_matches_at_its_place_alone() {
    check_patterns(&[
        (json!({"detail": {"state": ["on"]}}), json!({"detail": {"state": "on", "more": 1}}), true),
        (json!({"detail": {"state": ["on"]}}), json!({"state": "on"}), false),
        (json!({"detail": {"state": ["on"]}}), json!({"detail": "{\"state\": \"on\"}"}), false),
        (json!({"detail": {"state": ["on"]}}), json!({"detail": {"state": {"now": "on"}}}), false),
        (json!({"detail": ["on"]}), json!({"detail": {"state": "on"}}), false),
    ]);
}

/// README of event-ruler, "Compiled rules and JSON keys with dots"; the service does the same.
#[test]
fn a_dot_in_a_name_is_a_step() {
    check_patterns(&[
        (json!({"detail": {"lamp.state": ["on"]}}), json!({"detail": {"lamp": {"state": "on"}}}), true),
        (json!({"detail": {"lamp": {"state": ["on"]}}}), json!({"detail": {"lamp.state": "on"}}), true),
        (json!({"detail": {"lamp.state": ["on"]}}), json!({"detail": {"lamp.state": "on"}}), true),
        (
            json!({"detail": {"lamp.state": ["on"]}}),
            json!({"detail": {"lamp.state": {"state": "on"}}}),
            false,
        ),
    ]);
}

#[test]
fn an_event_that_is_no_object_matches_nothing() {
    for event in [json!("text"), json!([{"x": "red"}]), json!(null)] {
        assert!(!matches(&json!({"y": [{"exists": false}]}), &event), "{event}");
    }
}
