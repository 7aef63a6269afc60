//! What scanners find, and where they do not look.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use serde_json::Value;
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
        (thing.scanned, thing.doubt, thing.unknowable) = (true, false, false);
        if thing.basic {
            self.basic_scan(&digest);
            return;
        }
        thing.covered = true;
        for name in &thing.open {
            thing.first_seen.entry(*name).or_insert(self.now);
        }
        let active: Vec<&str> = thing.open.difference(&thing.hidden).copied().collect();
        let mut events = thing.manifest.scan(&active, self.now);
        if !anew {
            events.drain(..active.len());
        }
        self.report(&digest, events);
        let ended = self.now + SignedDuration::from_secs(30);
        // What is looked for long after has been listed.
        let late = if self.nature.is_found_within().is_zero() { late } else { 0 };
        aws.inspector().delay_listing(&digest, late);
        aws.inspector().seed_coverage(&arn(&digest), "ACTIVE", "SUCCESSFUL");
        aws.inspector().seed_last_scan(&arn(&digest), ended.as_millisecond());
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
            thing.first_seen.entry(name).or_insert(self.now);
            thing.openings += 1;
        } else {
            thing.open.remove(name);
            thing.hidden.remove(name);
            thing.doubt |= counts;
        }
        thing.changes += 1;
        let status = if is_there { "ACTIVE" } else { "CLOSED" };
        let event = thing.manifest.finding(name, status, self.now);
        self.report(&digest, [event]);
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
        let reports: Vec<Value> = reports.collect();
        let reports = self.dated(&digest, reports);
        self.repetitions.extend(reports);
    }

    /// Inspector speaks of findings, which it dates by when it saw them first.
    fn report(&mut self, digest: &str, events: impl IntoIterator<Item = Value>) {
        let events = self.dated(digest, events);
        self.events.extend(events);
    }

    fn dated(&self, digest: &str, events: impl IntoIterator<Item = Value>) -> Vec<Value> {
        let first_seen = &self.things[digest].first_seen;
        let dated = |mut event: Value| {
            let name = event.pointer("/detail/packageVulnerabilityDetails/vulnerabilityId");
            let first = name.and_then(Value::as_str).and_then(|name| first_seen.get(name)).copied();
            if let Some(first) = first {
                event["detail"]["firstObservedAt"] = first.to_string().into();
            }
            event
        };
        events.into_iter().map(dated).collect()
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
        let event = thing.manifest.finding(name, status, self.now);
        self.report(&digest, [event]);
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
        thing.unknowable |= self.is_behind;
        thing.changes += 1;
        aws.inspector().seed_coverage(&arn(digest), "INACTIVE", reason);
        let closed = thing.open.iter().map(|name| thing.manifest.finding(name, "CLOSED", self.now));
        let closed: Vec<Value> = closed.collect();
        self.report(digest, closed);
    }
}
