//! What is told of waivers and rules, each once: a waiver that is about to end, one that ended, one that excuses nothing any
//! more, and a rule that has matched nothing for long. Pure.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::image::ImageId;
use crate::notice::{
    About, IdleRule, IdleRules, Listed, NamedImage, Notice, NoticedWaiver, OwnedWaivers, WaiversEnded,
};
use crate::policy::{Fingerprint, Policy, Waiver};
use crate::row::StatusRow;
use crate::verdict::Verdict;

/// How many days before its end a waiver's owner is told.
const BEFORE_THE_END: SignedDuration = SignedDuration::from_hours(7 * 24);
/// For how long a waiver has to excuse nothing before that is told: a rebuild may bring back what it excused.
const UNUSED_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);
/// For how many days a rule has to match nothing before that is told.
const IDLE_DAYS: u32 = 90;

/// What is known of waivers and rules, and what was told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Reminders {
    /// By the waiver's key.
    waivers: BTreeMap<String, Told>,
    /// By the rule's id.
    rules: BTreeMap<String, Used>,
}

/// What is known of a waiver.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Told {
    used: Used,
    /// In how many images it excused something when that was counted last.
    images: u64,
    findings: u64,
    ending: bool,
    ended: bool,
}

/// When something was last of use.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Used {
    /// Since when it is looked at.
    known: Option<Timestamp>,
    last: Option<Timestamp>,
    /// Whether people were told that it is of no use any more.
    told: bool,
}

impl Used {
    /// Takes in whether it is of use now; `None` if that is not known. Returns whether it has not been for so long, and that
    /// is to be told.
    fn note(&mut self, is_used: Option<bool>, long: SignedDuration, now: Timestamp) -> bool {
        let known = *self.known.get_or_insert(now);
        match is_used {
            Some(true) => (self.last, self.told) = (Some(now), false),
            Some(false) if now.duration_since(self.last.unwrap_or(known)) >= long => {
                return !std::mem::replace(&mut self.told, true);
            }
            Some(false) | None => {}
        }
        false
    }
}

/// How much waivers excuse and which rules match, by the rows of all images.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Usage {
    /// By the waiver's key: images and findings.
    waivers: BTreeMap<String, (u64, u64)>,
    /// Those that match anything, by their ids.
    rules: BTreeSet<String>,
}

impl Usage {
    fn of(rows: &[(ImageId, StatusRow)]) -> Self {
        let mut usage = Self::default();
        for (_, row) in rows {
            for (waiver, findings) in &row.waivers {
                let (images, all) = usage.waivers.entry(waiver.clone()).or_default();
                (*images, *all) = (*images + 1, *all + findings);
            }
            usage.rules.extend(row.rules.iter().cloned());
        }
        usage
    }
}

