use serde_json::json;

use super::{check, check_refused};

/// Guide, "Prefix matching" and "Suffix matching". An empty one matches every text and nothing else.
#[test]
fn a_prefix_or_suffix_matches_text_alone() {
    check(&[
        (json!([{"prefix": "ship"}]), json!({"x": "shipment"}), true),
        (json!([{"prefix": "ship"}]), json!({"x": "Shipment"}), false),
        (json!([{"prefix": "ship"}]), json!({"x": "steamship"}), false),
        (json!([{"prefix": "1"}]), json!({"x": 12}), false),
        (json!([{"prefix": "t"}]), json!({"x": true}), false),
        (json!([{"prefix": ""}]), json!({"x": "any"}), true),
        (json!([{"prefix": ""}]), json!({"x": null}), false),
        (json!([{"suffix": ".csv"}]), json!({"x": "sales.csv"}), true),
        (json!([{"suffix": ".csv"}]), json!({"x": "sales.CSV"}), false),
        (json!([{"suffix": ".csv"}]), json!({"x": "sales.csv.gz"}), false),
        (json!([{"suffix": ""}]), json!({"x": ""}), true),
        (json!([{"suffix": ""}]), json!({}), false),
    ]);
}

/// Guide, "Equals-ignore-case matching", and for prefixes and suffixes.
#[test]
fn case_is_ignored_where_the_pattern_says_so() {
    check(&[
        (json!([{"equals-ignore-case": "Paid"}]), json!({"x": "pAID"}), true),
        (json!([{"equals-ignore-case": "Paid"}]), json!({"x": "unpaid"}), false),
        (json!([{"equals-ignore-case": "Paid"}]), json!({"x": "paid out"}), false),
        (json!([{"equals-ignore-case": ""}]), json!({"x": ""}), true),
        (json!([{"equals-ignore-case": ""}]), json!({"x": "any"}), false),
        (json!([{"equals-ignore-case": "1"}]), json!({"x": 1}), false),
        (json!([{"prefix": {"equals-ignore-case": "EU-"}}]), json!({"x": "eu-west-9"}), true),
        (json!([{"prefix": {"equals-ignore-case": "EU-"}}]), json!({"x": "us-eu-"}), false),
        (json!([{"suffix": {"equals-ignore-case": ".csv"}}]), json!({"x": "A.CSV"}), true),
        (json!([{"suffix": {"equals-ignore-case": ".csv"}}]), json!({"x": ".csv1"}), false),
    ]);
}

/// `EqualsIgnoreCaseParser.java` takes each character of the pattern in its lower and its upper case.
#[test]
fn case_is_folded_character_by_character() {
    check(&[
        (json!([{"equals-ignore-case": "maß"}]), json!({"x": "MASS"}), true),
        (json!([{"equals-ignore-case": "mass"}]), json!({"x": "MAß"}), false),
        (json!([{"suffix": {"equals-ignore-case": "ß"}}]), json!({"x": "MASS"}), true),
        (json!([{"equals-ignore-case": "ΟΔΟΣ"}]), json!({"x": "οδοσ"}), true),
        (json!([{"equals-ignore-case": "ΟΔΟΣ"}]), json!({"x": "οδος"}), false),
        // The Kelvin sign has the lower case `k`, which does not make it an upper case of `k`.
        (json!([{"equals-ignore-case": "k"}]), json!({"x": "\u{212a}"}), false),
        (json!([{"equals-ignore-case": "\u{212a}"}]), json!({"x": "k"}), true),
        // Beyond U+FFFF nothing is folded.
        (json!([{"equals-ignore-case": "\u{10400}"}]), json!({"x": "\u{10428}"}), false),
    ]);
}

/// Guide, "Matching using wildcards"; `WildcardParser.java`.
#[test]
fn a_star_stands_for_any_text_and_a_backslash_takes_its_meaning_away() {
    check(&[
        (json!([{"wildcard": "shop/*/till"}]), json!({"x": "shop/north/till"}), true),
        (json!([{"wildcard": "shop/*/till"}]), json!({"x": "shop/north/2/till"}), true),
        (json!([{"wildcard": "shop/*/till"}]), json!({"x": "shop//till"}), true),
        (json!([{"wildcard": "shop/*/till"}]), json!({"x": "shop/till"}), false),
        (json!([{"wildcard": "*.log"}]), json!({"x": ".log"}), true),
        (json!([{"wildcard": "*na*"}]), json!({"x": "banana"}), true),
        (json!([{"wildcard": "*na*nana"}]), json!({"x": "banana"}), false),
        (json!([{"wildcard": "*"}]), json!({"x": ""}), true),
        (json!([{"wildcard": "*"}]), json!({"x": 5}), false),
        (json!([{"wildcard": ""}]), json!({"x": "any"}), false),
        (json!([{"wildcard": "plain"}]), json!({"x": "plain"}), true),
        (json!([{"wildcard": "Plain*"}]), json!({"x": "plain"}), false),
        (json!([{"wildcard": r"5\*3"}]), json!({"x": "5*3"}), true),
        (json!([{"wildcard": r"5\*3"}]), json!({"x": "5+3"}), false),
        (json!([{"wildcard": r"C:\\*"}]), json!({"x": r"C:\temp"}), true),
        (json!([{"wildcard": r"\**\*"}]), json!({"x": "*bold*"}), true),
    ]);
}

#[test]
fn an_argument_that_is_not_text_is_refused() {
    check_refused(&[
        (json!({"x": [{"prefix": 1}]}), "x", "`prefix` takes text"),
        (json!({"x": [{"prefix": ["a"]}]}), "x", "`prefix` takes text"),
        (json!({"x": [{"suffix": null}]}), "x", "`suffix` takes text"),
        (json!({"x": [{"suffix": {"prefix": "a"}}]}), "x", "`suffix` takes text"),
        (json!({"x": [{"prefix": {"equals-ignore-case": 1}}]}), "x", "`prefix` takes text"),
        (json!({"x": [{"equals-ignore-case": ["a"]}]}), "x", "takes text"),
        (json!({"x": [{"equals-ignore-case": {"prefix": "a"}}]}), "x", "takes text"),
        (json!({"x": [{"wildcard": ["a*"]}]}), "x", "takes text"),
        (json!({"x": [{"wildcard": "a**b"}]}), "x", "two stars"),
        (json!({"x": [{"wildcard": r"a\b"}]}), "x", "backslash"),
        (json!({"x": [{"wildcard": r"a\"}]}), "x", "backslash"),
    ]);
}
