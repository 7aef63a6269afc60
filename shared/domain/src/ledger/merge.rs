//! The join of the CRDT: how evidence changes what is known. Each arm keeps the newest, the earliest or the
//! greatest of what it has seen, so that order, repetition and grouping make no difference.

use jiff::Timestamp;

use super::evidence::Evidence;
use super::facts::{Entry, Exploitation, Facts, TAG_MARKS, TagMark};
use crate::event::{ActionType, ImageAction};
use crate::finding::{Finding, Source};
use crate::quarantine::is_quarantine_tag;
use crate::text::sanitize;

impl Facts {
    /// Takes in what was learnt. Returns whether that changed anything that is known.
    pub(super) fn merge(&mut self, evidence: Evidence) -> bool {
        match evidence {
            Evidence::Finding(report) => {
                let mut changed = self.note_tags(&report.tags, report.finding.updated_at);
                changed |= report.pushed_at.is_some_and(|at| earliest(&mut self.pushed_at, at));
                self.merge_finding(report.finding) | changed
            }
            Evidence::Findings(findings) => {
                findings.into_iter().fold(false, |changed, finding| self.merge_finding(finding) | changed)
            }
            Evidence::Listing { source, at, scanned, findings, tags } => {
                let mut changed = self.note_tags(&tags, at);
                if scanned {
                    changed |= self.merge(Evidence::Scanned { source, at });
                }
                self.merge_listing(source, at, findings) | changed
            }
            Evidence::Scanned { source, at } => {
                newest(&mut self.scans.entry(source).or_default().scanned_at, at)
            }
            Evidence::ScanFailed { source, at } => {
                newest(&mut self.scans.entry(source).or_default().failed_at, at)
            }
            Evidence::Action(action) => self.merge_action(action),
            Evidence::Put(put) => {
                let mut changed = earliest(&mut self.pushed_at, put.at);
                changed |= newest(&mut self.present_at, put.at);
                changed |=
                    put.media_type.is_some_and(|media_type| earliest(&mut self.media_type, media_type));
                changed |= earliest(&mut self.pusher, (put.at, put.pusher));
                changed | put.tag.is_some_and(|tag| self.mark_tag(&tag, TagMark::present(put.at)))
            }
            Evidence::Described { pushed_at, media_type } => {
                let changed = earliest(&mut self.pushed_at, pushed_at);
                changed | media_type.is_some_and(|media_type| earliest(&mut self.media_type, media_type))
            }
            Evidence::Tagged { at, tags } => {
                let changed = newest(&mut self.tags_since, at) | newest(&mut self.present_at, at);
                self.note_tags(&tags, at) | changed
            }
            Evidence::Withheld { at, tags } => {
                let mark = TagMark { at, present: false, withheld: true };
                tags.iter().fold(false, |changed, tag| self.mark_tag(tag, mark) | changed)
            }
            Evidence::Gone { at } => newest(&mut self.gone_at, at),
            // What a digest stands for never changes. Should two readings differ, the greater is kept, whichever came first.
            Evidence::Contents(contents) => newest(&mut self.contents, contents),
            Evidence::Labels(labels) => newest(&mut self.labels, labels),
            Evidence::Unread { at, reason } => newest(&mut self.unread, (at, reason)),
            Evidence::Restored { at } => newest(&mut self.present_at, at),
            Evidence::ContainedIn { index, link } => self.merge_link(&index, link),
            Evidence::RepositoryTags(tags) => newest(&mut self.repository_tags, tags),
            Evidence::Adopted { at } => newest(&mut self.adopted_at, at),
            Evidence::Coverage { at, answer } => self.coverage.merge(at, answer),
            Evidence::Exploitation(answers) => {
                let mut changed = false;
                for (vulnerability, answer) in answers {
                    let known = self
                        .exploitation
                        .entry(vulnerability)
                        .or_insert(Exploitation { asked_at: Timestamp::MIN, known: None });
                    if answer > *known {
                        *known = answer;
                        changed = true;
                    }
                }
                changed
            }
        }
    }

