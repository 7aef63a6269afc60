//! The assessment: the announcement "Image Assessed". [`judge`] gives the verdict, [`assess`] draws up what is to be
//! said of it.
//!
//! Its JSON form is documented in `docs/assessment.md`; a change of it that readers notice raises [`SCHEMA`].

mod assess;
mod due;
mod judge;
mod occasion;
mod platform;
mod row;
mod succession;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::announcement;
use crate::finding::{Epss, Fix, KnownExploited, Package, Score, Severity, Source};
use crate::image::{Digest, ImageId};
use crate::ledger::InUse;
use crate::policy::Action;
use crate::provenance::{Labels, Pusher, Workload, Workloads};
use crate::quarantine::Mode;
use crate::verdict::Verdict;

pub use crate::announcement::{AnnouncementError, EVENT_SOURCE};
pub(crate) use assess::fill;
pub use assess::{Assessed, Look, assess, look};
pub use due::asks_whether_exploited;
pub use judge::{Judgement, judge, may_quarantine};
pub use occasion::Occasion;
pub use platform::{Platform, Subject};
pub use row::Row;

/// The version of the JSON form.
pub const SCHEMA: u32 = 1;
/// The `detail-type` of the event.
pub const DETAIL_TYPE: &str = "Image Assessed";
/// How many tags of an image it names; ECR allows a thousand.
const TAGS: usize = 50;

/// What changed about an image, and where it stands now.
// Independent facts, each of which readers know by its name.
#[allow(clippy::struct_excessive_bools)]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assessment {
    pub schema: u32,
    /// The image and the version of its ledger: the same announcement has the same id, however often it comes.
    pub id: String,
    pub at: Timestamp,
    pub image: AssessedImage,
    pub verdict: Verdict,
    /// The verdict that was announced before; `pending` the first time.
    pub previous: Verdict,
    /// Whether this takes back all that was said of the image: it is only deployed as a part of the indexes that contain
    /// it, and judged as a part of them. The verdict is `pending` then, and nothing but `previous` and
    /// `was_quarantined` says what it was.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub superseded: bool,
    /// Whether the image is not held under quarantine, though that is its verdict, because all that would do that was known
    /// when it was adopted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub exempt: bool,
    /// Whether that was so before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub was_exempt: bool,
    /// Why this is announced, where there is no news of the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occasion: Option<Occasion>,
    /// Inspector's reason why it does not scan the image, where no scan came in time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unscanned: Option<String>,
    /// Whether the image is under quarantine from before; a scan that failed since does not end that.
    #[serde(default)]
    pub was_quarantined: bool,
    /// How far the quarantine goes by the rules that put the image under it, or went that ends with this; the deployment's
    /// own mode may be stricter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantine_mode: Option<Mode>,
    /// The scan that led here, if its end was not announced before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scan: Option<Scan>,
    /// The open findings by severity; waived ones are among them.
    pub open: BTreeMap<Severity, u64>,
    /// How many of the open findings are excused.
    pub waived: u64,
    /// What changed since the announcement before.
    pub changes: Changes,
    /// Why: the matched findings. First those that quarantine, where this puts the image under quarantine; then
    /// changed ones; then the worst.
    pub reasons: Vec<Reason>,
    /// How many reasons were left out for lack of space.
    #[serde(default)]
    pub more_reasons: u64,
    /// How bad the reasons are, those included that were left out.
    #[serde(default)]
    pub worst: Worst,
    /// The excused findings, the worst first.
    pub excused: Vec<Excused>,
    /// How many excused findings were left out for lack of space.
    #[serde(default)]
    pub more_excused: u64,
}

/// An image, as it is announced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssessedImage {
    #[serde(flatten)]
    pub id: ImageId,
    /// Up to fifty of the tags that are known to be on it, sorted.
    pub tags: Vec<String>,
    /// How many tags were left out; ECR allows a thousand.
    #[serde(default)]
    pub more_tags: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pushed_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pusher: Option<Pusher>,
    /// What it says of itself, or one of its platforms does if it is an index.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// The images that it contains, if it is an index, by platform.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub platforms: Vec<AssessedPlatform>,
    /// Where it runs, by the policy or else by the tags of the repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// Who is responsible for it, by the policy or else by the tags of the repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// How much depends on it, by the tags of the repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub criticality: Option<String>,
    /// What runs it, where this puts it under quarantine and Inspector says so: at most ten.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workloads: Vec<Workload>,
    /// How many more workloads run it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more_workloads: u64,
    /// How many tasks and pods run it, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_use: Option<InUse>,
    /// When it was last pulled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pulled_at: Option<Timestamp>,
}

/// An image in an index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssessedPlatform {
    /// Such as `linux/amd64`; the start of the digest where the index names none, and `the index itself` where a scanner
    /// looked at that.
    pub platform: String,
    pub digest: Digest,
    pub verdict: Verdict,
    /// Inspector's reason, where nothing scans it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unscanned: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scan {
    pub source: Source,
    pub completed_at: Timestamp,
    /// How many milliseconds after the push that was; only of a first scan, within a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<i64>,
}

/// What changed, in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// Findings that were not open before, by severity.
    pub opened: BTreeMap<Severity, u64>,
    /// Findings that are resolved: by severity, how many took how many minutes from first seen to resolved.
    pub closed: BTreeMap<Severity, BTreeMap<i64, u64>>,
    /// Of an image that is judged as a part of its index from now on: what had been announced of it as open, by severity.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub withdrawn: BTreeMap<Severity, u64>,
    /// Open findings that were not excused before, by severity.
    pub waived: BTreeMap<Severity, u64>,
    /// How many of the reasons, in here or not, are changed.
    pub reasons: u64,
}

