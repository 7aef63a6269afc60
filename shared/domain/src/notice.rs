//! A notice: the announcement "Notice" on our bus, of what people should know besides the verdicts on images. It is
//! documented in `docs/notice.md`.

mod many;

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::announcement::{self, AnnouncementError};
use crate::image::ImageId;
use crate::provenance::Actor;
use crate::quarantine::Mode;
use crate::text::sanitize;

pub use many::{
    Adopted, AdoptedImage, ChangedImage, IdleRule, IdleRules, Listed, NamedImage, NoticedWaiver,
    OwnedWaivers, PolicyChanged, ScanningOff, Unreadable, UnscannedGroup, UnscannedImages, VerdictChange,
    WaiversEnded,
};

/// The `detail-type` of the event.
pub const DETAIL_TYPE: &str = "Notice";
/// The version of the JSON form.
const SCHEMA: u32 = 1;
/// How many tags a notice names; the others are counted.
const TAGS: usize = 20;

/// Something that people should know.
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
    /// The images that were there before ecr-warden are all judged.
    Adopted(Adopted),
    /// Another policy is in force for all images.
    PolicyChanged(PolicyChanged),
    /// Waivers end within 7 days.
    WaiversEnding(OwnedWaivers),
    /// Waivers have ended.
    WaiversEnded(WaiversEnded),
    /// Waivers excuse nothing any more.
    WaiversUnused(OwnedWaivers),
    /// Nothing has scanned images that should have been scanned by now.
    Unscanned(UnscannedImages),
    /// Scanning was switched off for many images together.
    ScanningOff(ScanningOff),
    /// Rules have matched nothing for long.
    RuleIdle(IdleRules),
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

    /// The one image that it is about.
    pub fn image(&self) -> Option<&ImageId> {
        match &self.about {
            About::TagsLeftOn { image, .. }
            | About::TagsNotGivenBack { image, .. }
            | About::MarkOnCopy { image, .. }
            | About::Tampered { image, .. } => Some(image),
            _ => None,
        }
    }

    /// Names half as many of the images and waivers that it is about, where it names several. Returns whether it is
    /// shorter now.
    pub fn halve(&mut self) -> bool {
        match &mut self.about {
            About::Adopted(about) => {
                let worst = about.worst.len();
                about.worst.truncate(worst / 2);
                let unreadable = about.unreadable.halve();
                worst > 0 || unreadable
            }
            About::PolicyChanged(about) => about.changed.halve(),
            About::WaiversEnding(about) | About::WaiversUnused(about) => about.waivers.halve(),
            About::WaiversEnded(about) => about.waivers.halve() | about.quarantined.halve(),
            About::Unscanned(about) => {
                about.groups.iter_mut().fold(false, |shorter, group| group.images.halve() | shorter)
            }
            About::ScanningOff(about) => about.images.halve(),
            About::RuleIdle(about) => about.rules.halve(),
            About::QuarantinesHeld { .. }
            | About::TagsLeftOn { .. }
            | About::TagsNotGivenBack { .. }
            | About::MarkOnCopy { .. }
            | About::Tampered { .. } => false,
        }
    }

    /// The repositories of the images that it names.
    pub fn repositories(&self) -> BTreeSet<&str> {
        let named = self.about.named().into_iter().map(|named| &named.image);
        self.image().into_iter().chain(named).map(|image| image.repository.as_str()).collect()
    }

    /// Whom it concerns, as far as that is known: the owner of the waivers, or those of the images that it names.
    pub fn owners(&self) -> BTreeSet<&str> {
        let owner = match &self.about {
            About::WaiversEnding(OwnedWaivers { owner, .. })
            | About::WaiversUnused(OwnedWaivers { owner, .. })
            | About::WaiversEnded(WaiversEnded { owner, .. }) => Some(owner.as_str()),
            _ => None,
        };
        let named = self.about.named().into_iter().filter_map(|named| named.owner.as_deref());
        owner.into_iter().chain(named).filter(|owner| !owner.is_empty()).collect()
    }
}

impl About {
    /// The images that a notice about many names.
    fn named(&self) -> Vec<&NamedImage> {
        match self {
            Self::Adopted(about) => {
                let unreadable = about.unreadable.named.iter().map(|one| &one.image);
                about.worst.iter().map(|one| &one.image).chain(unreadable).collect()
            }
            Self::PolicyChanged(about) => about.changed.named.iter().map(|one| &one.image).collect(),
            Self::WaiversEnded(about) => about.quarantined.named.iter().collect(),
            Self::Unscanned(about) => about.groups.iter().flat_map(|group| &group.images.named).collect(),
            Self::ScanningOff(about) => about.images.named.iter().collect(),
            Self::QuarantinesHeld { .. }
            | Self::TagsLeftOn { .. }
            | Self::TagsNotGivenBack { .. }
            | Self::MarkOnCopy { .. }
            | Self::Tampered { .. }
            | Self::WaiversEnding(_)
            | Self::WaiversUnused(_)
            | Self::RuleIdle(_) => Vec::new(),
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
    use crate::samples::{about_many, actor, image, second};

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
        for about in about.into_iter().chain(about_many()) {
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

    #[test]
    fn owners_and_repositories_are_those_of_all_that_it_names() {
        let of = |about: About| {
            let notice = Notice::new("id".to_owned(), second(1), about);
            let text = |names: BTreeSet<&str>| names.into_iter().collect::<Vec<_>>().join(" ");
            (text(notice.owners()), text(notice.repositories()))
        };
        let told = about_many().map(of);
        let told: Vec<(&str, &str)> =
            told.iter().map(|(owners, of)| (owners.as_str(), of.as_str())).collect();
        assert_eq!(
            told,
            [
                ("pay shop", "prod/cart"),
                ("shop", "prod/cart"),
                ("shop", ""),
                ("shop", ""),
                ("pay shop", "prod/cart"),
                ("pay shop", "prod/cart"),
                ("pay shop", "prod/cart"),
                ("", ""),
            ]
        );
        let one = About::TagsNotGivenBack { image: image(), tags: vec![], more_tags: 0 };
        assert_eq!(of(one), (String::new(), "prod/cart".to_owned()));
    }

    #[test]
    fn notice_about_many_gets_shorter_until_it_names_nobody() {
        for about in about_many() {
            let mut notice = Notice::new("id".to_owned(), second(1), about);
            let before = serde_json::to_string(&notice).unwrap().len();
            assert!(notice.halve(), "{notice:?}");
            assert!(serde_json::to_string(&notice).unwrap().len() < before);
            let mut times = 1;
            while notice.halve() {
                times += 1;
            }
            assert!(times < 10 && notice.about.named().is_empty());
        }
    }
}
