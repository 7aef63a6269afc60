//! Text from outside, made safe to keep and to show.

use std::iter;

use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory as _};

/// The longest text of a finding that is kept, in characters. AWS's own limits are about that; what is longer
/// is hostile or broken, and must not fill the ledger.
const LONGEST_TEXT: usize = 256;
/// The longest reason of a failure, in characters.
const LONGEST_REASON: usize = 2_000;
/// How many combining marks may follow each other. Vietnamese and Hebrew need three.
const MARKS: usize = 4;

/// Drops what has no place in an alert, a table or a log, and keeps the first 256 characters. Whatever comes from an
/// image or from AWS passes here before it is kept.
///
/// Dropped are characters that break a line, turn text around, cannot be seen or are none: see [`is_visible`]; and
/// combining marks that have nothing to sit on, or of which more than four follow each other. Scripts and symbols
/// stay as they are, only that an emoji may fall apart into those that it is joined from.
pub fn sanitize(text: &str) -> String {
    if text.len() <= LONGEST_TEXT && text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return text.to_owned();
    }
    visible(text).take(LONGEST_TEXT).collect()
}

fn visible(text: &str) -> impl Iterator<Item = char> {
    let mut marks = MARKS;
    text.chars().filter(|c| is_visible(*c)).filter(move |c| {
        marks = if c.general_category_group() == GeneralCategoryGroup::Mark { marks + 1 } else { 0 };
        marks <= MARKS
    })
}

/// Not of the categories Cc, Cf, Zl, Zp, Co, Cs and Cn, nor one of the few others that Unicode calls default
/// ignorable because they show nothing: joiners, fillers and variation selectors.
/// <https://www.unicode.org/reports/tr44/#General_Category_Values>,
/// <https://www.unicode.org/Public/UCD/latest/ucd/DerivedCoreProperties.txt>
fn is_visible(c: char) -> bool {
    let ignorable = matches!(c,
        '\u{34f}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{e0100}'..='\u{e01ef}');
    !ignorable
        && !matches!(
            c.general_category(),
            GeneralCategory::Control
                | GeneralCategory::Format
                | GeneralCategory::LineSeparator
                | GeneralCategory::ParagraphSeparator
                | GeneralCategory::PrivateUse
                | GeneralCategory::Surrogate
                | GeneralCategory::Unassigned
        )
}

/// An error and all its causes in one line of at most 2,000 characters, each said once: many errors repeat their
/// cause in their own text. AWS's messages may quote what somebody else has written, so this is made safe to show too.
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = iter::successors(error.source(), |cause| cause.source());
    let text = causes.fold(error.to_string(), |text, cause| {
        let cause = cause.to_string();
        if text.contains(&cause) { text } else { format!("{text}: {cause}") }
    });
    visible(&text).take(LONGEST_REASON).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

    use super::*;

    #[test]
    fn control_characters_and_the_end_of_a_long_text_are_dropped() {
        assert_eq!(sanitize("a\u{1b}[31mb\nc"), "a[31mbc");
        assert_eq!(sanitize(&"é".repeat(300)).chars().count(), 256);
    }

    #[test]
    fn what_breaks_lines_turns_text_around_or_cannot_be_seen_is_dropped() {
        for hidden in [
            "\u{2028}\u{2029}",                         // line and paragraph separator
            "\u{202a}\u{202e}\u{2066}\u{2069}\u{200f}", // bidirectional embeddings, overrides, isolates, marks
            "\u{200b}\u{200c}\u{200d}\u{2060}\u{feff}", // zero width
            "\u{ad}\u{34f}\u{115f}\u{3164}\u{ffa0}",    // soft hyphen, joiner, fillers
            "\u{e0041}\u{e007f}\u{e0100}\u{fe0f}",      // tags, variation selectors
            "\u{e000}\u{10fffd}\u{fdd0}\u{ffff}",       // private use, not characters
        ] {
            assert_eq!(sanitize(&format!("open{hidden}ssl")), "openssl", "{hidden:?}");
        }
    }

    #[test]
    fn ordinary_scripts_and_emoji_are_kept() {
        for text in [
            "libtiff6 4.5.1+git230720-4",
            "Ünïcödé",
            "日本語",
            "한국어",
            "हिन्दी",
            "עברית",
            "ไทย",
            "👍🏽",
            "a\u{301}\u{323}",
        ] {
            assert_eq!(sanitize(text), text);
        }
        assert_eq!(sanitize("👩\u{200d}💻"), "👩💻");
    }

    #[test]
    fn a_flood_of_combining_marks_is_dammed() {
        assert_eq!(sanitize(&format!("z{}a", "\u{301}".repeat(50))), format!("z{}a", "\u{301}".repeat(4)));
        assert_eq!(sanitize("\u{301}\u{302}a"), "a", "a mark would sit on what stands before the text");
    }

    proptest! {
        #[test]
        fn sanitized_text_is_short_visible_and_stays_as_it_is(text in any_text()) {
            let safe = sanitize(&text);
            prop_assert!(safe.chars().count() <= 256);
            prop_assert_eq!(&sanitize(&safe), &safe);
            for c in safe.chars() {
                prop_assert!(!FORBIDDEN.contains(&c.general_category()), "{:?} is {:?}", c, c.general_category());
            }
            let marks = |c: &char| c.general_category_group() == GeneralCategoryGroup::Mark;
            let flooded = safe.chars().collect::<Vec<_>>().windows(5).any(|five| five.iter().all(marks));
            prop_assert!(!flooded, "{:?}", safe);
        }
    }

    /// The categories that no sanitized text contains, by their names in Unicode: Cc, Cf, Zl, Zp, Co, Cs and Cn.
    const FORBIDDEN: [GeneralCategory; 7] = [
        GeneralCategory::Control,
        GeneralCategory::Format,
        GeneralCategory::LineSeparator,
        GeneralCategory::ParagraphSeparator,
        GeneralCategory::PrivateUse,
        GeneralCategory::Surrogate,
        GeneralCategory::Unassigned,
    ];

    /// Any text, and one in which what is to be dropped is frequent.
    fn any_text() -> impl Strategy<Value = String> {
        let hostile = prop_oneof![
            any::<char>(),
            prop::char::range('\u{300}', '\u{36f}'),
            prop::char::range('\u{2000}', '\u{206f}'),
            prop::char::range('\u{e0000}', '\u{e01ff}'),
            prop::char::range('a', 'z'),
        ];
        prop::collection::vec(hostile, 0..600).prop_map(String::from_iter)
    }

    #[test]
    fn an_error_is_one_visible_line_of_bounded_length() {
        let error = std::io::Error::other(format!("no\u{202e} such\n thing {}", "x".repeat(10_000)));
        let text = with_causes(&error);
        assert!(text.starts_with("no such thing xx"), "{text}");
        assert_eq!(text.chars().count(), 2_000);
    }

    #[test]
    fn a_cause_that_its_error_repeats_is_said_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer{0}")]
        struct Outer(&'static str, #[source] std::io::Error);
        let cause = || std::io::Error::other("inner");
        assert_eq!(with_causes(&Outer("", cause())), "outer: inner");
        assert_eq!(with_causes(&Outer(", because inner", cause())), "outer, because inner");
    }
}
