//! A notice: the announcement "Notice" on our bus, of what enforcement met. It is documented in `docs/notice.md`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::announcement::{self, AnnouncementError};
use crate::image::ImageId;
use crate::provenance::Actor;
use crate::quarantine::Mode;
use crate::text::sanitize;

/// The `detail-type` of the event.
pub const DETAIL_TYPE: &str = "Notice";
/// The version of the JSON form.
const SCHEMA: u32 = 1;
/// How many tags a notice names; the others are counted.
const TAGS: usize = 20;

/// Something about enforcement that people should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    pub schema: u32,
    /// The same notice has the same id, however often it comes.
    pub id: String,
    pub at: Timestamp,
    #[serde(flatten)]
    pub about: About,
}

/// What a notice is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum About {
    /// More images than the limit allows would have come under quarantine, and wait for a person.
    QuarantinesHeld {
        /// How many wait so far.
        held: u64,
        /// The parameter `QuarantinesPerHour`.
        per_hour: u32,
        since: Timestamp,
        /// Up to twenty of the images that wait, as `<account>/<region>/<repository>@<digest>`.
        images: Vec<String>,
    },
    /// Tags stay on an image that *untag* would have taken off.
    TagsLeftOn {
        image: ImageId,
        mode: Mode,
        tags: Vec<String>,
        more_tags: u64,
        /// Whether the repository is a pull-through cache.
        #[serde(default)]
        cache: bool,
        /// Why, in words.
        because: String,
    },
    /// A release does not put tags on again.
    TagsNotGivenBack { image: ImageId, tags: Vec<String>, more_tags: u64 },
    /// ECR replicates the repository of an image that is released, and a copy keeps the quarantine tag.
    /// <https://docs.aws.amazon.com/AmazonECR/latest/userguide/replication.html>
    MarkOnCopy {
        image: ImageId,
        /// The same image in another registry.
        copy: ImageId,
    },
    /// Somebody changed an image under quarantine, and it was put right.
    Tampered {
        image: ImageId,
        mode: Mode,
        /// Whether the quarantine tag was taken off, or moved to another image. It is on again.
        mark_removed: bool,
        /// Up to twenty tags that were put on and are taken off again.
        tags: Vec<String>,
        more_tags: u64,
        /// Whether it was archived and was restored or pushed again. It is archived again if the next scan finds the
        /// same.
        restored: bool,
        /// How often something was found changed.
        times: u64,
        /// When it was done first, or when that was noticed, where no event says it.
        since: Timestamp,
        /// Who did it, up to five; none where CloudTrail has not said it yet.
        actors: Vec<Actor>,
        /// Whether people were told of tampering with this image before.
        repeated: bool,
        aftermath: Aftermath,
    },
}

/// What became of an image after tampering.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aftermath {
    PutRight,
    /// It is being released from quarantine.
    Released,
    /// It was deleted.
    Gone,
}

impl Notice {
    pub fn new(id: String, at: Timestamp, about: About) -> Self {
        Self { schema: SCHEMA, id, at, about }
    }

    /// Whether an event has the `detail-type` of a notice, whatever else is in it.
    pub fn is_event(json: &str) -> bool {
        #[derive(Deserialize)]
        struct Envelope {
            #[serde(rename = "detail-type")]
            detail_type: String,
        }
        serde_json::from_str::<Envelope>(json).is_ok_and(|event| event.detail_type == DETAIL_TYPE)
    }

    /// Reads the event that announces a notice.
    pub fn from_event(json: &str) -> Result<Self, AnnouncementError> {
        announcement::detail(json, SCHEMA)
    }

    /// The image that it is about.
    pub fn image(&self) -> Option<&ImageId> {
        match &self.about {
            About::QuarantinesHeld { .. } => None,
            About::TagsLeftOn { image, .. }
            | About::TagsNotGivenBack { image, .. }
            | About::MarkOnCopy { image, .. }
            | About::Tampered { image, .. } => Some(image),
        }
    }
}

/// The first of some tags, and how many are left out.
pub fn name_tags(tags: &[String]) -> (Vec<String>, u64) {
    let named = tags.iter().take(TAGS).map(|tag| sanitize(tag)).collect();
    (named, tags.len().saturating_sub(TAGS) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{actor, image, second};

    #[test]
    fn notice_is_read_back_from_its_event_and_another_version_is_refused() {
        let about = [
            About::QuarantinesHeld { held: 3, per_hour: 20, since: second(0), images: vec!["a".to_owned()] },
            About::TagsLeftOn {
                image: image(),
                mode: Mode::Untag,
                tags: vec!["latest".to_owned()],
                more_tags: 0,
                cache: false,
                because: "they can move".to_owned(),
            },
            About::TagsNotGivenBack { image: image(), tags: vec!["latest".to_owned()], more_tags: 1 },
            About::MarkOnCopy { image: image(), copy: ImageId { region: "us-east-1".to_owned(), ..image() } },
            About::Tampered {
                image: image(),
                mode: Mode::Tag,
                mark_removed: true,
                tags: vec!["1.0".to_owned()],
                more_tags: 0,
                restored: false,
                times: 3,
                since: second(0),
                actors: vec![actor("Mary")],
                repeated: true,
                aftermath: Aftermath::PutRight,
            },
        ];
        for about in about {
            let notice = Notice::new("id".to_owned(), second(1), about);
            let mut event = serde_json::json!({"detail-type": DETAIL_TYPE, "detail": notice});
            assert!(Notice::is_event(&event.to_string()));
            assert_eq!(Notice::from_event(&event.to_string()).unwrap(), notice);
            event["detail"]["schema"] = 2.into();
            let error = Notice::from_event(&event.to_string()).unwrap_err();
            assert!(error.to_string().contains("schema 2"), "{error}");
        }
        assert!(!Notice::is_event(r#"{"detail-type": "Image Assessed", "detail": {}}"#));
    }
}
