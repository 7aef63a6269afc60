use proptest::prelude::*;
use serde_json::{Value, json};

use super::matches;

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        prop::sample::select(vec!["", "a", "b", "ab", "Ab", "ba"]).prop_map(Value::from),
        (-2..3).prop_map(Value::from),
        Just(json!(1.0)),
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
    ]
}

fn operator() -> impl Strategy<Value = Value> {
    let text = || prop::sample::select(vec!["a", "b", "ab", "A"]);
    prop_oneof![
        leaf(),
        text().prop_map(|text| json!({"prefix": text})),
        text().prop_map(|text| json!({"suffix": {"equals-ignore-case": text}})),
        text().prop_map(|text| json!({"anything-but": [text]})),
        text().prop_map(|text| json!({"wildcard": format!("*{text}*")})),
        (-2..3).prop_map(|bound| json!({"numeric": [">=", bound]})),
        any::<bool>().prop_map(|wanted| json!({"exists": wanted})),
    ]
}

fn alternatives() -> impl Strategy<Value = Value> {
    prop::collection::vec(operator(), 1..3).prop_map(Value::from)
}

/// Objects with some of the fields `a`, `b` and `c`.
fn element() -> impl Strategy<Value = Value> {
    prop::collection::btree_map(prop::sample::select(vec!["a", "b", "c"]), leaf(), 0..4)
        .prop_map(|fields| json!(fields))
}

proptest! {
    #[test]
    fn the_order_of_a_list_does_not_matter(
        a in alternatives(),
        b in alternatives(),
        (list, shuffled) in prop::collection::vec(element(), 0..4)
            .prop_flat_map(|list| (Just(list.clone()), Just(list).prop_shuffle())),
    ) {
        let pattern = json!({"x": {"a": a, "b": b}});
        prop_assert_eq!(
            matches(&pattern, &json!({"x": list})),
            matches(&pattern, &json!({"x": shuffled}))
        );
    }

    #[test]
    fn the_order_of_alternatives_does_not_matter(
        (one, other) in prop::collection::vec(operator(), 1..4)
            .prop_flat_map(|list| (Just(list.clone()), Just(list).prop_shuffle())),
        event in element(),
    ) {
        prop_assert_eq!(matches(&json!({"a": one}), &event), matches(&json!({"a": other}), &event));
    }

    #[test]
    fn a_list_of_one_element_is_that_element(a in alternatives(), b in alternatives(), one in element()) {
        let pattern = json!({"x": {"a": a, "b": b}});
        prop_assert_eq!(matches(&pattern, &json!({"x": one})), matches(&pattern, &json!({"x": [one]})));
    }

    #[test]
    fn fields_that_ask_for_values_match_in_a_list_if_they_do_in_an_element(
        a in leaf(),
        b in leaf(),
        list in prop::collection::vec(element(), 0..4),
    ) {
        let fields = json!({"a": [a], "b": [b]});
        let in_an_element = list.iter().any(|element| matches(&fields, element));
        prop_assert_eq!(matches(&json!({"x": fields}), &json!({"x": list})), in_an_element);
    }

    #[test]
    fn an_or_matches_if_one_of_its_choices_does(
        a in alternatives(),
        b in alternatives(),
        c in alternatives(),
        list in prop::collection::vec(element(), 0..3),
    ) {
        let event = json!({"x": list});
        let either = json!({"x": {"a": a, "$or": [{"b": b}, {"c": c}]}});
        let first = matches(&json!({"x": {"a": a, "b": b}}), &event);
        let second = matches(&json!({"x": {"a": a, "c": c}}), &event);
        prop_assert_eq!(matches(&either, &event), first || second);
    }

    #[test]
    fn anything_but_is_the_opposite_for_a_value_that_is_there(
        operator in prop::sample::select(vec!["prefix", "suffix", "equals-ignore-case", "wildcard"]),
        text in "[aAb]{1,3}",
        value in leaf(),
    ) {
        let event = json!({"x": value});
        let plain = matches(&json!({"x": [{operator: text}]}), &event);
        prop_assert_eq!(matches(&json!({"x": [{"anything-but": {operator: text}}]}), &event), !plain);
    }

    #[test]
    fn a_field_exists_or_it_does_not(event in element()) {
        let exists = |wanted: bool| matches(&json!({"a": [{"exists": wanted}]}), &event);
        prop_assert_ne!(exists(true), exists(false));
    }
}
