//! What event patterns match, case by case.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

use local_stack::Pattern;
use serde_json::{Value, json};

fn matches(pattern: &Value, event: &Value) -> bool {
    Pattern::compile(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}")).matches(event)
}

#[test]
fn operators_match_as_eventbridge_documents_them() {
    // The alternatives for the field `x`, an event, and whether it matches.
    let cases = [
        (json!(["a", "b"]), json!({"x": "b"}), true),
        (json!(["a", "b"]), json!({"x": "c"}), false),
        (json!(["a"]), json!({}), false),
        (json!(["a"]), json!({"x": ["c", "a"]}), true),
        (json!(["a"]), json!({"x": []}), false),
        (json!([300]), json!({"x": 300}), true),
        (json!([300]), json!({"x": 300.0}), false),
        (json!([300]), json!({"x": "300"}), false),
        (json!([true]), json!({"x": true}), true),
        (json!([null]), json!({"x": null}), true),
        (json!([null]), json!({}), false),
        (json!([{"prefix": "qu"}]), json!({"x": "quarantine"}), true),
        (json!([{"prefix": "qu"}]), json!({"x": "Quarantine"}), false),
        (json!([{"prefix": {"equals-ignore-case": "QU"}}]), json!({"x": "quarantine"}), true),
        (json!([{"suffix": ".rs"}]), json!({"x": "lib.rs"}), true),
        (json!([{"suffix": {"equals-ignore-case": ".RS"}}]), json!({"x": "lib.rs"}), true),
        (json!([{"equals-ignore-case": "push"}]), json!({"x": "PUSH"}), true),
        (json!([{"wildcard": "prod/*/api"}]), json!({"x": "prod/eu/api"}), true),
        (json!([{"wildcard": "prod/*/api"}]), json!({"x": "prod/api"}), false),
        (json!([{"exists": true}]), json!({"x": null}), true),
        (json!([{"exists": true}]), json!({}), false),
        (json!([{"exists": true}]), json!({"x": {"y": 1}}), false),
        (json!([{"exists": false}]), json!({}), true),
        (json!([{"exists": false}]), json!({"x": 1}), false),
        (json!([{"exists": false}]), json!({"x": []}), true),
        (json!([{"numeric": [">", 0, "<=", 5]}]), json!({"x": 5}), true),
        (json!([{"numeric": [">", 0, "<=", 5]}]), json!({"x": 0}), false),
        (json!([{"numeric": ["=", 3]}]), json!({"x": 3.0}), true),
        (json!([{"numeric": ["<", 3]}]), json!({"x": "2"}), false),
        (json!([{"anything-but": "a"}]), json!({"x": "b"}), true),
        (json!([{"anything-but": "a"}]), json!({"x": "a"}), false),
        (json!([{"anything-but": "a"}]), json!({}), false),
        (json!([{"anything-but": ["a", "b"]}]), json!({"x": "b"}), false),
        (json!([{"anything-but": [1, 2]}]), json!({"x": 3}), true),
        (json!([{"anything-but": {"prefix": "a"}}]), json!({"x": "ab"}), false),
        (json!([{"anything-but": {"prefix": ["a", "b"]}}]), json!({"x": "bb"}), false),
        (json!([{"anything-but": {"suffix": "b"}}]), json!({"x": "ab"}), false),
        (json!([{"anything-but": {"suffix": "b"}}]), json!({"x": "ba"}), true),
        (json!([{"anything-but": {"wildcard": "*/x/*"}}]), json!({"x": "a/x/b"}), false),
        (json!([{"anything-but": {"equals-ignore-case": ["A"]}}]), json!({"x": "a"}), false),
    ];
    for (alternatives, event, expected) in cases {
        assert_eq!(matches(&json!({ "x": alternatives }), &event), expected, "{alternatives} on {event}");
    }
}

