//! What to do about an image's quarantine tag. Pure.

use shared::verdict::Verdict;

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// Put the tag on.
    Put,
    /// Take the tag off.
    Remove,
    /// Nothing, and why.
    Leave(&'static str),
}

/// What to do about an image with these tags; `None` where the image is not in the registry, or archived.
pub fn plan(verdict: Verdict, tag: &str, tags: Option<&[String]>) -> Plan {
    let Some(tags) = tags else {
        return Plan::Leave("the image is not in the registry");
    };
    let tagged = tags.iter().any(|there| there == tag);
    match verdict {
        Verdict::Quarantine if tagged => Plan::Leave("the tag is on"),
        Verdict::Quarantine => Plan::Put,
        Verdict::Clear if !tagged => Plan::Leave("the tag is off"),
        // ECR deletes an image with its last tag.
        Verdict::Clear if tags.len() == 1 => {
            Plan::Leave("the quarantine tag is the last one, and the image would go with it")
        }
        Verdict::Clear => Plan::Remove,
        Verdict::Pending | Verdict::Unscannable => Plan::Leave("not known to be clear"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAG: &str = "quarantine-0123456789ab";

    fn decided(verdict: Verdict, tags: &[&str]) -> Plan {
        let tags: Vec<String> = tags.iter().map(|tag| (*tag).to_owned()).collect();
        plan(verdict, TAG, Some(&tags))
    }

    #[test]
    fn quarantine_puts_the_tag_once() {
        assert_eq!(decided(Verdict::Quarantine, &["1.0"]), Plan::Put);
        assert_eq!(decided(Verdict::Quarantine, &[]), Plan::Put);
        assert!(matches!(decided(Verdict::Quarantine, &["1.0", TAG]), Plan::Leave(_)));
    }

    #[test]
    fn clear_takes_the_tag_off_but_never_the_last_one() {
        assert_eq!(decided(Verdict::Clear, &["1.0", TAG]), Plan::Remove);
        assert!(matches!(decided(Verdict::Clear, &[TAG]), Plan::Leave(_)));
        assert!(matches!(decided(Verdict::Clear, &["1.0"]), Plan::Leave(_)));
    }

    #[test]
    fn what_is_not_known_to_be_clear_keeps_its_tag() {
        for verdict in [Verdict::Pending, Verdict::Unscannable] {
            assert!(matches!(decided(verdict, &["1.0", TAG]), Plan::Leave(_)));
            assert!(matches!(decided(verdict, &["1.0"]), Plan::Leave(_)));
        }
    }

    #[test]
    fn another_quarantine_tag_is_not_ours() {
        assert_eq!(decided(Verdict::Quarantine, &["quarantine-ffffffffffff"]), Plan::Put);
        assert!(matches!(decided(Verdict::Clear, &["1.0", "quarantine-ffffffffffff"]), Plan::Leave(_)));
    }

    #[test]
    fn a_missing_image_is_left_alone() {
        assert!(matches!(plan(Verdict::Quarantine, TAG, None), Plan::Leave(_)));
    }
}
