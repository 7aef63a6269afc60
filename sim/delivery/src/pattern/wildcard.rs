//! The operator `wildcard`: text in which `*` stands for any text.

/// A compiled wildcard: the literal pieces between the stars.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wildcard {
    pieces: Vec<String>,
}

impl Wildcard {
    /// `\*` is a literal star and `\\` a literal backslash. EventBridge refuses two stars in a row.
    pub(super) fn compile(text: &str) -> Result<Self, String> {
        let mut pieces = vec![String::new()];
        let mut characters = text.chars();
        let mut after_star = false;
        while let Some(character) = characters.next() {
            let literal = match character {
                '*' if after_star => return Err(format!("the wildcard `{text}` has two stars in a row")),
                '*' => {
                    pieces.push(String::new());
                    after_star = true;
                    continue;
                }
                '\\' => match characters.next() {
                    Some(escaped @ ('*' | '\\')) => escaped,
                    _ => {
                        return Err(format!(
                            "the wildcard `{text}` has a backslash before neither `*` nor `\\`"
                        ));
                    }
                },
                other => other,
            };
            after_star = false;
            if let Some(piece) = pieces.last_mut() {
                piece.push(literal);
            }
        }
        Ok(Self { pieces })
    }

    /// Whether the wildcard stands for the whole of `text`.
    pub(super) fn matches(&self, text: &str) -> bool {
        let [first, rest @ ..] = self.pieces.as_slice() else { return false };
        let [middle @ .., last] = rest else { return text == first };
        let Some(mut remaining) = text.strip_prefix(first.as_str()) else { return false };
        // The leftmost place of every middle piece leaves the most room for those after it.
        for piece in middle {
            let Some(at) = remaining.find(piece.as_str()) else { return false };
            remaining = &remaining[at + piece.len()..];
        }
        remaining.ends_with(last.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::Wildcard;

    #[test]
    fn stars_stand_for_any_text() {
        let cases = [
            ("prod/*", "prod/api", true),
            ("prod/*", "prod/", true),
            ("prod/*", "prod", false),
            ("*", "", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "acb", false),
            ("a*a", "a", false),
            ("plain", "plain", true),
            ("plain", "plainer", false),
            (r"a\*b", "a*b", true),
            (r"a\*b", "axb", false),
            (r"a\\*", r"a\b", true),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(Wildcard::compile(pattern).unwrap().matches(text), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn what_eventbridge_refuses_is_refused() {
        assert!(Wildcard::compile("a**b").is_err());
        assert!(Wildcard::compile(r"a\b").is_err());
        assert!(Wildcard::compile("a\\").is_err());
    }
}
