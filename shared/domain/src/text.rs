//! Text from outside, made safe to keep and to show.

/// The longest text of a finding that is kept, in characters. AWS's own limits are about that; what is longer
/// is hostile or broken, and must not fill the ledger.
const LONGEST_TEXT: usize = 256;

/// Drops control characters, which have no place in an alert or a log, and keeps the first 256 characters.
pub fn sanitize(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(LONGEST_TEXT).collect()
}

/// An error and all its causes in one line, each said once: many errors repeat their cause in their own text.
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_and_the_end_of_a_long_text_are_dropped() {
        assert_eq!(sanitize("a\u{1b}[31mb\nc"), "a[31mbc");
        assert_eq!(sanitize(&"é".repeat(300)).chars().count(), 256);
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
