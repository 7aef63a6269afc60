use serde_json::json;

use super::check;

/// Guide, page "Event pattern syntax": a field matches if its value is one of those in the list, and
/// text is compared character by character, without case folding or normalization.
#[test]
fn a_text_matches_itself_alone() {
    check(&[
        (json!(["red", "blue"]), json!({"x": "blue"}), true),
        (json!(["red", "blue"]), json!({"x": "green"}), false),
        (json!(["red"]), json!({"x": "Red"}), false),
        (json!(["red"]), json!({"x": "red "}), false),
        (json!(["cafe\u{301}"]), json!({"x": "caf\u{e9}"}), false),
        (json!(["🐟 "]), json!({"x": "🐟 "}), true),
        (json!(["red"]), json!({}), false),
        (json!(["red"]), json!({"X": "red"}), false),
    ]);
}

/// `JsonRuleCompiler.java` compiles a number as text and as a double. The guide says that 300, 300.0
/// and 3.0e2 differ; the service's `TestEventPattern` finds them equal.
#[test]
fn numbers_are_equal_by_value() {
    check(&[
        (json!([300]), json!({"x": 300}), true),
        (json!([300]), json!({"x": 300.0}), true),
        (json!([300.0]), json!({"x": 300}), true),
        (json!([3.0e2]), json!({"x": 300}), true),
        (json!([0]), json!({"x": -0.0}), true),
        (json!([0.1]), json!({"x": 0.10}), true),
        (json!([300]), json!({"x": 301}), false),
    ]);
}

/// `ComparableNumber.java` takes no number that a double does not hold; text is compared then.
#[test]
fn integers_beyond_a_double_are_equal_digit_by_digit() {
    check(&[
        (json!([9_007_199_254_740_993_u64]), json!({"x": 9_007_199_254_740_993_u64}), true),
        (json!([9_007_199_254_740_993_u64]), json!({"x": 9_007_199_254_740_992_u64}), false),
        (json!([9_007_199_254_740_992_u64]), json!({"x": 9_007_199_254_740_993_u64}), false),
        (json!([123_456_789_012_u64]), json!({"x": 123_456_789_012_u64}), true),
    ]);
}

/// Guide, page "Event pattern syntax": values follow the rules of JSON, so text in quotes is neither
/// a number nor a keyword.
#[test]
fn types_never_mix() {
    check(&[
        (json!([300]), json!({"x": "300"}), false),
        (json!(["300"]), json!({"x": 300}), false),
        (json!([true]), json!({"x": true}), true),
        (json!([true]), json!({"x": false}), false),
        (json!([true]), json!({"x": "true"}), false),
        (json!(["null"]), json!({"x": null}), false),
    ]);
}

/// Guide, page "Null values and empty strings in event patterns".
#[test]
fn null_and_empty_text_and_absence_are_three_things() {
    check(&[
        (json!([null]), json!({"x": null}), true),
        (json!([null]), json!({"x": ""}), false),
        (json!([null]), json!({}), false),
        (json!([null]), json!({"x": []}), false),
        (json!([""]), json!({"x": ""}), true),
        (json!([""]), json!({"x": null}), false),
        (json!([""]), json!({}), false),
    ]);
}

/// `CIDR.java`: a literal that is an IPv6 address stands for the address.
#[test]
fn an_ipv6_literal_matches_however_the_address_is_written() {
    check(&[
        (json!(["fd00::a"]), json!({"x": "fd00:0:0:0:0:0:0:A"}), true),
        (json!(["fd00::a"]), json!({"x": "fd00::b"}), false),
        (json!([{"anything-but": "fd00::a"}]), json!({"x": "fd00:0:0:0:0:0:0:A"}), true),
        (json!(["192.0.2.7"]), json!({"x": "192.0.2.7"}), true),
    ]);
}