/// The worst severity among all reasons of an announcement, and among some of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Worst {
    pub all: Option<Severity>,
    /// Among those that changed.
    pub changed: Option<Severity>,
    /// Among those that quarantine already.
    pub quarantining: Option<Severity>,
}

/// A finding and the rules that it breaks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// The rules that match it, in the policy's order.
    pub rules: Vec<String>,
    /// What they ask for, all in all; quarantine also where its grace has not ended.
    pub then: BTreeSet<Action>,
    /// From when on it leads to quarantine, the earliest of its rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantine_from: Option<Timestamp>,
    /// What is new about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
    #[serde(flatten)]
    pub finding: AssessedFinding,
    /// The platforms of an index that have it, where others do not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub platforms: Vec<String>,
    /// The excuse that a rule overrides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overrides: Option<Excused>,
}

/// What is new about a reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Its rules ask for an alert or for quarantine, which none did before.
    NewlyMatched,
    /// It was added to CISA's catalogue.
    BecameKnownExploited,
    /// Its severity rose.
    SeverityRose {
        /// How bad it was.
        from: Severity,
    },
}

/// A finding, as it is announced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssessedFinding {
    /// Its id; an ARN where Inspector found it.
    pub finding: String,
    pub vulnerability: String,
    /// How bad it is.
    pub severity: Severity,
    /// The source's score, 0 to 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<Score>,
    /// EPSS, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epss: Option<Epss>,
    /// Whether exploit code is known to exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exploit: Option<bool>,
    /// CISA's entry, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_exploited: Option<KnownExploited>,
    /// Whether an update fixes it.
    pub fix: Fix,
    /// Up to five of its packages.
    pub packages: Vec<Package>,
    /// How many packages were left out.
    #[serde(default)]
    pub more_packages: u64,
    /// When its vulnerability was first seen in this image, under whichever id.
    pub first_seen: Timestamp,
}

/// An open finding that is excused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Excused {
    pub vulnerability: String,
    /// How bad it is.
    pub severity: Severity,
    /// Why it is excused.
    pub reason: String,
    /// Who is responsible for the waiver; nobody, where it is a suppression rule in Inspector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The last day on which it is excused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<jiff::civil::Date>,
}

impl Worst {
    fn of(reasons: &[Reason], at: Timestamp) -> Self {
        let worst = |holds: &dyn Fn(&&Reason) -> bool| {
            reasons.iter().filter(holds).map(|reason| reason.finding.severity.clone()).max()
        };
        Self {
            all: worst(&|_| true),
            changed: worst(&|reason| reason.change.is_some()),
            quarantining: worst(&|reason| reason.quarantines(at)),
        }
    }
}

impl Reason {
    /// Whether it leads to quarantine at a certain time.
    pub fn quarantines(&self, at: Timestamp) -> bool {
        self.quarantine_from.is_some_and(|from| from <= at)
    }
}

// Serde hands over references.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl AssessedImage {
    /// Names what runs the image.
    pub fn name_workloads(&mut self, workloads: Workloads) {
        (self.workloads, self.more_workloads) = (workloads.named, workloads.more);
    }

    /// Names the first fifty of these tags, and counts the others.
    pub fn name_tags(&mut self, tags: Vec<String>) {
        self.more_tags = tags.len().saturating_sub(TAGS) as u64;
        self.tags = tags.into_iter().take(TAGS).collect();
    }
}

impl Assessment {
    /// Reads the EventBridge event that announces an assessment.
    pub fn from_event(json: &str) -> Result<Self, AnnouncementError> {
        announcement::detail(json, SCHEMA)
    }

    /// The version of the image's ledger, from the id: of two announcements of an image the one with the greater is the
    /// newer.
    pub fn version(&self) -> u64 {
        self.id.rsplit_once('#').and_then(|(_, version)| version.parse().ok()).unwrap_or_default()
    }

    /// Whether this is the first announcement about the image.
    pub fn is_first(&self) -> bool {
        self.previous == Verdict::Pending
    }

    /// Whether this announcement puts the image under quarantine.
    pub fn is_quarantined(&self) -> bool {
        self.verdict == Verdict::Quarantine && !self.exempt && !self.stood_in_quarantine()
    }

    /// Whether this announcement releases the image from quarantine.
    pub fn is_released(&self) -> bool {
        self.verdict == Verdict::Clear && self.stood_in_quarantine()
    }

    /// Whether what it is about is under quarantine no longer: it is released, or judged as a part of its index.
    pub fn ends_quarantine(&self) -> bool {
        self.is_released() || (self.superseded || self.exempt) && self.stood_in_quarantine()
    }

    /// Whether it may be worth an alert.
    pub fn is_news(&self) -> bool {
        let worse = self.verdict != self.previous && self.verdict != Verdict::Clear;
        let is_news = self.changes.reasons > 0 || worse || self.is_quarantined() || self.is_released();
        !self.superseded && self.occasion.is_none() && is_news
    }

    fn stood_in_quarantine(&self) -> bool {
        self.was_quarantined || self.previous == Verdict::Quarantine && !self.was_exempt
    }
}

#[cfg(test)]
mod tests;
