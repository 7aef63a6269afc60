//! What is true: plain maps of manifests, tags and findings, and the verdicts that follow. It knows nothing of ledgers,
//! and nothing of how the product or the local AWS work.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use pipeline_tests::buildx::{Manifest, minute};
use serde_json::Value;
use sim_aws::{SeedScan, SimulatedAws};

use crate::history::{Loss, MOVING, Nature, Step, Tags};
use crate::policy::Policy;

/// What a manifest is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Image,
    Index,
    Attestation,
}

/// Where an image is stored, and because of whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    Active,
    /// Quarantine archived it.
    Held,
    /// Somebody else did.
    ByOthers,
}

/// A manifest that was pushed.
// Independent facts, of which a state machine would be a worse name.
#[allow(clippy::struct_excessive_bools)]
#[derive(Debug)]
pub struct Thing {
    pub manifest: Manifest,
    pub kind: Kind,
    pub children: Vec<String>,
    pub deleted: bool,
    pub(crate) pushed_at: Timestamp,
    /// A tag moved from it to another one. No event says so of it.
    pub(crate) lost_a_tag: bool,
    /// It was pushed by what is not delivered yet.
    pub(crate) new: bool,
    /// Basic scanning looks at it, and Inspector does not.
    pub(crate) basic: bool,
    pub(crate) scanned: bool,
    pub(crate) covered: bool,
    /// The vulnerabilities that are in it.
    pub(crate) open: BTreeSet<&'static str>,
    /// When each vulnerability was first seen in it.
    pub(crate) first_seen: BTreeMap<&'static str, Timestamp>,
    /// Those of them that a suppression rule hides.
    pub(crate) hidden: BTreeSet<&'static str>,
    /// It was fixed, but it may not be known whether Inspector still scanned the image then.
    pub(crate) doubt: bool,
    /// How often a vulnerability came up in it.
    pub(crate) openings: u64,
    /// How many scans of it ended.
    pub scans: u64,
    /// How often findings of it were reported besides, or closed with its coverage.
    pub changes: u64,
    /// What was found in it before it was not scanned any more may never be known: nobody heard of it in time.
    pub(crate) unknowable: bool,
    /// Whether it was in the registry before the product was, and no event speaks of it until it was adopted; `None` where
    /// one may have come in between.
    pub(crate) adopted: Option<bool>,
    /// It had the mark of quarantine at the last rest.
    pub(crate) marked: bool,
    /// Somebody has taken the mark off since.
    pub(crate) unmarked: bool,
    /// The tags that quarantine ever took off it. One that went to another image and is on none by now may come back.
    pub(crate) withheld: BTreeSet<String>,
    /// It was a root then.
    pub(crate) was_root: bool,
    pub(crate) stored: Stored,
    /// Somebody restored it while quarantine held it in the archive.
    pub(crate) pulled_out: bool,
}

impl Thing {
    /// Whether it was there before, so that it counts against the limit of quarantines.
    pub(crate) fn is_old(&self, now: Timestamp) -> bool {
        now.duration_since(self.pushed_at) > SignedDuration::from_hours(24)
    }
}

// Independent facts, of which a state machine would be a worse name.
#[allow(clippy::struct_excessive_bools)]
pub struct World {
    pub now: Timestamp,
    /// When everything had been delivered last.
    pub rested_at: Timestamp,
    /// When what happened after that began.
    pub began_at: Timestamp,
    /// When the schedule had all looked at that was due, and what were roots then.
    pub swept_at: Timestamp,
    pub swept: BTreeSet<String>,
    /// Whether the operator switched the mode then.
    pub is_switched: bool,
    /// Whether something went wrong since.
    pub is_troubled: bool,
    pub nature: Nature,
    /// Whether the limit of quarantines may hold images back.
    pub limited: bool,
    /// Whether it held one back, so that all others wait for a person.
    pub holds: bool,
    /// When the product was deployed.
    pub deployed_at: Timestamp,
    /// Whether events were lost of which nothing can have been found out yet.
    pub is_behind: bool,
    /// The policy in force.
    pub policy: Policy,
    /// How often another one was deployed.
    pub policies: u64,
    /// The mode in force.
    pub mode: &'static str,
    pub things: BTreeMap<String, Thing>,
    /// The tags that people gave, and that they or nobody took away.
    pub tags: BTreeMap<String, String>,
    /// Those of them that quarantine took off, at the last rest.
    pub taken: BTreeSet<String>,
    /// What happened and is not delivered yet.
    pub events: Vec<Value>,
    /// The same, but what is said many times over, and must cost no more than if it were said once.
    pub repetitions: Vec<Value>,
    /// Basic scans that ended and that the registry is not told of yet.
    pub(crate) basic_scans: Vec<(String, SeedScan)>,
    /// How often somebody worked against a quarantine.
    pub tamperings: u64,
    /// The images at which enforcement has to look without an announcement. Nothing of the product asks for it yet.
    pub due: BTreeSet<String>,
}

