use serde_json::json;

use super::{check, check_refused};

/// Guide, "Numeric matching".
#[test]
fn a_number_lies_within_its_bounds() {
    check(&[
        (json!([{"numeric": ["=", 4]}]), json!({"x": 4.0}), true),
        (json!([{"numeric": ["=", 4]}]), json!({"x": 4.5}), false),
        (json!([{"numeric": ["<", 4]}]), json!({"x": 3.999}), true),
        (json!([{"numeric": ["<", 4]}]), json!({"x": 4}), false),
        (json!([{"numeric": ["<=", 4]}]), json!({"x": 4}), true),
        (json!([{"numeric": [">", -4]}]), json!({"x": -4}), false),
        (json!([{"numeric": [">=", -4]}]), json!({"x": -4}), true),
        (json!([{"numeric": [">", 0, "<=", 7]}]), json!({"x": 0}), false),
        (json!([{"numeric": [">", 0, "<=", 7]}]), json!({"x": 7}), true),
        (json!([{"numeric": [">=", 0, "<", 7]}]), json!({"x": 0}), true),
        (json!([{"numeric": [">=", 0, "<", 7]}]), json!({"x": 7}), false),
    ]);
}

#[test]
fn only_numbers_lie_within_bounds() {
    check(&[
        (json!([{"numeric": ["<", 9]}]), json!({"x": "3"}), false),
        (json!([{"numeric": ["<", 9]}]), json!({"x": null}), false),
        (json!([{"numeric": ["<", 9]}]), json!({"x": true}), false),
        (json!([{"numeric": ["<", 9]}]), json!({}), false),
    ]);
}

/// Guide: bounds lie between -5.0e9 and 5.0e9. event-ruler has dropped the limit for both sides since;
/// an event's number beyond it is compared as any other.
#[test]
fn bounds_are_limited_and_events_are_not() {
    check(&[
        (json!([{"numeric": ["<=", 5.0e9]}]), json!({"x": 5_000_000_000_u64}), true),
        (json!([{"numeric": [">", 5.0e9]}]), json!({"x": 6_000_000_000_u64}), true),
    ]);
    check_refused(&[
        (json!({"x": [{"numeric": [">", 5_000_000_001_u64]}]}), "x", "5.0e9"),
        (json!({"x": [{"numeric": [">=", -5.1e9, "<", 0]}]}), "x", "5.0e9"),
    ]);
}

/// `JsonRuleCompiler.java` takes a lower bound first, an upper bound second, and `=` alone;
/// `Range.java` refuses bounds with nothing between them.
#[test]
fn bounds_out_of_order_are_refused() {
    check_refused(&[
        (json!({"x": [{"numeric": 4}]}), "x", "`numeric` takes"),
        (json!({"x": [{"numeric": []}]}), "x", "`numeric` takes"),
        (json!({"x": [{"numeric": [">"]}]}), "x", "`numeric` takes"),
        (json!({"x": [{"numeric": [">", 0, "<"]}]}), "x", "`numeric` takes"),
        (json!({"x": [{"numeric": [">", "0"]}]}), "x", "`numeric` takes"),
        (json!({"x": [{"numeric": ["!=", 1]}]}), "x", "`numeric` takes"),
        (json!({"x": [{"numeric": ["<", 5, ">", 0]}]}), "x", "`numeric` takes"),
        (json!({"x": [{"numeric": [">", 0, ">", 5]}]}), "x", "`numeric` takes"),
        (json!({"x": [{"numeric": ["=", 0, "<", 5]}]}), "x", "`numeric` takes"),
        (json!({"x": [{"numeric": [">", 0, "<", 5, "<", 9]}]}), "x", "`numeric` takes"),
        (json!({"x": [{"numeric": [">", 5, "<", 5]}]}), "x", "below the upper"),
        (json!({"x": [{"numeric": [">=", 6, "<=", 5]}]}), "x", "below the upper"),
    ]);
}