    fn merge_finding(&mut self, finding: Finding) -> bool {
        if let Some(entry) = self.findings.get_mut(&finding.id) {
            let joined = entry.clone().join(finding);
            let changed = joined != *entry;
            *entry = joined;
            return changed;
        }
        self.findings.insert(finding.id.clone(), Entry::new(finding));
        true
    }

    /// Of two listings the one of the newer scan says what is there; two answers about the same scan are
    /// added up, because either may have come before everything was listed.
    fn merge_listing(&mut self, source: Source, at: Timestamp, findings: Vec<Finding>) -> bool {
        let known = self.scans.entry(source).or_default().completed_at;
        let listed: Vec<String> = findings.iter().map(|finding| finding.id.clone()).collect();
        let mut changed = self.merge(Evidence::Findings(findings));
        if known.is_some_and(|known| known > at) {
            return changed;
        }
        if known != Some(at) {
            self.scans.entry(source).or_default().completed_at = Some(at);
            for entry in self.findings.values_mut().filter(|entry| entry.finding.source == source) {
                entry.listed = false;
            }
            changed = true;
        }
        for id in listed {
            if let Some(entry) = self.findings.get_mut(&id) {
                changed |= !std::mem::replace(&mut entry.listed, true);
            }
        }
        changed
    }

    fn merge_action(&mut self, action: ImageAction) -> bool {
        let mut changed = false;
        if action.action == ActionType::Push {
            changed |= earliest(&mut self.pushed_at, action.at);
            changed |= newest(&mut self.present_at, action.at);
            changed |= action.media_type.is_some_and(|media_type| earliest(&mut self.media_type, media_type));
            changed |=
                action.artifact_media_type.is_some_and(|kind| earliest(&mut self.artifact_media_type, kind));
        }
        let present = action.action == ActionType::Push;
        changed
            | match action.tag {
                Some(tag) => self.mark_tag(&tag, TagMark { at: action.at, present, withheld: false }),
                None if present => false,
                None => newest(&mut self.tags_since, action.at) | newest(&mut self.gone_at, action.at),
            }
    }

    fn note_tags(&mut self, tags: &[String], at: Timestamp) -> bool {
        let mut changed = false;
        for tag in tags {
            changed |= self.mark_tag(tag, TagMark::present(at));
        }
        changed
    }

    /// Our own quarantine tags follow from the verdict; they are no fact about the image.
    fn mark_tag(&mut self, tag: &str, mark: TagMark) -> bool {
        if is_quarantine_tag(tag) {
            return false;
        }
        let tag = sanitize(tag);
        match self.tags.get_mut(&tag) {
            Some(known) if *known >= mark => false,
            Some(known) => {
                *known = mark;
                true
            }
            None => {
                self.tags.insert(tag.clone(), mark);
                self.forget_a_tag() != Some(tag)
            }
        }
    }

    /// Of too many marks forgets the oldest. To keep the newest of all is a join like the others: a mark that
    /// is forgotten has so many newer ones that it would be forgotten in any other order, too.
    fn forget_a_tag(&mut self) -> Option<String> {
        let marks = &mut self.tags;
        if marks.len() <= TAG_MARKS {
            return None;
        }
        let (_, oldest) = marks.iter().map(|(tag, mark)| (mark, tag)).min()?;
        let oldest = oldest.clone();
        marks.remove(&oldest);
        Some(oldest)
    }
}

/// The join of an optional value that only ever grows. Returns whether it grew.
fn newest<T: Ord>(known: &mut Option<T>, new: T) -> bool {
    let grows = known.as_ref().is_none_or(|known| *known < new);
    if grows {
        *known = Some(new);
    }
    grows
}

/// The join of an optional value that only ever shrinks. Returns whether it shrank.
fn earliest<T: Ord>(known: &mut Option<T>, new: T) -> bool {
    let shrinks = known.as_ref().is_none_or(|known| *known > new);
    if shrinks {
        *known = Some(new);
    }
    shrinks
}