impl World {
    pub fn new(nature: Nature) -> Self {
        Self {
            now: minute(0),
            rested_at: minute(0),
            began_at: minute(0),
            swept_at: minute(0),
            swept: BTreeSet::new(),
            is_switched: false,
            is_troubled: false,
            nature,
            limited: nature.limited,
            holds: false,
            deployed_at: if nature.before > 0 { Timestamp::MAX } else { Timestamp::MIN },
            is_behind: nature.before > 0,
            policy: nature.policy,
            policies: 0,
            mode: nature.mode,
            things: BTreeMap::new(),
            tags: BTreeMap::new(),
            taken: BTreeSet::new(),
            events: Vec::new(),
            repetitions: Vec::new(),
            basic_scans: Vec::new(),
            tamperings: 0,
            due: BTreeSet::new(),
        }
    }

    /// What is not deleted.
    pub fn live(&self) -> impl Iterator<Item = (&String, &Thing)> {
        self.things.iter().filter(|(_, thing)| !thing.deleted)
    }

    pub fn tags_of(&self, digest: &str) -> BTreeSet<String> {
        self.tags.iter().filter(|(_, holder)| *holder == digest).map(|(tag, _)| tag.clone()).collect()
    }

    /// Whether a tag can move from one image to another.
    pub fn moves(&self, tag: &str) -> bool {
        match self.nature.tags {
            Tags::Move => true,
            Tags::Stay => false,
            Tags::StayButOne => tag == MOVING,
        }
    }

    pub(crate) fn is_contained(&self, digest: &String) -> bool {
        self.live().any(|(_, thing)| thing.children.contains(digest))
    }

    /// What was attached to an index that may have been deleted before anybody heard of it: by itself it is an image like
    /// any other.
    pub fn is_orphan(&self, digest: &str) -> bool {
        let is_attestation = self.things[digest].kind == Kind::Attestation;
        let is_missed = self.nature.loses == Loss::Anything || self.nature.before > 0;
        is_attestation && is_missed && !self.is_contained(&digest.to_owned())
    }

    /// Whether an index contains it, or one that is deleted did.
    pub fn was_contained(&self, digest: &String) -> bool {
        self.things.values().any(|thing| thing.children.contains(digest))
    }

    /// What a tag that people deploy points at, and what no index in the registry contains.
    pub fn roots(&self) -> BTreeSet<String> {
        let is_root = |digest: &String| !self.tags_of(digest).is_empty() || !self.is_contained(digest);
        let roots = self.live().filter(|(digest, thing)| thing.kind != Kind::Attestation && is_root(digest));
        roots.map(|(digest, _)| digest.clone()).collect()
    }

    /// The images that one is, or that an index contains, however deep.
    pub fn images_of(&self, digest: &str) -> Vec<&Thing> {
        let thing = &self.things[digest];
        match thing.kind {
            Kind::Image => vec![thing],
            Kind::Index => thing.children.iter().flat_map(|child| self.images_of(child)).collect(),
            Kind::Attestation => Vec::new(),
        }
    }

    /// How often a vulnerability came up in the images of a root.
    pub fn openings(&self, root: &str) -> u64 {
        self.images_of(root).iter().map(|image| image.openings).sum()
    }

    /// Whether the policy may ever quarantine an image for a vulnerability in it, as it is.
    pub(crate) fn counts(&self, thing: &Thing, name: &str) -> bool {
        !(thing.hidden.contains(name) || self.policy.ignores(name) && !self.nature.changes)
    }

