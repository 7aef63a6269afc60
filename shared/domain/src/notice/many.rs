//! Notices about many images or waivers at once. Each names the first of them and counts the rest.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::finding::Severity;
use crate::image::{Digest, ImageId};
use crate::policy::{Patterns, Waiver};
use crate::row::StatusRow;
use crate::text::sanitize;
use crate::verdict::Verdict;

/// How many tags of an image a notice about many names.
const TAGS: usize = 3;
/// How many patterns of repositories of a waiver it names.
const PATTERNS: usize = 5;

/// Some of many: the first of them by name, and how many were left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed<T> {
    pub named: Vec<T>,
    #[serde(default)]
    pub more: u64,
}

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Self { named: Vec::new(), more: 0 }
    }
}

impl<T> Listed<T> {
    /// How many are named where nothing else is said.
    pub const LIMIT: usize = 20;

    /// Names the first twenty.
    pub fn of(all: impl IntoIterator<Item = T>) -> Self {
        Self::first(Self::LIMIT, all)
    }

    /// Names the first so many.
    pub fn first(limit: usize, all: impl IntoIterator<Item = T>) -> Self {
        let mut all = all.into_iter();
        let named = all.by_ref().take(limit).collect();
        Self { named, more: all.count() as u64 }
    }

    /// How many there are in all.
    pub fn count(&self) -> u64 {
        self.more.saturating_add(self.named.len() as u64)
    }

    /// Names half as many. Returns whether fewer are named now.
    pub fn halve(&mut self) -> bool {
        let keep = self.named.len() / 2;
        self.more = self.count() - keep as u64;
        let fewer = keep < self.named.len();
        self.named.truncate(keep);
        fewer
    }
}

/// An image, as a notice about many names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedImage {
    #[serde(flatten)]
    pub image: ImageId,
    /// The first three tags.
    #[serde(default)]
    pub tags: Vec<String>,
    #[serde(default)]
    pub more_tags: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

impl NamedImage {
    /// An image with what its row says of it.
    pub fn of(image: ImageId, row: &StatusRow) -> Self {
        let more = row.tags.len().saturating_sub(TAGS) as u64;
        Self {
            image,
            tags: row.tags.iter().take(TAGS).map(|tag| sanitize(tag)).collect(),
            more_tags: row.more_tags.saturating_add(more),
            owner: row.owner.as_deref().map(sanitize),
        }
    }

    /// An image of which no more is known than that.
    pub fn bare(image: ImageId) -> Self {
        Self { image, tags: Vec::new(), more_tags: 0, owner: None }
    }
}

/// What was found when ecr-warden came to images that were there before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adopted {
    pub since: Timestamp,
    pub until: Timestamp,
    /// How many images were judged, those that are parts of an index included.
    pub images: u64,
    /// How many of them people deploy by a tag or a digest of their own.
    pub roots: u64,
    /// The open findings of the roots by severity; excused ones are among them.
    pub open: BTreeMap<Severity, u64>,
    /// How many roots the policy quarantines, or would if the deployment let it.
    pub would_quarantine: u64,
    /// The parameter `QuarantineAdopted`: whether these images may come under quarantine.
    pub quarantine_adopted: bool,
    /// The worst ten.
    pub worst: Vec<AdoptedImage>,
    pub unreadable: Listed<Unreadable>,
}

/// An image that was there before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdoptedImage {
    #[serde(flatten)]
    pub image: NamedImage,
    pub verdict: Verdict,
    pub open: BTreeMap<Severity, u64>,
}

/// An image that could not be judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unreadable {
    #[serde(flatten)]
    pub image: NamedImage,
    /// Why, in words.
    pub because: String,
}

/// Another policy was deployed, and what is known was judged by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyChanged {
    /// The fingerprint of the policy before, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    pub to: String,
    /// Who deployed it, where the deployment says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployed_by: Option<String>,
    pub since: Timestamp,
    pub until: Timestamp,
    /// How many images were judged again.
    pub judged: u64,
    /// How many of them went from one verdict to another.
    pub changes: Vec<VerdictChange>,
    /// Up to [`PolicyChanged::NAMED`] of those.
    pub changed: Listed<ChangedImage>,
}

impl PolicyChanged {
    /// How many images with another verdict are named.
    pub const NAMED: usize = 50;

    /// How many images have another verdict.
    pub fn changed(&self) -> u64 {
        self.changes.iter().map(|change| change.images).sum()
    }
}

