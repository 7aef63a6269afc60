//! Quarantine: the tag that marks an image, the mode that says how far to go, and the steps that make the
//! registry agree with a verdict.

use std::fmt;
use std::str::FromStr;

use crate::image::ImageId;
use crate::verdict::Verdict;

/// What every quarantine tag begins with; the event rules in template.yaml filter on it.
const PREFIX: &str = "quarantine-";

/// The tag that marks an image: `quarantine-` and the first twelve digits of its digest. Every image has a tag
/// of its own, so that two images in quarantine never compete for one.
pub fn tag(image: &ImageId) -> String {
    format!("{PREFIX}{}", image.digest.short())
}

/// Whether a tag is one of ours, on whichever image.
pub fn is_quarantine_tag(tag: &str) -> bool {
    tag.starts_with(PREFIX)
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

/// What makes the registry agree with a verdict: the steps in their order, none where it agrees already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Why these steps, or why none; for the log.
    pub reason: &'static str,
    pub steps: Vec<Step>,
}

/// Plans for an image with these tags; `None` where the image is not in the registry, or archived.
pub fn plan(image: &ImageId, verdict: Verdict, tags: Option<&[String]>) -> Plan {
    let leave = |reason| Plan { reason, steps: Vec::new() };
    let act = |reason, step| Plan { reason, steps: vec![step] };
    let Some(tags) = tags else { return leave("the image is not in the registry") };
    let tag = tag(image);
    let tagged = tags.contains(&tag);
    match verdict {
        Verdict::Quarantine if tagged => leave("the quarantine tag is on"),
        Verdict::Quarantine => act("the verdict is quarantine", Step::PutTag(tag)),
        Verdict::Clear if !tagged => leave("the quarantine tag is off"),
        // ECR deletes an image with its last tag.
        Verdict::Clear if tags.len() == 1 => {
            leave("the quarantine tag is the last one, and ECR would delete the image with it")
        }
        Verdict::Clear => act("the verdict is clear", Step::RemoveTag(tag)),
        Verdict::Pending | Verdict::Unscannable => leave("the image is not known to be clear"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::image;

    const TAG: &str = "quarantine-ab12ab12ab12";

    fn steps(verdict: Verdict, tags: &[&str]) -> Vec<Step> {
        let tags: Vec<String> = tags.iter().map(|tag| (*tag).to_owned()).collect();
        plan(&image(), verdict, Some(&tags)).steps
    }

    #[test]
    fn quarantine_tag_is_the_first_twelve_digits() {
        assert_eq!(tag(&image()), TAG);
        assert!(is_quarantine_tag(TAG) && !is_quarantine_tag("1.0-quarantine-"));
    }

    #[test]
    fn quarantine_puts_the_tag_once() {
        let put = [Step::PutTag(TAG.to_owned())];
        assert_eq!(steps(Verdict::Quarantine, &["1.0"]), put);
        assert_eq!(steps(Verdict::Quarantine, &[]), put);
        assert_eq!(steps(Verdict::Quarantine, &["1.0", TAG]), []);
    }

    #[test]
    fn clear_takes_the_tag_off_but_never_the_last_one() {
        assert_eq!(steps(Verdict::Clear, &["1.0", TAG]), [Step::RemoveTag(TAG.to_owned())]);
        assert_eq!(steps(Verdict::Clear, &[TAG]), []);
        assert_eq!(steps(Verdict::Clear, &["1.0"]), []);
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
        assert_eq!(steps(Verdict::Quarantine, &[other]), [Step::PutTag(TAG.to_owned())]);
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