    /// The verdicts that a root may have: one, unless something cannot be known, or took effect by a date that nothing looked
    /// at since.
    pub fn verdicts(&self, root: &str) -> BTreeSet<&'static str> {
        // That no scan came is found by the schedule alone.
        let asked_at = if self.swept.contains(root) { self.swept_at } else { Timestamp::MIN };
        let times = [(self.swept_at, asked_at), (self.now, asked_at), (self.now, self.now)];
        times.into_iter().flat_map(|(time, asked_at)| self.verdicts_at(root, time, asked_at)).collect()
    }

    fn verdicts_at(&self, root: &str, time: Timestamp, asked_at: Timestamp) -> Vec<&'static str> {
        let images = self.images_of(root);
        if images.iter().any(|image| image.unknowable) {
            return vec!["pending", "clear", "unscannable", "quarantine"];
        }
        let quarantines = |image: &Thing, name: &&&str| {
            let first_seen = image.first_seen.get(**name).copied().unwrap_or(time);
            !image.hidden.contains(**name) && self.policy.quarantines(name, first_seen, time)
        };
        let is_bad = |image: &Thing| image.open.iter().any(|name| quarantines(image, &name));
        if images.iter().any(|image| image.scanned && is_bad(image)) {
            return vec!["quarantine"];
        }
        let mut verdicts = Vec::new();
        if images.iter().any(|image| image.scanned && image.doubt) {
            verdicts.push("quarantine");
        }
        let unscanned = || images.iter().filter(|image| !image.scanned);
        let is_overdue =
            |image: &Thing| self.policy.scan_due(image.pushed_at).is_some_and(|due| due <= asked_at);
        if unscanned().next().is_none() {
            verdicts.push("clear");
        } else if unscanned().all(|image| is_overdue(image)) {
            verdicts.push("unscannable");
        } else {
            verdicts.push("pending");
        }
        // Inspector is asked about a part of an index, and not again for a day.
        if self.things[root].kind == Kind::Index && unscanned().any(|image| !image.covered) {
            verdicts.push("unscannable");
        }
        verdicts
    }

    /// Whether an image is not under quarantine, though that is its verdict, for what it is for was known when the image was
    /// adopted; `None` where that is not sure.
    pub fn is_exempt(&self, root: &str) -> Option<bool> {
        let images = self.images_of(root);
        let of_image = |image: &Thing| {
            let new = image.open.iter().map(|name| (*name, image.first_seen[name]));
            let new = new.filter(|(name, _)| self.counts(image, name));
            new.filter(|(_, first)| *first >= self.deployed_at).collect::<Vec<_>>()
        };
        let new: Vec<_> = images.iter().flat_map(|image| of_image(image)).collect();
        let quarantines =
            |(name, first): &(&str, Timestamp)| self.policy.quarantines(name, *first, self.swept_at);
        let unsure = images.iter().any(|image| image.doubt || image.unknowable);
        match self.things[root].adopted {
            Some(false) => Some(false),
            _ if new.iter().any(quarantines) => Some(false),
            adopted => adopted.filter(|_| new.is_empty() && !unsure),
        }
    }

    /// The product is deployed now.
    pub fn deploy(&mut self) {
        self.deployed_at = self.now;
        let contained: Vec<String> =
            self.things.keys().filter(|digest| self.is_contained(digest)).cloned().collect();
        for digest in contained {
            self.things.get_mut(&digest).unwrap().adopted = None;
        }
    }

    /// These events are delivered before what was there is adopted.
    pub fn hear(&mut self, events: &[Value]) {
        for event in events {
            let event = event.to_string();
            for (digest, thing) in &mut self.things {
                thing.adopted = thing.adopted.filter(|adopted| !adopted || !event.contains(digest));
            }
        }
    }

    /// How many dates of the policy have come since then that may change what is said of a root, and questions whose answers
    /// may have.
    pub fn dates(&self, root: &str, since: Timestamp) -> usize {
        let is_new = |date: &Timestamp| since < *date && *date <= self.now;
        let of_image = |image: &Thing| {
            let found = image.open.iter().flat_map(|name| self.policy.dates(name, image.first_seen[name]));
            let overdue = self.policy.scan_due(image.pushed_at).filter(|_| !image.scanned);
            let questions = usize::from(image.doubt) + usize::from(!image.scanned && !image.covered);
            found.chain(overdue).filter(is_new).count() + questions
        };
        self.images_of(root).into_iter().map(of_image).sum()
    }

    /// More happens, at once or two days later.
    pub fn go_on(&mut self, is_later: bool) {
        self.rested_at = self.now;
        if is_later {
            self.now += SignedDuration::from_hours(48);
        }
        self.began_at = self.now;
    }

    /// The schedule has fired at this time, and all that came of it is done.
    pub fn swept(&mut self, at: Timestamp) {
        (self.swept_at, self.swept) = (at, self.roots());
    }

    /// Whatever happened has been delivered.
    pub fn rest(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        for thing in self.things.values_mut() {
            thing.new = false;
            thing.doubt &= !thing.covered || self.is_behind;
        }
    }

    pub fn take(&mut self, step: Step, aws: &SimulatedAws) {
        self.now += SignedDuration::from_mins(10);
        match step {
            Step::PushImage { content, tag } => self.push_image(aws, content, tag),
            Step::PushIndex { contents, build, tag } => self.push_index(aws, contents, build, tag),
            Step::PushOuter { inner, tag } => self.push_outer(aws, inner, tag),
            Step::Retag { root, tag } => self.retag(aws, root, tag),
            Step::TagChild { child } => self.tag_child(aws, child),
            Step::Untag { tagged } => self.untag(tagged),
            Step::Delete { root } => self.delete(root),
            Step::Scan { image, vulnerabilities, late } => self.scan(aws, image, vulnerabilities, late),
            Step::Found { image, vulnerability } => self.finding(image, vulnerability, true),
            Step::Fixed { image, vulnerability } => self.finding(image, vulnerability, false),
            Step::FoundOften { image, vulnerability } => self.found_often(image, vulnerability),
            Step::Gap { image } => self.gap(aws, image),
            Step::Suppress { image, vulnerability } => self.suppress(image, vulnerability),
            Step::Archive { root } => self.archive(aws, root),
            Step::Tamper { held, how } => self.tamper(aws, held, how),
        }
    }
}

pub(crate) fn arn(digest: &str) -> String {
    format!("arn:aws:ecr:eu-west-1:210987654321:repository/{}/{digest}", pipeline_tests::buildx::REPOSITORY)
}

pub(crate) fn pick<T>(all: impl IntoIterator<Item = T>, number: usize) -> Option<T> {
    let mut all: Vec<T> = all.into_iter().collect();
    (!all.is_empty()).then(|| all.swap_remove(number % all.len()))
}
