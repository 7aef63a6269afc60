//! Text with `*` in it, as the operator `wildcard` of an EventBridge pattern has it.

/// A compiled wildcard: the literal pieces between the stars.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wildcard {
    pieces: Vec<String>,
}

impl Wildcard {
    /// Compiles `text`. A `\*` is a literal star and a `\\` a literal backslash; two stars in a row are
    /// refused, as EventBridge refuses them.
    pub(crate) fn compile(text: &str) -> Result<Self, String> {
        let mut pieces = vec![String::new()];
        let mut characters = text.chars();
        let mut after_star = false;
        while let Some(character) = characters.next() {
            let literal = match character {
                '*' if after_star => return Err(format!("{text:?} has two stars in a row")),
                '*' => {
                    pieces.push(String::new());
                    after_star = true;
                    continue;
                }
                '\\' => match characters.next() {
                    Some(escaped @ ('*' | '\\')) => escaped,
                    _ => return Err(format!("{text:?} has a backslash that escapes neither * nor \\")),
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

    /// Whether the whole of `text` fits.
    pub(crate) fn matches(&self, text: &str) -> bool {
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
