//! What people push, tag and delete.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use pipeline_tests::buildx::Manifest;
use serde_json::json;
use sim_aws::SimulatedAws;

use crate::world::{Kind, Stored, Thing, World, arn, pick};

/// The content at which basic scanning looks where it does at any.
const BASIC: usize = 3;

impl World {
    pub(crate) fn push_image(&mut self, aws: &SimulatedAws, content: usize, tag: usize) {
        self.push(aws, &image(content), Kind::Image, &[], &name(tag));
    }

    pub(crate) fn retag(&mut self, aws: &SimulatedAws, root: usize, tag: usize) {
        if let Some(digest) = pick(self.roots(), root) {
            let (manifest, kind) = (self.things[&digest].manifest.clone(), self.things[&digest].kind);
            self.push(aws, &manifest, kind, &[], &name(tag));
        }
    }

    pub(crate) fn tag_child(&mut self, aws: &SimulatedAws, child: usize) {
        let children = self.live().filter(|(digest, thing)| {
            thing.kind == Kind::Image && self.is_contained(digest) && self.tags_of(digest).is_empty()
        });
        if let Some(digest) = pick(children.map(|(digest, _)| digest.clone()), child) {
            let manifest = self.things[&digest].manifest.clone();
            self.push(aws, &manifest, Kind::Image, &[], &format!("part-{}", &digest[7..11]));
        }
    }

    /// It is not deleted, and whoever looks at its events knows whether it has a tag.
    fn may_be_contained(&self, digest: &str) -> bool {
        let thing = self.things.get(digest);
        thing.is_none_or(|thing| !thing.deleted && !thing.lost_a_tag && thing.stored == Stored::Active)
    }

    pub(crate) fn push(
        &mut self,
        aws: &SimulatedAws,
        manifest: &Manifest,
        kind: Kind,
        children: &[Manifest],
        tag: &str,
    ) -> bool {
        let digest = manifest.digest();
        if !self.may_move(tag, &digest) {
            return false;
        }
        if let Some(thing) = self.things.get(&digest) {
            if thing.deleted || thing.stored != Stored::Active {
                return false;
            }
        } else {
            let basic = self.nature.basic && digest == image(BASIC).digest();
            if kind == Kind::Image && !basic {
                aws.inspector().seed_coverage(&arn(&digest), "ACTIVE", "PENDING_INITIAL_SCAN");
            }
            let thing = Thing {
                manifest: manifest.clone(),
                kind,
                children: children.iter().map(Manifest::digest).collect(),
                deleted: false,
                pushed_at: self.now,
                lost_a_tag: false,
                new: true,
                basic,
                scanned: false,
                covered: !basic,
                open: BTreeSet::new(),
                first_seen: BTreeMap::new(),
                hidden: BTreeSet::new(),
                doubt: false,
                openings: 0,
                scans: 0,
                changes: 0,
                unknowable: false,
                adopted: Some(self.deployed_at == Timestamp::MAX),
                marked: false,
                unmarked: false,
                withheld: BTreeSet::new(),
                was_root: false,
                stored: Stored::Active,
                pulled_out: false,
            };
            self.things.insert(digest.clone(), thing);
        }
        if !tag.is_empty() {
            self.taken.remove(tag);
            let before = self.tags.insert(tag.to_owned(), digest.clone());
            if let Some(before) = before.filter(|before| *before != digest) {
                self.things.get_mut(&before).unwrap().lost_a_tag = true;
            }
        }
        self.events.extend(manifest.push(tag, self.now));
        true
    }

    /// ECR lets it move. And a part of an index would cease to be a root when its tag moves away, and no event says so of it.
    fn may_move(&self, tag: &str, to: &str) -> bool {
        let free =
            |holder: &String| (self.moves(tag) || self.taken.contains(tag)) && !self.is_contained(holder);
        self.tags.get(tag).is_none_or(|holder| holder == to || free(holder))
    }

    pub(crate) fn push_index(
        &mut self,
        aws: &SimulatedAws,
        contents: (usize, usize),
        build: u32,
        tag: usize,
    ) {
        let (tag, contents) = (name(tag), BTreeSet::from([contents.0, contents.1]));
        let images: Vec<Manifest> = contents.into_iter().map(image).collect();
        let (index, attestations) = Manifest::build(&images, build);
        let parts: Vec<Manifest> = images.iter().chain(&attestations).cloned().collect();
        // Were its tag on one of its images, that would move to it.
        let takes_from_a_part =
            self.tags.get(&tag).is_some_and(|holder| parts.iter().any(|part| part.digest() == *holder));
        let may_be = |part: &Manifest| self.may_be_contained(&part.digest());
        if !images.iter().all(may_be) || takes_from_a_part || !self.may_move(&tag, &index.digest()) {
            return;
        }
        if self.things.get(&index.digest()).is_some_and(|thing| thing.deleted) {
            return;
        }
        for (number, part) in parts.iter().enumerate() {
            let kind = if number < images.len() { Kind::Image } else { Kind::Attestation };
            // What is there is not pushed again.
            if !self.things.contains_key(&part.digest()) {
                self.push(aws, part, kind, &[], "");
            }
        }
        self.push(aws, &index, Kind::Index, &parts, &tag);
    }

    pub(crate) fn push_outer(&mut self, aws: &SimulatedAws, inner: usize, tag: usize) {
        let tag = name(tag);
        let indexes = self.live().filter(|(digest, thing)| {
            thing.kind == Kind::Index && self.may_be_contained(digest) && self.tags.get(&tag) != Some(digest)
        });
        let Some(digest) = pick(indexes.map(|(digest, _)| digest.clone()), inner) else { return };
        let inner = self.things[&digest].manifest.clone();
        self.push(aws, &Manifest::index(std::slice::from_ref(&inner)), Kind::Index, &[inner], &tag);
    }

    /// The tags that are on an image, and not noted by quarantine.
    fn there(&self, digest: &str) -> usize {
        self.tags_of(digest).difference(&self.taken).count()
    }

    pub(crate) fn untag(&mut self, tagged: usize) {
        let may_go = self.tags.iter().filter(|(tag, holder)| {
            !self.taken.contains(*tag) && (self.is_contained(holder) || self.there(holder) > 1)
        });
        let Some(tag) = pick(may_go.map(|(tag, _)| tag.clone()), tagged) else { return };
        let digest = self.tags.remove(&tag).unwrap();
        self.gone(&digest, &tag);
    }

    pub(crate) fn delete(&mut self, root: usize) {
        let may_go =
            self.roots().into_iter().filter(|root| !self.is_contained(root) && !self.things[root].new);
        let Some(digest) = pick(may_go.collect::<Vec<_>>(), root) else { return };
        for tag in self.tags_of(&digest) {
            self.tags.remove(&tag);
            self.taken.remove(&tag);
        }
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
}

fn image(content: usize) -> Manifest {
    Manifest::image(["linux/amd64", "linux/arm64"][content % 2], &format!("content {content}"))
}

fn name(tag: usize) -> String {
    format!("1.{tag}")
}
