//! What is true: plain maps of manifests, tags and findings, and the verdicts that follow. It knows nothing of ledgers,
//! and nothing of how the product or the local AWS work.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use pipeline_tests::buildx::{Manifest, REPOSITORY, minute};
use serde_json::{Value, json};
use sim_aws::SimulatedAws;

use crate::history::{Step, VULNERABILITIES};

/// What a manifest is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Image,
    Index,
    Attestation,
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
    /// A tag moved from it to another one. No event says so of it.
    lost_a_tag: bool,
    /// It was pushed by what is not delivered yet.
    new: bool,
    scanned: bool,
    covered: bool,
    /// The vulnerabilities that are in it.
    open: BTreeSet<&'static str>,
    /// It was fixed, but it may not be known whether Inspector still scanned the image then.
    doubt: bool,
    /// How often a vulnerability came up in it.
    openings: u64,
    /// How many scans of it ended.
    pub scans: u64,
}

pub struct World {
    pub now: Timestamp,
    pub things: BTreeMap<String, Thing>,
    pub tags: BTreeMap<String, String>,
    /// What happened and is not delivered yet.
    pub events: Vec<Value>,
}

impl World {
    pub fn new() -> Self {
        Self { now: minute(0), things: BTreeMap::new(), tags: BTreeMap::new(), events: Vec::new() }
    }

    /// What is not deleted.
    pub fn live(&self) -> impl Iterator<Item = (&String, &Thing)> {
        self.things.iter().filter(|(_, thing)| !thing.deleted)
    }

    pub fn tags_of(&self, digest: &str) -> Vec<String> {
        self.tags.iter().filter(|(_, holder)| *holder == digest).map(|(tag, _)| tag.clone()).collect()
    }

    fn is_contained(&self, digest: &String) -> bool {
        self.things.values().any(|thing| thing.children.contains(digest))
    }

    /// What a tag that people deploy points at, and what no index contains or contained.
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

