//! What the registry must look like where quarantine acts, and what others do to that.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use pipeline_tests::buildx::REPOSITORY;
use sim_aws::{ImageStatus, ImageView, SimulatedAws};

use crate::history::Loss;
use crate::world::{Stored, World, pick};

/// What must hold of an image in the registry; nothing where both are allowed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Expected {
    pub mark: Option<bool>,
    /// The tags that quarantine has taken off.
    pub taken: Option<BTreeSet<String>>,
    pub archived: Option<bool>,
}

impl World {
    /// What must hold of an image that has this verdict as a root, or none; and what are the verdicts of all roots.
    pub fn expected(
        &self,
        digest: &str,
        verdict: Option<&str>,
        verdicts: &BTreeMap<String, String>,
    ) -> Expected {
        let thing = &self.things[digest];
        let tags = self.tags_of(digest);
        let taken: BTreeSet<String> = tags.intersection(&self.taken).cloned().collect();
        if self.mode == "observe" || thing.stored == Stored::ByOthers {
            let archived = thing.stored != Stored::Active;
            return Expected { mark: Some(thing.marked), taken: Some(taken), archived: Some(archived) };
        }
        match verdict {
            // What is not known to be clear stays as it was, perhaps since a moment ago.
            Some("pending" | "unscannable") if self.openings(digest) > 0 => Expected::default(),
            // It may be held, until a person resumes.
            Some("quarantine")
                if self.limited && thing.is_old(self.now) && self.is_exempt(digest) == Some(false) =>
            {
                Expected { mark: thing.marked.then_some(true), ..Expected::default() }
            }
            Some("quarantine") if self.is_exempt(digest).is_none() => Expected::default(),
            Some("quarantine") if self.is_exempt(digest) == Some(false) => Expected {
                mark: Some(true),
                taken: match self.mode {
                    // Nobody looks for other tags of what has the mark.
                    "untag" if self.nature.loses == Loss::Anything => None,
                    "untag" => Some(tags.into_iter().filter(|tag| !self.moves(tag)).collect()),
                    "archive" => Some(taken),
                    _ => Some(BTreeSet::new()),
                },
                // ECR archives no part of an index, and what a person restored waits for a scan.
                archived: match self.mode {
                    "archive" if self.is_contained(&digest.to_owned()) || thing.pulled_out => None,
                    mode => Some(mode == "archive"),
                },
            },
            // A part keeps what was done to it, as a root that it may have been until now, until all that contains it is
            // clear; and it is archived with that. It is taken for a root if its index could not be read for long.
            None => {
                let was_alone = thing.was_root
                    || self.nature.loses == Loss::Anything
                    || self.nature.before > 0
                    || self.is_troubled && thing.pushed_at >= self.began_at;
                let mark = if thing.marked || was_alone { None } else { Some(false) };
                let is_needed = verdicts.iter().any(|(root, verdict)| {
                    let is_there = self.things[root].stored == Stored::Active && verdict == "clear";
                    is_there && self.images_of(root).iter().any(|image| image.manifest.digest() == digest)
                });
                Expected { mark, archived: is_needed.then_some(false), ..Expected::default() }
            }
            _ => Expected { mark: Some(false), taken: Some(BTreeSet::new()), archived: Some(false) },
        }
    }

    /// The roots that were there before and are to be in quarantine, where the limit is in force.
    fn limited<'a>(&'a self, verdicts: &'a BTreeMap<String, String>) -> impl Iterator<Item = &'a String> {
        let is_limited = self.limited && self.mode != "observe";
        let old = |digest: &&String| self.things[*digest].is_old(self.rested_at);
        let wanted =
            verdicts.iter().filter(|(_, verdict)| *verdict == "quarantine").map(|(digest, _)| digest);
        let is_wanted = move |digest: &&String| is_limited && self.is_exempt(digest) == Some(false);
        wanted.filter(old).filter(is_wanted)
    }

    /// Of the images that were there before, no more came under quarantine than the limit lets, and none after one was held.
    /// A switch of the mode reaches them before what happens next does, which may be days later.
    pub fn is_bounded(&self, marked: &BTreeMap<String, bool>, verdicts: &BTreeMap<String, String>) -> bool {
        let came = self.limited(verdicts).filter(|digest| marked[*digest] && !self.things[*digest].marked);
        let hours = self.now.duration_since(self.began_at).as_hours();
        let most = if self.holds { 0 } else { 1 + i64::from(self.is_switched) + hours };
        i64::try_from(came.count()).unwrap() <= most
    }

