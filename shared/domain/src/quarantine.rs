//! Quarantine: the tag that marks an image, the tag that says it was released, the mode that says how far to go, and
//! the steps that make the registry agree with a verdict.

use std::fmt;
use std::str::FromStr;

use crate::image::ImageId;
use crate::verdict::Verdict;

/// What the tags of the quarantine begin with; the event rules in template.yaml filter on both.
const PREFIX: &str = "quarantine-";
const RELEASED_PREFIX: &str = "released-from-quarantine-";

/// The tag that marks an image: `quarantine-` and the first twelve digits of its digest. Every image has a tag
/// of its own, so that two images in quarantine never compete for one.
pub fn tag(image: &ImageId) -> String {
    format!("{PREFIX}{}", image.digest.short())
}

/// The tag that an image gets before its quarantine tag goes, so that the quarantine tag is never its last one: ECR
/// deletes an image with its last tag. See docs/adr/0015.
pub fn released_tag(image: &ImageId) -> String {
    format!("{RELEASED_PREFIX}{}", image.digest.short())
}

/// Whether a tag is one of ours, on whichever image: the quarantine put it there, and it is no fact about the image.
pub fn is_quarantine_tag(tag: &str) -> bool {
    tag.starts_with(PREFIX) || tag.starts_with(RELEASED_PREFIX)
}

/// How far a deployment goes: the parameter `QuarantineMode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Say what would be done, and change nothing.
    #[default]
    Observe,
    /// Put the quarantine tag on and take it off.
    Tag,
}

impl FromStr for Mode {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "observe" => Ok(Self::Observe),
            "tag" => Ok(Self::Tag),
            other => Err(format!("unknown quarantine mode `{other}`: expected `observe` or `tag`")),
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Observe => "observe",
            Self::Tag => "tag",
        })
    }
}

/// One change in the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Put this tag on the image.
    PutTag(String),
    /// Take this tag off the image.
    RemoveTag(String),
}

/// What makes the registry agree with a verdict: the steps in their order, none where it agrees already. A tag is only
/// taken off where the image has another one of ours by then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Why these steps, or why none; for the log.
    pub reason: &'static str,
    pub steps: Vec<Step>,
}