/// How many images went from one verdict to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct VerdictChange {
    pub from: Verdict,
    pub to: Verdict,
    pub images: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangedImage {
    #[serde(flatten)]
    pub image: NamedImage,
    pub from: Verdict,
    pub to: Verdict,
}

/// A waiver, with how much it excuses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticedWaiver {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vulnerability: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// The first five patterns of repositories; none where it holds in all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repositories: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    pub reason: String,
    /// The last day on which it holds, in UTC.
    pub expires: Date,
    /// How many images it excuses something in; of one that has ended, until then.
    pub images: u64,
}

impl NoticedWaiver {
    pub fn of(waiver: &Waiver, images: u64) -> Self {
        let patterns = waiver.repositories.as_ref().map(Patterns::as_written).unwrap_or_default();
        Self {
            vulnerability: waiver.vulnerability.as_deref().map(sanitize),
            package: waiver.package.as_deref().map(sanitize),
            repositories: patterns.iter().take(PATTERNS).map(|pattern| sanitize(pattern)).collect(),
            digest: waiver.digest.clone(),
            reason: sanitize(&waiver.reason),
            expires: waiver.expires,
            images,
        }
    }
}

/// Waivers of one owner that end soon, or that excuse nothing any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnedWaivers {
    pub owner: String,
    pub waivers: Listed<NoticedWaiver>,
}

/// Waivers of one owner that ended, and what that did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaiversEnded {
    pub owner: String,
    pub waivers: Listed<NoticedWaiver>,
    /// How many findings count again that these waivers excused.
    pub findings: u64,
    /// In how many images.
    pub images: u64,
    /// The images that came under quarantine with that.
    pub quarantined: Listed<NamedImage>,
}

/// Images that nothing has scanned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnscannedImages {
    /// How many minutes after its push an image has to have been scanned.
    pub after_minutes: u32,
    pub groups: Vec<UnscannedGroup>,
}

/// Images that are not scanned for the same reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnscannedGroup {
    /// Inspector's reason code.
    pub reason: String,
    pub images: Listed<NamedImage>,
}

/// Scanning was switched off for many images together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanningOff {
    /// Inspector's reason code.
    pub reason: String,
    pub since: Timestamp,
    /// How many images there are in all.
    pub of: u64,
    /// Those that are not scanned any more.
    pub images: Listed<NamedImage>,
}

/// Rules that have matched nothing for long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdleRules {
    pub days: u32,
    pub rules: Listed<IdleRule>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdleRule {
    pub id: String,
    /// When it last matched, where it ever did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_matched: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{image, policy};

    #[test]
    fn list_names_the_first_and_counts_the_rest() {
        let listed = Listed::first(3, 0..10);
        assert_eq!((listed.named.as_slice(), listed.more, listed.count()), ([0, 1, 2].as_slice(), 7, 10));
        assert_eq!(Listed::of(0..20).more, 0);
        assert_eq!(Listed::of(0..21).more, 1);
    }

    #[test]
    fn halving_a_list_loses_nobody_and_ends() {
        let mut listed = Listed::first(5, 0..9);
        assert!(listed.halve());
        assert_eq!((listed.named.as_slice(), listed.more), ([0, 1].as_slice(), 7));
        assert!(listed.halve() && listed.halve());
        assert!(!listed.halve());
        assert_eq!((listed.named.len(), listed.more), (0, 9));
    }

    #[test]
    fn named_image_has_three_tags_and_counts_all_others() {
        let row = StatusRow {
            tags: (0..10).map(|tag| tag.to_string()).collect(),
            more_tags: 5,
            owner: Some("shop\u{202e}".to_owned()),
            ..StatusRow::default()
        };
        let named = NamedImage::of(image(), &row);
        assert_eq!((named.tags.join(" "), named.more_tags), ("0 1 2".to_owned(), 12));
        assert_eq!(named.owner.as_deref(), Some("shop"));
    }

    #[test]
    fn waiver_is_told_as_it_was_written() {
        let policy = policy(
            "
rules: [{ id: r, match: { severity: [HIGH] }, then: [alert] }]
waivers:
  - { vulnerability: CVE-1, repositories: ['a/*', b, c, d, e, f], reason: why, owner: shop, expires: 2031-02-01 }
",
        );
        let told = NoticedWaiver::of(&policy.waivers[0], 7);
        assert_eq!(told.repositories, ["a/*", "b", "c", "d", "e"]);
        assert_eq!((told.vulnerability.as_deref(), told.images), (Some("CVE-1"), 7));
        assert_eq!(told.expires.to_string(), "2031-02-01");
    }
}