    /// Remembers what was seen at rest. What came into the archive is not scanned any more.
    pub fn seen(
        &mut self,
        aws: &SimulatedAws,
        views: &[ImageView],
        marked: &BTreeMap<String, bool>,
        verdicts: &BTreeMap<String, String>,
    ) {
        let roots = self.roots();
        let is_held = |digest: &String| !marked[digest] && self.things[digest].stored == Stored::Active;
        let holds = self.limited(verdicts).any(is_held);
        self.holds |= holds;
        for view in views {
            let thing = &self.things[&view.digest];
            for tag in view.tags.iter().filter(|tag| thing.withheld.contains(*tag)) {
                self.tags.entry(tag.clone()).or_insert_with(|| view.digest.clone());
            }
            for tag in self.tags_of(&view.digest) {
                let thing = self.things.get_mut(&view.digest).unwrap();
                if view.tags.contains(&tag) {
                    self.taken.remove(&tag);
                } else {
                    thing.withheld.insert(tag.clone());
                    self.taken.insert(tag);
                }
            }
            let thing = self.things.get_mut(&view.digest).unwrap();
            thing.unmarked = false;
            thing.marked = marked[&view.digest];
            thing.was_root = roots.contains(&view.digest);
            let was = thing.stored;
            match view.status {
                ImageStatus::Active => thing.stored = Stored::Active,
                _ if was == Stored::Active => thing.stored = Stored::Held,
                _ => {}
            }
            if thing.stored == Stored::Held && was == Stored::Active {
                thing.pulled_out = false;
                self.uncover(aws, &view.digest, "IMAGE_ARCHIVED");
            }
        }
    }

    /// Tells the registry what it could not be told before the images were there.
    pub fn tell(&mut self, aws: &SimulatedAws) {
        for (digest, scan) in std::mem::take(&mut self.basic_scans) {
            // Of several scans only the last can be asked for.
            let thing = self.things.get_mut(&digest).unwrap();
            let seen = Timestamp::from_millisecond(scan.completed_at).unwrap();
            for name in &thing.open {
                thing.first_seen.entry(*name).or_insert(seen);
            }
            aws.ecr().seed_basic_scan("210987654321", REPOSITORY, &digest, scan);
        }
    }

    /// Somebody archives a root that quarantine does not hold, or restores one that somebody archived.
    pub(crate) fn archive(&mut self, aws: &SimulatedAws, root: usize) {
        // What nobody heard of before it came into the archive is looked at when it comes out.
        if self.is_behind {
            return;
        }
        let may = self.roots().into_iter().filter(|root| {
            let thing = &self.things[root];
            let untouched = thing.stored == Stored::Active
                && !thing.marked
                && !self.is_contained(root)
                && self.tags_of(root).is_disjoint(&self.taken);
            !thing.new && (untouched || thing.stored == Stored::ByOthers)
        });
        let Some(digest) = pick(may.collect::<Vec<_>>(), root) else { return };
        let thing = self.things.get_mut(&digest).unwrap();
        let archives = thing.stored == Stored::Active;
        thing.stored = if archives { Stored::ByOthers } else { Stored::Active };
        let class = if archives { "ARCHIVE" } else { "STANDARD" };
        self.events.extend(thing.manifest.stored(class, self.now));
        if archives {
            self.uncover(aws, &digest, "IMAGE_ARCHIVED");
        } else {
            self.due.insert(digest);
        }
    }

    /// Somebody works against a quarantine.
    pub(crate) fn tamper(&mut self, aws: &SimulatedAws, held: usize, how: usize) {
        if self.mode == "observe" {
            return;
        }
        let held =
            pick(self.live().filter(|(_, thing)| thing.marked).map(|(digest, _)| digest.clone()), held);
        let Some(digest) = held else { return };
        self.tamperings += 1;
        let tags = self.tags_of(&digest);
        let thing = self.things.get_mut(&digest).unwrap();
        match (how, thing.stored) {
            // Where the mark is the last tag, the image would go with it.
            (0, Stored::Active) if !tags.is_subset(&self.taken) => {
                let mark = format!("quarantine-{}", &digest["sha256:".len()..][..12]);
                thing.unmarked = true;
                self.events.extend(thing.manifest.untagged(&mark, self.now));
            }
            (1, Stored::Active) => {
                let (manifest, kind) = (thing.manifest.clone(), thing.kind);
                self.push(aws, &manifest, kind, &[], &format!("try-{}-{}", &digest[7..11], tags.len()));
            }
            (2, Stored::Held) => {
                (thing.stored, thing.pulled_out) = (Stored::Active, true);
                self.events.extend(thing.manifest.stored("STANDARD", self.now));
            }
            _ => {}
        }
    }
}