#[test]
fn the_quarantine_guard_lets_untagged_pushes_through() {
    let guard =
        json!({"detail": {"image-tag": [{"exists": false}, {"anything-but": {"prefix": "quarantine-"}}]}});
    assert!(matches(&guard, &json!({"detail": {"image-digest": "sha256:1"}})));
    assert!(matches(&guard, &json!({"detail": {"image-tag": "latest"}})));
    assert!(!matches(&guard, &json!({"detail": {"image-tag": "quarantine-latest"}})));

    let naive = json!({"detail": {"image-tag": [{"anything-but": {"prefix": "quarantine-"}}]}});
    assert!(!matches(&naive, &json!({"detail": {"image-digest": "sha256:1"}})));
}

#[test]
fn objects_in_lists_match_element_by_element() {
    let pattern = json!({"detail": {"resources": {"type": ["IMAGE"], "id": ["1"]}}});
    let together =
        json!({"detail": {"resources": [{"type": "HOST", "id": "2"}, {"type": "IMAGE", "id": "1"}]}});
    let apart = json!({"detail": {"resources": [{"type": "IMAGE", "id": "2"}, {"type": "HOST", "id": "1"}]}});
    assert!(matches(&pattern, &together));
    assert!(!matches(&pattern, &apart));
    assert!(!matches(&pattern, &json!({"detail": {"resources": []}})));
    assert!(!matches(&pattern, &json!({"detail": {"resources": "IMAGE"}})));
}

#[test]
fn all_fields_must_match_and_or_offers_a_choice() {
    let pattern = json!({"source": ["a"], "$or": [{"x": [1]}, {"detail": {"y": [{"exists": true}]}}]});
    assert!(matches(&pattern, &json!({"source": "a", "x": 1})));
    assert!(matches(&pattern, &json!({"source": "a", "detail": {"y": "z"}})));
    assert!(!matches(&pattern, &json!({"source": "a", "x": 2})));
    assert!(!matches(&pattern, &json!({"source": "b", "x": 1})));
}

#[test]
fn an_absent_parent_has_absent_children() {
    assert!(matches(&json!({"detail": {"x": [{"exists": false}]}}), &json!({"detail": null})));
    assert!(matches(&json!({"detail": {"x": [{"exists": false}]}}), &json!({})));
}

#[test]
fn what_is_not_understood_is_refused_with_its_place() {
    let cases = [
        (json!({"detail": {"ip": [{"cidr": "10.0.0.0/8"}]}}), "detail.ip", "cidr"),
        (json!({"x": "text"}), "x", "list"),
        (json!({"x": []}), "x", "empty"),
        (json!({"x": [["a"]]}), "x", "list inside"),
        (json!({"x": [{"prefix": "a", "suffix": "b"}]}), "x", "exactly one"),
        (json!({"x": [{"prefix": 1}]}), "x", "takes text"),
        (json!({"x": [{"exists": "yes"}]}), "x", "true or false"),
        (json!({"x": [{"numeric": [">"]}]}), "x", "numeric"),
        (json!({"x": [{"numeric": ["!", 1]}]}), "x", "no comparison"),
        (json!({"x": [{"anything-but": []}]}), "x", "empty list"),
        (json!({"x": [{"anything-but": {"numeric": ["=", 1]}}]}), "x", "numeric"),
        (json!({"x": [{"wildcard": "a**"}]}), "x", "two stars"),
        (json!({"$or": [{"x": [1]}]}), "$or", "at least two"),
        (json!({"x": {}}), "x", "without fields"),
        (json!({}), "$", "without fields"),
        (json!([]), "$", "object"),
        (json!({"x": ["y".repeat(2_048)]}), "$", "2048"),
    ];
    for (pattern, path, reason) in cases {
        let error = Pattern::compile(&pattern).unwrap_err();
        assert_eq!(error.path, path, "{pattern}");
        assert!(error.reason.contains(reason), "{pattern}: {error}");
    }
}
