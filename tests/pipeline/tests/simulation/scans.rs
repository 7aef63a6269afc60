//! What scanners find, and where they do not look.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use sim_aws::{SeedScan, SeedScanFinding, SimulatedAws};

use crate::history::VULNERABILITIES;
use crate::world::{Kind, Stored, World, arn, pick};

/// How often what is found often is reported.
const REPETITIONS: i64 = 300;

impl World {
    /// An image that is there, and that scanners can read.
    fn image(&self, number: usize) -> Option<String> {
        let readable =
            self.live().filter(|(_, thing)| thing.kind == Kind::Image && thing.stored == Stored::Active);
        pick(readable.map(|(digest, _)| digest.clone()), number)
    }

    pub(crate) fn scan(&mut self, aws: &SimulatedAws, image: usize, vulnerabilities: usize, late: u64) {
        let Some(digest) = self.image(image) else { return };
        let found = VULNERABILITIES.iter().enumerate().filter(|(n, _)| vulnerabilities >> n & 1 == 1);
        let found: BTreeSet<&'static str> = found.map(|(_, name)| *name).collect();
        let thing = self.things.get_mut(&digest).unwrap();
        let anew = !thing.scanned || !thing.covered;
        if thing.scanned && !thing.covered && !thing.basic {
            // A list may lag, and is not asked about what it must have.
            self.now += SignedDuration::from_hours(2);
        }
        if anew {
            thing.openings += found.difference(&thing.open).count() as u64;
            thing.open = found;
            thing.hidden.clear();
        }
        thing.scans += 1;
        (thing.scanned, thing.doubt) = (true, false);
        if thing.basic {
            self.basic_scan(&digest);
            return;
        }
        let active: Vec<&str> = thing.open.difference(&thing.hidden).copied().collect();
        let mut events = thing.manifest.scan(&active, self.now);
        if !anew {
            events.drain(..active.len());
        }
        self.events.extend(events);
        aws.inspector().delay_listing(&digest, late);
        thing.covered = true;
        aws.inspector().seed_coverage(&arn(&digest), "ACTIVE", "SUCCESSFUL");
    }

    /// Each basic scan finds anew what is in an image.
    fn basic_scan(&mut self, digest: &str) {
        let thing = &self.things[digest];
        self.events.push(thing.manifest.basic_scan(thing.open.len(), self.now));
        let finding = |name: &&str| SeedScanFinding {
            name: (*name).to_owned(),
            severity: "CRITICAL".to_owned(),
            package: "openssl".to_owned(),
            version: "3.0.11".to_owned(),
            ..SeedScanFinding::default()
        };
        let findings = thing.open.iter().map(finding).collect();
        let scan = SeedScan { completed_at: self.now.as_millisecond(), findings, ..SeedScan::default() };
        self.basic_scans.push((digest.to_owned(), scan));
    }

    /// Something is found in an image that is scanned, or fixed.
    pub(crate) fn finding(&mut self, image: usize, vulnerability: usize, is_there: bool) {
        let Some(digest) = self.image(image) else { return };
        let name = VULNERABILITIES[vulnerability];
        let counts = self.counts(&self.things[&digest], name);
        let thing = self.things.get_mut(&digest).unwrap();
        if !thing.scanned || !thing.covered || thing.open.contains(name) == is_there {
            return;
        }
        if is_there {
            thing.open.insert(name);
            thing.openings += 1;
        } else {
            thing.open.remove(name);
            thing.hidden.remove(name);
            thing.doubt |= counts;
        }
        thing.changes += 1;
        let status = if is_there { "ACTIVE" } else { "CLOSED" };
        self.events.push(thing.manifest.finding(name, status, self.now));
    }

    /// Inspector reports what is in an image again and again.
    pub(crate) fn found_often(&mut self, image: usize, vulnerability: usize) {
        let Some(digest) = self.image(image) else { return };
        let name = VULNERABILITIES[vulnerability];
        let thing = &self.things[&digest];
        if !thing.scanned || !thing.covered || !thing.open.contains(name) || thing.hidden.contains(name) {
            return;
        }
        let at = |n| self.now + SignedDuration::from_millis(n);
        let reports = (1..=REPETITIONS).map(|n| thing.manifest.finding(name, "ACTIVE", at(n)));
        self.repetitions.extend(reports);
    }

    pub(crate) fn suppress(&mut self, image: usize, vulnerability: usize) {
        let Some(digest) = self.image(image) else { return };
        let name = VULNERABILITIES[vulnerability];
        let thing = self.things.get_mut(&digest).unwrap();
        if !thing.scanned || !thing.covered || !thing.open.contains(name) {
            return;
        }
        let shown = thing.hidden.remove(name);
        if !shown {
            thing.hidden.insert(name);
        }
        thing.openings += u64::from(shown);
        // It is news, and no finding opens or closes by it.
        thing.scans += 1;
        let status = if shown { "ACTIVE" } else { "SUPPRESSED" };
        self.events.push(thing.manifest.finding(name, status, self.now));
    }

    pub(crate) fn gap(&mut self, aws: &SimulatedAws, image: usize) {
        let Some(digest) = self.image(image) else { return };
        let scanned = self.things[&digest].scanned;
        self.uncover(aws, &digest, if scanned { "SCAN_ELIGIBILITY_EXPIRED" } else { "UNSUPPORTED_OS" });
    }

    /// Inspector ceases to scan an image, and closes all of its findings.
    pub(crate) fn uncover(&mut self, aws: &SimulatedAws, digest: &str, reason: &str) {
        let thing = self.things.get_mut(digest).unwrap();
        if !thing.covered || thing.kind != Kind::Image {
            return;
        }
        thing.covered = false;
        thing.changes += 1;
        aws.inspector().seed_coverage(&arn(digest), "INACTIVE", reason);
        let closed = thing.open.iter().map(|name| thing.manifest.finding(name, "CLOSED", self.now));
        self.events.extend(closed);
    }
}