impl Reminders {
    /// Looks at the waivers and rules of a policy, and returns what is to be told. Unless the rows are of all images, nothing
    /// is said to be of no use.
    #[must_use]
    pub fn look(
        mut self,
        policy: &Policy,
        rows: &[(ImageId, StatusRow)],
        are_all: bool,
        now: Timestamp,
    ) -> (Self, Vec<Notice>) {
        let usage = Usage::of(rows);
        let is_used = |is_seen: bool| (is_seen || are_all).then_some(is_seen);
        let today = now.to_zoned(TimeZone::UTC).date();
        let keys: Vec<String> = policy.waivers.iter().map(Waiver::key).collect();
        self.waivers.retain(|key, _| keys.contains(key));
        self.rules.retain(|id, _| policy.rules.iter().any(|rule| rule.id == *id));
        // By owner.
        let mut ending: BTreeMap<&str, Vec<NoticedWaiver>> = BTreeMap::new();
        let mut unused: BTreeMap<&str, Vec<NoticedWaiver>> = BTreeMap::new();
        let mut ended: BTreeMap<&str, (Vec<NoticedWaiver>, u64, u64)> = BTreeMap::new();
        for (waiver, key) in policy.waivers.iter().zip(keys) {
            let (images, findings) = usage.waivers.get(&key).copied().unwrap_or_default();
            let known = self.waivers.entry(key).or_default();
            let end = waiver.end().unwrap_or(Timestamp::MAX);
            if end <= now {
                // What ended before it was looked at first is nobody's news, and images are judged within an interval.
                let is_news = known.used.known.is_some() && !known.ended;
                known.ended = true;
                if is_news {
                    let (waivers, of_images, of_findings) = ended.entry(&waiver.owner).or_default();
                    waivers.push(NoticedWaiver::of(waiver, known.images));
                    (*of_images, *of_findings) = (*of_images + known.images, *of_findings + known.findings);
                }
                continue;
            }
            let is_idle = known.used.note(is_used(images > 0), UNUSED_FOR, now);
            (known.images, known.findings) = (images, findings);
            if is_idle {
                unused.entry(&waiver.owner).or_default().push(NoticedWaiver::of(waiver, 0));
            }
            let ends_soon = end.duration_since(now) <= BEFORE_THE_END;
            if ends_soon && !std::mem::replace(&mut known.ending, true) {
                ending.entry(&waiver.owner).or_default().push(NoticedWaiver::of(waiver, images));
            }
        }
        let mut notices = Vec::new();
        // The same is said once, and something else of the same kind and day is something else.
        let mut tell = |kind: &str, owner: &str, what: &str, about: About| {
            let what = Fingerprint::of(what);
            notices.push(Notice::new(format!("{kind}#{owner}#{today}#{what}"), now, about));
        };
        let named = |waivers: &[NoticedWaiver]| {
            let named = waivers.iter().map(|one| {
                format!(
                    "{:?} {:?} {:?} {:?} {}",
                    one.vulnerability, one.package, one.repositories, one.digest, one.expires
                )
            });
            named.collect::<Vec<_>>().join("\n")
        };
        let owned =
            |owner: &str, waivers| OwnedWaivers { owner: owner.to_owned(), waivers: Listed::of(waivers) };
        for (owner, waivers) in ending {
            tell("waivers-ending", owner, &named(&waivers), About::WaiversEnding(owned(owner, waivers)));
        }
        for (owner, waivers) in unused {
            tell("waivers-unused", owner, &named(&waivers), About::WaiversUnused(owned(owner, waivers)));
        }
        for (owner, (waivers, images, findings)) in ended {
            let (what, quarantined) = (named(&waivers), quarantined_today(rows, now));
            let about = WaiversEnded {
                owner: owner.to_owned(),
                waivers: Listed::of(waivers),
                findings,
                images,
                quarantined: Listed::of(quarantined),
            };
            tell("waivers-ended", owner, &what, About::WaiversEnded(about));
        }
        let idle: Vec<IdleRule> = policy
            .rules
            .iter()
            .filter_map(|rule| {
                let used = self.rules.entry(rule.id.clone()).or_default();
                let matches = usage.rules.contains(&rule.id);
                let long = SignedDuration::from_hours(i64::from(IDLE_DAYS) * 24);
                let last_matched = used.last;
                used.note(is_used(matches), long, now).then(|| IdleRule { id: rule.id.clone(), last_matched })
            })
            .collect();
        if !idle.is_empty() {
            let what: Vec<&str> = idle.iter().map(|rule| rule.id.as_str()).collect();
            let what = what.join("\n");
            tell(
                "rules-idle",
                "",
                &what,
                About::RuleIdle(IdleRules { days: IDLE_DAYS, rules: Listed::of(idle) }),
            );
        }
        (self, notices)
    }
}

/// The images that came under quarantine since midnight with no news of theirs.
fn quarantined_today(rows: &[(ImageId, StatusRow)], now: Timestamp) -> Vec<NamedImage> {
    let midnight = now.to_zoned(TimeZone::UTC).start_of_day().map_or(now, |day| day.timestamp());
    let is_new = |row: &StatusRow| row.verdict == Verdict::Quarantine && row.since >= Some(midnight);
    let new = rows.iter().filter(|(_, row)| is_new(row));
    new.map(|(image, row)| NamedImage::of(image.clone(), row)).collect()
}
