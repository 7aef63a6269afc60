//! Names that an expression may give only through a placeholder: `DynamoDB` developer guide, "Reserved words in
//! `DynamoDB`" and "Expression attribute names".

use serde_json::Value;

use crate::wire::error::ApiError;

/// One a line, after a comment with the source.
const WORDS: &str = include_str!("reserved_words.txt");

/// The expressions, with the reserved words that are a part of their own language. Functions are told by their bracket.
const EXPRESSIONS: [(&str, &[&str]); 5] = [
    ("KeyConditionExpression", &["AND", "BETWEEN"]),
    ("ConditionExpression", &["AND", "OR", "NOT", "BETWEEN", "IN"]),
    ("FilterExpression", &["AND", "OR", "NOT", "BETWEEN", "IN"]),
    ("UpdateExpression", &["SET", "ADD", "DELETE"]),
    ("ProjectionExpression", &[]),
];

/// Refuses a request with an expression, at whatever depth, that names an attribute by a reserved word.
pub(super) fn check(request: &Value) -> Result<(), ApiError> {
    match request {
        Value::Array(items) => items.iter().try_for_each(check),
        Value::Object(members) => members.iter().try_for_each(|(name, value)| {
            let expression = EXPRESSIONS.iter().find(|(expression, _)| expression == name);
            let (Some((_, grammar)), Some(text)) = (expression, value.as_str()) else { return check(value) };
            let Some(word) = reserved(text, grammar) else { return Ok(()) };
            let told = "Attribute name is a reserved keyword; reserved keyword";
            Err(ApiError::validation(format!("Invalid {name}: {told}: {word}")))
        }),
        _ => Ok(()),
    }
}

/// The first attribute that an expression names by a reserved word.
fn reserved<'a>(expression: &'a str, grammar: &[&str]) -> Option<&'a str> {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || "_#:".contains(c);
    let mut rest = expression;
    loop {
        rest = &rest[rest.find(is_of_name)?..];
        let end = rest.find(|c| !is_of_name(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        rest = after;
        let is_one_of = |mut words: std::str::Lines<'_>| words.any(|one| one.eq_ignore_ascii_case(word));
        let is_grammar = grammar.iter().any(|one| one.eq_ignore_ascii_case(word));
        let is_function = after.trim_start().starts_with('(');
        if !is_grammar && !is_function && is_one_of(WORDS.lines()) {
            return Some(word);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn list_is_that_of_aws() {
        let words: Vec<&str> = WORDS.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!((words.len(), words.first(), words.last()), (573, Some(&"ABORT"), Some(&"ZONE")));
        assert!(words.is_sorted() && words.contains(&"SHARD"));
    }

    #[test]
    fn what_is_reserved_is_refused_wherever_it_is_named() {
        for (expression, text, word) in [
            ("KeyConditionExpression", "shard = :shard AND due <= :until", "shard"),
            ("KeyConditionExpression", "a = :a AND At BETWEEN :from AND :to", "At"),
            ("ConditionExpression", "attribute_not_exists(key)", "key"),
            ("FilterExpression", "size (status) > :size", "status"),
            ("FilterExpression", "a.b[0].name = :name", "name"),
            ("UpdateExpression", "REMOVE unpublished, Shard ADD version :one", "Shard"),
            ("UpdateExpression", "SET or = :or", "or"),
            ("ProjectionExpression", "id,row", "row"),
        ] {
            for request in
                [json!({expression: text}), json!({"TransactItems": [{"Put": {expression: text}}]})]
            {
                let error = check(&request).unwrap_err();
                let told = format!(
                    "Invalid {expression}: Attribute name is a reserved keyword; reserved keyword: {word}"
                );
                assert!(format!("{error:?}").contains(&told), "{error:?}");
            }
        }
    }

    #[test]
    fn placeholders_values_and_the_language_itself_are_no_names() {
        for (expression, text) in [
            ("KeyConditionExpression", "#shard = :shard AND due BETWEEN :from AND :to"),
            ("ConditionExpression", "NOT (a = :value or b IN (:name, :state)) AND size(a) > :size"),
            (
                "UpdateExpression",
                "set a = if_not_exists(a, :zero) remove b ADD version :one DELETE tags :set",
            ),
            ("ProjectionExpression", "id, rowset, shards, #row"),
        ] {
            check(&json!({expression: text})).unwrap();
        }
        // An attribute may be called as an expression is.
        check(&json!({"Item": {"ProjectionExpression": {"S": "row"}, "row": {"S": "{}"}}})).unwrap();
    }
}