    /// The verdicts that a root may have: one, unless something cannot be known.
    pub fn verdicts(&self, root: &str) -> Vec<&'static str> {
        let images = self.images_of(root);
        if images.iter().any(|image| image.scanned && !image.open.is_empty()) {
            return vec!["quarantine"];
        }
        let mut verdicts = Vec::new();
        if images.iter().any(|image| image.scanned && image.doubt) {
            verdicts.push("quarantine");
        }
        let unscanned = || images.iter().filter(|image| !image.scanned);
        if unscanned().next().is_none() {
            verdicts.push("clear");
        } else {
            verdicts.push("pending");
        }
        // Inspector is asked about a part of an index, and not again for a day.
        if self.things[root].kind == Kind::Index && unscanned().any(|image| !image.covered) {
            verdicts.push("unscannable");
        }
        verdicts
    }

    /// Whatever happened has been delivered.
    pub fn rest(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        for thing in self.things.values_mut() {
            thing.new = false;
            thing.doubt &= !thing.covered;
        }
    }

    pub fn take(&mut self, step: Step, aws: &SimulatedAws) {
        self.now += SignedDuration::from_mins(10);
        match step {
            Step::PushImage { content, tag } => {
                let image = image(content);
                self.push(aws, &image, Kind::Image, &[], &name(tag));
            }
            Step::PushIndex { contents: (one, other), build, tag } => {
                let contents = BTreeSet::from([one, other]);
                let images: Vec<Manifest> = contents.into_iter().map(image).collect();
                if images.iter().all(|image| self.may_be_contained(&image.digest())) {
                    self.push_index(aws, &images, build, &name(tag));
                }
            }
            Step::PushOuter { inner, tag } => self.push_outer(aws, inner, &name(tag)),
            Step::Retag { root, tag } => {
                if let Some(digest) = pick(self.roots(), root) {
                    let (manifest, kind) = (self.things[&digest].manifest.clone(), self.things[&digest].kind);
                    self.push(aws, &manifest, kind, &[], &name(tag));
                }
            }
            Step::TagChild { child } => {
                let children = self.live().filter(|(digest, thing)| {
                    thing.kind == Kind::Image && self.is_contained(digest) && self.tags_of(digest).is_empty()
                });
                if let Some(digest) = pick(children.map(|(digest, _)| digest.clone()), child) {
                    let manifest = self.things[&digest].manifest.clone();
                    self.push(aws, &manifest, Kind::Image, &[], &format!("part-{}", &digest[7..11]));
                }
            }
            Step::Untag { tagged } => self.untag(tagged),
            Step::Delete { root } => self.delete(root),
            Step::Scan { image, vulnerabilities } => self.scan(aws, image, vulnerabilities),
            Step::Found { image, vulnerability } => self.finding(image, vulnerability, true),
            Step::Fixed { image, vulnerability } => self.finding(image, vulnerability, false),
            Step::Gap { image } => self.gap(aws, image),
        }
    }

    /// It is not deleted, and whoever looks at its events knows whether it has a tag.
    fn may_be_contained(&self, digest: &str) -> bool {
        self.things.get(digest).is_none_or(|thing| !thing.deleted && !thing.lost_a_tag)
    }

    fn push(
        &mut self,
        aws: &SimulatedAws,
        manifest: &Manifest,
        kind: Kind,
        children: &[Manifest],
        tag: &str,
    ) -> bool {
        let digest = manifest.digest();
        if self.things.get(&digest).is_some_and(|thing| thing.deleted) || !self.may_move(tag, &digest) {
            return false;
        }
        if !self.things.contains_key(&digest) {
            if kind == Kind::Image {
                aws.inspector().seed_coverage(&arn(&digest), "ACTIVE", "PENDING_INITIAL_SCAN");
            }
            let thing = Thing {
                manifest: manifest.clone(),
                kind,
                children: children.iter().map(Manifest::digest).collect(),
                deleted: false,
                lost_a_tag: false,
                new: true,
                scanned: false,
                covered: true,
                open: BTreeSet::new(),
                doubt: false,
                openings: 0,
                scans: 0,
            };
            self.things.insert(digest.clone(), thing);
        }
        if !tag.is_empty() {
            let before = self.tags.insert(tag.to_owned(), digest.clone());
            if let Some(before) = before.filter(|before| *before != digest) {
                self.things.get_mut(&before).unwrap().lost_a_tag = true;
            }
        }
        self.events.extend(manifest.push(tag, self.now));
        true
    }

    /// A part of an index would cease to be a root when its tag moves away, and no event says so of it.
    fn may_move(&self, tag: &str, to: &str) -> bool {
        self.tags.get(tag).is_none_or(|holder| holder == to || !self.is_contained(holder))
    }

    fn push_index(&mut self, aws: &SimulatedAws, images: &[Manifest], build: u32, tag: &str) {
        let (index, attestations) = Manifest::build(images, build);
        let parts: Vec<Manifest> = images.iter().chain(&attestations).cloned().collect();
        // Were its tag on one of its images, that would move to it.
        let takes_from_a_part =
            self.tags.get(tag).is_some_and(|holder| parts.iter().any(|p| p.digest() == *holder));
        let is_deleted = self.things.get(&index.digest()).is_some_and(|thing| thing.deleted);
        if is_deleted || takes_from_a_part || !self.may_move(tag, &index.digest()) {
            return;
        }
        for (number, part) in parts.iter().enumerate() {
            let kind = if number < images.len() { Kind::Image } else { Kind::Attestation };
            // What is there is not pushed again.
            if !self.things.contains_key(&part.digest()) {
                self.push(aws, part, kind, &[], "");
            }
        }
        self.push(aws, &index, Kind::Index, &parts, tag);
    }

    fn push_outer(&mut self, aws: &SimulatedAws, inner: usize, tag: &str) {
        let indexes = self.live().filter(|(digest, thing)| {
            thing.kind == Kind::Index && !thing.lost_a_tag && self.tags.get(tag) != Some(digest)
        });
        let Some(digest) = pick(indexes.map(|(digest, _)| digest.clone()), inner) else { return };
        let inner = self.things[&digest].manifest.clone();
        self.push(aws, &Manifest::index(std::slice::from_ref(&inner)), Kind::Index, &[inner], tag);
    }

    fn untag(&mut self, tagged: usize) {
        let may_go = self.tags.iter().filter(|(_, holder)| {
            self.is_contained(holder) || self.tags.values().filter(|other| other == holder).count() > 1
        });
        let Some(tag) = pick(may_go.map(|(tag, _)| tag.clone()), tagged) else { return };
        let digest = self.tags.remove(&tag).unwrap();
        self.gone(&digest, &tag);
    }

    fn delete(&mut self, root: usize) {
        let may_go =
            self.roots().into_iter().filter(|root| !self.is_contained(root) && !self.things[root].new);
        let Some(digest) = pick(may_go.collect::<Vec<_>>(), root) else { return };
        self.tags.retain(|_, holder| *holder != digest);
        self.things.get_mut(&digest).unwrap().deleted = true;
        self.gone(&digest, "");
    }

    fn gone(&mut self, digest: &str, tag: &str) {
        let manifest = &self.things[digest].manifest;
        let [_, mut action] = manifest.push(tag, self.now);
        action["detail"]["action-type"] = json!("DELETE");
        action["id"] = json!(format!("gone-{}-{tag}-{}", &digest[7..], self.now));
        self.events.push(action);
    }

    /// An image that is there.
    fn image(&self, number: usize) -> Option<String> {
        pick(
            self.live().filter(|(_, thing)| thing.kind == Kind::Image).map(|(digest, _)| digest.clone()),
            number,
        )
    }

    fn scan(&mut self, aws: &SimulatedAws, image: usize, vulnerabilities: usize) {
        let Some(digest) = self.image(image) else { return };
        let found = VULNERABILITIES.iter().enumerate().filter(|(n, _)| vulnerabilities >> n & 1 == 1);
        let found: BTreeSet<&'static str> = found.map(|(_, name)| *name).collect();
        let thing = self.things.get_mut(&digest).unwrap();
        let anew = !thing.scanned || !thing.covered;
        if !thing.covered {
            // A list may lag, and is not asked about what it must have.
            self.now += SignedDuration::from_hours(2);
        }
        if anew {
            thing.openings += found.difference(&thing.open).count() as u64;
            thing.open = found;
        }
        let open: Vec<&str> = thing.open.iter().copied().collect();
        let mut events = thing.manifest.scan(&open, self.now);
        if !anew {
            events.drain(..open.len());
        }
        self.events.extend(events);
        (thing.scanned, thing.covered, thing.doubt) = (true, true, false);
        thing.scans += 1;
        aws.inspector().seed_coverage(&arn(&digest), "ACTIVE", "SUCCESSFUL");
    }

    /// Something is found in an image that is scanned, or fixed.
    fn finding(&mut self, image: usize, vulnerability: usize, is_there: bool) {
        let Some(digest) = self.image(image) else { return };
        let thing = self.things.get_mut(&digest).unwrap();
        let name = VULNERABILITIES[vulnerability];
        if !thing.scanned || !thing.covered || thing.open.contains(name) == is_there {
            return;
        }
        if is_there {
            thing.open.insert(name);
            thing.openings += 1;
        } else {
            thing.open.remove(name);
            thing.doubt = true;
        }
        let status = if is_there { "ACTIVE" } else { "CLOSED" };
        self.events.push(thing.manifest.finding(name, status, self.now));
    }

    fn gap(&mut self, aws: &SimulatedAws, image: usize) {
        let Some(digest) = self.image(image) else { return };
        let thing = self.things.get_mut(&digest).unwrap();
        if !thing.covered {
            return;
        }
        thing.covered = false;
        let reason = if thing.scanned { "SCAN_ELIGIBILITY_EXPIRED" } else { "UNSUPPORTED_OS" };
        aws.inspector().seed_coverage(&arn(&digest), "INACTIVE", reason);
        let closed = thing.open.iter().map(|name| thing.manifest.finding(name, "CLOSED", self.now));
        self.events.extend(closed);
    }
}

fn image(content: usize) -> Manifest {
    Manifest::image(["linux/amd64", "linux/arm64"][content % 2], &format!("content {content}"))
}

fn name(tag: usize) -> String {
    format!("1.{tag}")
}

fn arn(digest: &str) -> String {
    format!("arn:aws:ecr:eu-west-1:210987654321:repository/{REPOSITORY}/{digest}")
}

fn pick<T>(all: impl IntoIterator<Item = T>, number: usize) -> Option<T> {
    let mut all: Vec<T> = all.into_iter().collect();
    (!all.is_empty()).then(|| all.swap_remove(number % all.len()))
}
