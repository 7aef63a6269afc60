//! The row of an image in the index of all images: what a list or a gauge says of it, without its ledger. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::assessment::Occasion;
use crate::finding::Severity;
use crate::image::ImageId;
use crate::ledger::Ledger;
use crate::policy::Fingerprint;
use crate::verdict::Verdict;

/// How many tags a row names; ECR allows a thousand.
const TAGS: usize = 10;
/// How many waivers and rules it names.
const NAMED: usize = 20;
/// How many bytes of an owner, an environment or a criticality a row has. The policy file bounds none.
const NAME_BYTES: usize = 256;

/// What was announced last of an image, in brief. The counts are those of the announcement; a finding that changed
/// nothing worth announcing is in the next one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusRow {
    /// The first ten tags, sorted.
    #[serde(default)]
    pub tags: Vec<String>,
    /// How many tags were left out.
    #[serde(default)]
    pub more_tags: u64,
    pub verdict: Verdict,
    /// Whether it is under quarantine; a scan that failed since does not end that.
    #[serde(default)]
    pub quarantined: bool,
    /// The open findings by severity; waived ones are among them.
    #[serde(default)]
    pub open: BTreeMap<Severity, u64>,
    /// How many of the open findings are excused.
    #[serde(default)]
    pub waived: u64,
    /// Since when the oldest of the open findings is known that nothing excuses, of the critical ones and of the high ones.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub oldest: BTreeMap<Severity, Timestamp>,
    /// When the first of the open findings that nothing excuses is past the time in which it is to be fixed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remediate_by: Option<Timestamp>,
    /// How many findings waivers excuse, by the keys of the first twenty.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub waivers: BTreeMap<String, u64>,
    /// The first twenty rules that match findings.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub rules: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub criticality: Option<String>,
    /// When the verdict became what it is; of one that is pending, when the image was pushed. Not known of verdicts
    /// that an earlier version announced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Since when its repository is watched, if it was in the registry before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopted_at: Option<Timestamp>,
    /// Whether it is not held under quarantine because all that would do that was known when it was adopted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub exempt: bool,
    /// By which policy it was judged last; absent where it was not judged yet, or by an earlier version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Fingerprint>,
    /// Why it was announced last, where there was no news of it, and the verdict before that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occasion: Option<Occasion>,
    #[serde(default)]
    pub previous: Verdict,
    /// Inspector's reason why it, or a platform of it, was not scanned in time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unscanned: Option<String>,
    /// Why an index is pending that could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unread: Option<String>,
}

impl StatusRow {
    /// The row of an image; `None` if it has no place in the index, because it is gone or no root.
    pub fn of(ledger: &Ledger) -> Option<Self> {
        let Ledger { facts, announced, .. } = ledger;
        if facts.is_gone() || !facts.is_root() {
            return None;
        }
        let tags = facts.tags();
        let pushed_at = facts.pushed_at.filter(|_| announced.verdict == Verdict::Pending);
        Some(Self {
            more_tags: tags.len().saturating_sub(TAGS) as u64,
            tags: tags.into_iter().take(TAGS).collect(),
            verdict: announced.verdict,
            quarantined: announced.quarantined,
            open: announced.open(),
            waived: announced.waived(),
            oldest: announced.oldest.clone(),
            remediate_by: announced.remediate_by,
            waivers: announced.waivers.iter().take(NAMED).map(|(key, count)| (key.clone(), *count)).collect(),
            rules: announced.rules.iter().take(NAMED).cloned().collect(),
            owner: announced.owner.as_deref().map(shortened),
            environment: announced.environment.as_deref().map(shortened),
            criticality: announced.criticality.as_deref().map(shortened),
            since: announced.since.or(pushed_at),
            adopted_at: facts.adopted_at,
            exempt: announced.exempt,
            policy: announced.policy.clone(),
            occasion: announced.occasion.clone(),
            previous: announced.previous,
            unscanned: announced.unscanned.as_deref().map(shortened),
            unread: facts.unread().map(shortened),
        })
    }
}

fn shortened(name: &str) -> String {
    name[..name.floor_char_boundary(NAME_BYTES)].to_owned()
}

/// One of the parts into which the index is divided, so that neither writing nor reading it depends on one partition
/// (docs/adr/0019).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shard(u8);

impl Shard {
    const COUNT: u8 = 16;

    /// The shard of an image, which never changes.
    #[allow(clippy::cast_possible_truncation)] // Less than 16.
    pub fn of(image: &ImageId) -> Self {
        Self(spread(image, u64::from(Self::COUNT)) as u8)
    }

    /// How many there are.
    pub const ALL: u8 = Self::COUNT;

    /// The shard of a number below [`Self::ALL`].
    pub fn nth(number: u8) -> Self {
        Self(number % Self::COUNT)
    }

    pub fn all() -> impl Iterator<Item = Self> {
        (0..Self::COUNT).map(Self)
    }
}

/// A number below `below` that spreads images evenly and is always the same for one: by the folded FNV-1a hash of its id.
/// <https://datatracker.ietf.org/doc/html/draft-eastlake-fnv>
pub(crate) fn spread(image: &ImageId, below: u64) -> u64 {
    let hash = image.to_string().bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    // Folded, as the authors of the hash advise: the last bytes reach few of its bits.
    [32, 16, 8, 4].iter().fold(hash, |hash, shift| hash ^ (hash >> shift)) % below
}