/// Plans for an image with these tags; `None` where the image is not in the registry, or archived.
pub fn plan(image: &ImageId, verdict: Verdict, tags: Option<&[String]>) -> Plan {
    let leave = |reason| Plan { reason, steps: Vec::new() };
    let Some(tags) = tags else { return leave("the image is not in the registry") };
    let (mark, released) = (tag(image), released_tag(image));
    let (marked, was_released) = (tags.contains(&mark), tags.contains(&released));
    let put = |tag, there: bool| (!there).then_some(Step::PutTag(tag));
    let (reason, steps) = match verdict {
        Verdict::Quarantine if marked && !was_released => return leave("the quarantine tag is on"),
        Verdict::Quarantine => {
            let remove = was_released.then_some(Step::RemoveTag(released));
            ("the verdict is quarantine", [put(mark, marked), remove])
        }
        Verdict::Clear if !marked => return leave("the quarantine tag is off"),
        Verdict::Clear => {
            ("the verdict is clear", [put(released, was_released), Some(Step::RemoveTag(mark))])
        }
        Verdict::Pending | Verdict::Unscannable => return leave("the image is not known to be clear"),
    };
    Plan { reason, steps: steps.into_iter().flatten().collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::image;

    const TAG: &str = "quarantine-ab12ab12ab12";
    const RELEASED: &str = "released-from-quarantine-ab12ab12ab12";

    fn put(tag: &str) -> Step {
        Step::PutTag(tag.to_owned())
    }

    fn remove(tag: &str) -> Step {
        Step::RemoveTag(tag.to_owned())
    }

    fn steps(verdict: Verdict, tags: &[&str]) -> Vec<Step> {
        let tags: Vec<String> = tags.iter().map(|tag| (*tag).to_owned()).collect();
        plan(&image(), verdict, Some(&tags)).steps
    }

    #[test]
    fn quarantine_tag_is_the_first_twelve_digits() {
        assert_eq!(tag(&image()), TAG);
        assert!(is_quarantine_tag(TAG) && !is_quarantine_tag("1.0-quarantine-"));
        assert!(is_quarantine_tag(&released_tag(&image())), "what we put there is no fact about the image");
        assert!(!is_quarantine_tag("released-1.4.0") && !is_quarantine_tag("released-202611251200"));
    }

    #[test]
    fn quarantine_puts_the_tag_once() {
        assert_eq!(steps(Verdict::Quarantine, &["1.0"]), [put(TAG)]);
        assert_eq!(steps(Verdict::Quarantine, &[]), [put(TAG)]);
        assert_eq!(steps(Verdict::Quarantine, &["1.0", TAG]), []);
    }

    #[test]
    fn clear_takes_the_tag_off_once_another_one_of_ours_holds_the_image() {
        let release = [put(RELEASED), remove(TAG)];
        assert_eq!(steps(Verdict::Clear, &["1.0", TAG]), release);
        assert_eq!(steps(Verdict::Clear, &[TAG]), release, "the same without any other tag");
        assert_eq!(steps(Verdict::Clear, &["1.0", TAG, RELEASED]), [remove(TAG)], "where it was interrupted");
        assert_eq!(steps(Verdict::Clear, &["1.0"]), []);
        assert_eq!(steps(Verdict::Clear, &["1.0", RELEASED]), []);
    }

    #[test]
    fn image_under_quarantine_is_not_called_released() {
        assert_eq!(steps(Verdict::Quarantine, &["1.0", RELEASED]), [put(TAG), remove(RELEASED)]);
        assert_eq!(steps(Verdict::Quarantine, &["1.0", TAG, RELEASED]), [remove(RELEASED)]);
    }

    #[test]
    fn no_step_takes_the_last_tag() {
        let all = ["1.0", TAG, RELEASED, "quarantine-ffffffffffff"];
        for verdict in [Verdict::Pending, Verdict::Clear, Verdict::Unscannable, Verdict::Quarantine] {
            for chosen in 0..1 << all.len() {
                let mut tags: Vec<String> =
                    (0..all.len()).filter(|n| chosen >> n & 1 == 1).map(|n| all[n].to_owned()).collect();
                for step in plan(&image(), verdict, Some(&tags)).steps {
                    match step {
                        Step::PutTag(tag) => tags.push(tag),
                        Step::RemoveTag(tag) => tags.retain(|other| *other != tag),
                    }
                    assert!(tags.iter().any(|tag| tag == TAG || tag == RELEASED), "{verdict} {tags:?}");
                }
            }
        }
    }

    #[test]
    fn what_is_not_known_to_be_clear_keeps_its_tag() {
        for verdict in [Verdict::Pending, Verdict::Unscannable] {
            assert_eq!(steps(verdict, &["1.0", TAG]), []);
            assert_eq!(steps(verdict, &["1.0"]), []);
        }
    }

    #[test]
    fn another_quarantine_tag_is_not_ours() {
        let other = "quarantine-ffffffffffff";
        assert_eq!(steps(Verdict::Quarantine, &[other]), [put(TAG)]);
        assert_eq!(steps(Verdict::Clear, &["1.0", other]), []);
    }

    #[test]
    fn a_missing_image_is_left_alone() {
        assert_eq!(plan(&image(), Verdict::Quarantine, None).steps, []);
    }

    #[test]
    fn a_mode_is_read_back_as_it_is_written_and_an_unknown_one_is_named() {
        for mode in [Mode::Observe, Mode::Tag] {
            assert_eq!(mode.to_string().parse(), Ok(mode));
        }
        assert_eq!(
            "tags".parse::<Mode>(),
            Err("unknown quarantine mode `tags`: expected `observe` or `tag`".to_owned())
        );
    }
}
