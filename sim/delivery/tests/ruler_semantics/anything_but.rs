use serde_json::json;

use super::{check, check_refused};

/// Guide, "Anything-but matching".
#[test]
fn a_value_other_than_those_named_matches() {
    check(&[
        (json!([{"anything-but": "open"}]), json!({"x": "closed"}), true),
        (json!([{"anything-but": "open"}]), json!({"x": "open"}), false),
        (json!([{"anything-but": "open"}]), json!({"x": "Open"}), true),
        (json!([{"anything-but": ["open", "new"]}]), json!({"x": "new"}), false),
        (json!([{"anything-but": 12}]), json!({"x": 13}), true),
        (json!([{"anything-but": 12}]), json!({"x": 12.0}), false),
        (json!([{"anything-but": [0, 12]}]), json!({"x": 0}), false),
        (json!([{"anything-but": {"prefix": "tmp"}}]), json!({"x": "tmp-1"}), false),
        (json!([{"anything-but": {"prefix": "tmp"}}]), json!({"x": "a-tmp"}), true),
        (json!([{"anything-but": {"prefix": ["tmp", "old"]}}]), json!({"x": "older"}), false),
        (json!([{"anything-but": {"suffix": ".bak"}}]), json!({"x": "a.bak"}), false),
        (json!([{"anything-but": {"suffix": [".bak", "~"]}}]), json!({"x": "a.txt"}), true),
        (json!([{"anything-but": {"equals-ignore-case": "Open"}}]), json!({"x": "OPEN"}), false),
        (json!([{"anything-but": {"equals-ignore-case": ["open", "new"]}}]), json!({"x": "old"}), true),
        (json!([{"anything-but": {"wildcard": "*/tmp/*"}}]), json!({"x": "a/tmp/b"}), false),
        (json!([{"anything-but": {"wildcard": ["*/tmp/*", "/old*"]}}]), json!({"x": "/new"}), true),
        (json!([{"anything-but": {"wildcard": ""}}]), json!({"x": "any"}), true),
    ]);
}

/// `ByteMachine.java`: a value of another type is something else.
#[test]
fn a_value_of_another_type_matches() {
    check(&[
        (json!([{"anything-but": "12"}]), json!({"x": 12}), true),
        (json!([{"anything-but": 12}]), json!({"x": "12"}), true),
        (json!([{"anything-but": "open"}]), json!({"x": null}), true),
        (json!([{"anything-but": [1, 2]}]), json!({"x": true}), true),
        (json!([{"anything-but": {"prefix": "tmp"}}]), json!({"x": null}), true),
        (json!([{"anything-but": {"wildcard": "*"}}]), json!({"x": 5}), true),
    ]);
}

/// Of an absent field there is no value that could be something else.
#[test]
fn an_absent_field_does_not_match() {
    check(&[
        (json!([{"anything-but": "open"}]), json!({}), false),
        (json!([{"anything-but": {"prefix": "tmp"}}]), json!({"y": 1}), false),
        (json!([{"anything-but": "open"}]), json!({"x": []}), false),
        (json!([{"anything-but": "open"}]), json!({"x": {"y": "closed"}}), false),
        (json!([{"exists": false}, {"anything-but": "open"}]), json!({}), true),
    ]);
}

/// `Event.java` makes one value of each element, and one value that matches is enough.
#[test]
fn a_list_matches_if_any_element_is_something_else() {
    check(&[
        (json!([{"anything-but": "open"}]), json!({"x": ["open", "closed"]}), true),
        (json!([{"anything-but": "open"}]), json!({"x": ["open", "open"]}), false),
    ]);
}

/// `JsonRuleCompiler.java`.
#[test]
fn an_argument_that_mixes_types_or_says_nothing_is_refused() {
    check_refused(&[
        (json!({"x": [{"anything-but": ["open", 1]}]}), "x", "only texts or only numbers"),
        (json!({"x": [{"anything-but": null}]}), "x", "only texts or only numbers"),
        (json!({"x": [{"anything-but": true}]}), "x", "only texts or only numbers"),
        (json!({"x": [{"anything-but": ["open", null]}]}), "x", "only texts or only numbers"),
        (json!({"x": [{"anything-but": [["open"]]}]}), "x", "only texts or only numbers"),
        (json!({"x": [{"anything-but": [{"prefix": "a"}]}]}), "x", "only texts or only numbers"),
        (json!({"x": [{"anything-but": 9_007_199_254_740_993_u64}]}), "x", "only texts or only numbers"),
        (json!({"x": [{"anything-but": []}]}), "x", "at least one"),
        (json!({"x": [{"anything-but": {"prefix": []}}]}), "x", "at least one"),
        (json!({"x": [{"anything-but": {"prefix": ""}}]}), "x", "empty `prefix`"),
        (json!({"x": [{"anything-but": {"suffix": ["a", ""]}}]}), "x", "empty `suffix`"),
        (json!({"x": [{"anything-but": {"prefix": 1}}]}), "x", "takes text"),
        (json!({"x": [{"anything-but": {"wildcard": ["a*", 1]}}]}), "x", "takes text"),
        (json!({"x": [{"anything-but": {"prefix": {"equals-ignore-case": "a"}}}]}), "x", "takes text"),
        (json!({"x": [{"anything-but": {"wildcard": "a**"}}]}), "x", "two stars"),
        (json!({"x": [{"anything-but": {"numeric": ["=", 1]}}]}), "x", "`numeric` is not supported"),
        (json!({"x": [{"anything-but": {"exists": true}}]}), "x", "`exists` is not supported"),
        (json!({"x": [{"anything-but": {"prefix": "a", "suffix": "b"}}]}), "x", "exactly one"),
    ]);
}
