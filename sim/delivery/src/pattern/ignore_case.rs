//! Text compared without regard to case.

/// A text of which each character may stand in its lower or its upper case.
///
/// event-ruler folds every character by itself, so `ß` is `SS` as well, and a `Σ` at the end of a word is
/// a `Σ` like any other. Source: `EqualsIgnoreCaseParser.java` in <https://github.com/aws/event-ruler>.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IgnoreCase {
    characters: Vec<[String; 2]>,
}

impl IgnoreCase {
    pub(super) fn new(text: &str) -> Self {
        Self { characters: text.chars().map(cases).collect() }
    }

    pub(super) fn equals(&self, text: &str) -> bool {
        self.strip_from_start(text) == Some("")
    }

    pub(super) fn is_prefix_of(&self, text: &str) -> bool {
        self.strip_from_start(text).is_some()
    }

    fn strip_from_start<'t>(&self, text: &'t str) -> Option<&'t str> {
        self.characters.iter().try_fold(text, |rest, cases| {
            cases.iter().find_map(|character| rest.strip_prefix(character.as_str()))
        })
    }

    pub(super) fn is_suffix_of(&self, text: &str) -> bool {
        let left = self.characters.iter().rev().try_fold(text, |rest, cases| {
            cases.iter().find_map(|character| rest.strip_suffix(character.as_str()))
        });
        left.is_some()
    }
}

fn cases(character: char) -> [String; 2] {
    // Java sees a character beyond U+FFFF as two halves, neither of which has a case.
    if character.len_utf16() == 2 {
        return [character.to_string(), character.to_string()];
    }
    [character.to_lowercase().collect(), character.to_uppercase().collect()]
}