impl fmt::Display for Shard {
    /// Two hex digits, `00` to `0f`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assessment::assess;
    use crate::ledger::Evidence;
    use crate::samples::{closed, coverage, finding, image, ledger, listing, policy, second, strict};

    fn tagged(at: i64, tags: usize) -> Evidence {
        Evidence::Tagged { at: second(at), tags: (0..tags).map(|tag| format!("{tag:03}")).collect() }
    }

    fn announce(ledger: &mut Ledger, at: i64) {
        let policy = policy(
            "
rules: [{ id: critical, match: { severity: [CRITICAL] }, then: [alert, quarantine] }]
waivers: [{ vulnerability: CVE-b, reason: not reachable, owner: shop, expires: 2031-06-01 }]
repositories: [{ match: ['prod/*'], environment: production, owner: shop }]
",
        );
        ledger.announced = assess(&*ledger, 1, &policy, second(at)).unwrap().announced;
    }

    #[test]
    fn row_of_a_new_image_is_pending_since_its_push() {
        let described = Evidence::Described { pushed_at: second(3), media_type: None };
        let row = StatusRow::of(&ledger([tagged(4, 2), described])).unwrap();
        let tags = vec!["000".to_owned(), "001".to_owned()];
        assert_eq!(row, StatusRow { tags, since: Some(second(3)), ..StatusRow::default() });
    }

    #[test]
    fn row_says_what_was_announced_and_since_when() {
        let mut ledger = ledger([tagged(1, 12), listing(10, vec![finding("a", 1), finding("b", 1)])]);
        announce(&mut ledger, 20);
        let row = StatusRow::of(&ledger).unwrap();
        assert_eq!((row.verdict, row.quarantined, row.since), (Verdict::Quarantine, true, Some(second(20))));
        assert_eq!((row.open, row.waived), (BTreeMap::from([(Severity::Critical, 2)]), 1));
        assert_eq!((row.owner.as_deref(), row.environment.as_deref()), (Some("shop"), Some("production")));
        assert_eq!((row.tags.len(), row.more_tags), (10, 2));
    }

    #[test]
    fn since_changes_with_the_verdict_and_not_with_each_announcement() {
        let mut ledger = ledger([coverage(1, true), listing(10, vec![finding("a", 1)])]);
        announce(&mut ledger, 20);
        ledger.merge(listing(30, vec![finding("a", 1), finding("c", 1)]));
        announce(&mut ledger, 40);
        assert_eq!(StatusRow::of(&ledger).unwrap().since, Some(second(20)));
        ledger.merge(listing(100_000, vec![closed("a", 50_000), closed("c", 50_000)]));
        ledger.merge(coverage(100_000, true));
        announce(&mut ledger, 100_020);
        let row = StatusRow::of(&ledger).unwrap();
        assert_eq!((row.verdict, row.since), (Verdict::Clear, Some(second(100_020))));
        assert_eq!((row.quarantined, row.open), (false, BTreeMap::new()));
    }

    #[test]
    fn image_that_is_gone_has_no_row_until_it_is_pushed_again() {
        let mut ledger = ledger([tagged(1, 1), listing(10, vec![finding("a", 1)])]);
        announce(&mut ledger, 20);
        let there = StatusRow::of(&ledger);
        ledger.merge(Evidence::Gone { at: second(30) });
        assert_eq!(StatusRow::of(&ledger), None);
        ledger.merge(tagged(31, 1));
        assert_eq!(StatusRow::of(&ledger), there);
    }

    #[test]
    fn counts_are_those_of_the_announcement() {
        let mut ledger = ledger([listing(10, vec![finding("a", 1), finding("b", 1)])]);
        let assessed = assess(&ledger, 1, &strict(), second(20)).unwrap();
        ledger.announced = assessed.announced;
        ledger.merge(listing(30, vec![finding("a", 1), finding("b", 1), finding("c", 1)]));
        let row = StatusRow::of(&ledger).unwrap();
        assert_eq!((row.open, row.waived), (assessed.assessment.open, assessed.assessment.waived));
    }

    #[test]
    fn long_name_is_cut_between_characters() {
        assert_eq!(shortened(&"ä".repeat(200)), "ä".repeat(128));
        assert_eq!(shortened(&format!("a{}", "ä".repeat(200))).len(), 255);
    }

    #[test]
    fn shard_of_an_image_is_the_same_in_every_version() {
        // Computed apart from this code.
        assert_eq!(Shard::of(&image()).to_string(), "0b");
    }

    #[test]
    fn images_are_spread_evenly_over_all_shards() {
        let mut counts: BTreeMap<String, u32> = BTreeMap::new();
        for number in 0..16_000 {
            let digest = format!("sha256:{number:064x}").try_into().unwrap();
            *counts.entry(Shard::of(&ImageId { digest, ..image() }).to_string()).or_default() += 1;
        }
        let names: Vec<String> = Shard::all().map(|shard| shard.to_string()).collect();
        assert_eq!(counts.keys().cloned().collect::<Vec<_>>(), names);
        assert_eq!((names.len(), names[0].as_str(), names[15].as_str()), (16, "00", "0f"));
        assert!(counts.values().all(|count| (800..=1_200).contains(count)), "{counts:?}");
    }
}
