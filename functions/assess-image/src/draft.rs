//! A ledger that is being updated, what AWS answered about it, and what is left to do.

use std::collections::BTreeMap;

use domain::event::{Event, ScanOutcome};
use domain::finding::Source;
use domain::ledger::{Evidence, Facts, Ledger};
use domain::policy::Fingerprint;
use domain::text::with_causes;
use jiff::Timestamp;
use lambda::batch::Report;

use crate::{AssessError, prompt};

/// What the attempts of an update had in common, where somebody else stored the ledger meanwhile.
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    /// What AWS was asked.
    pub(crate) answers: Vec<Evidence>,
    pub(crate) news: News,
}

/// Whether there is news of an image besides what a new policy asks.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// What the first attempt began with.
    first: Option<Facts>,
    /// Whether any of them gathered news.
    gathered: bool,
}

impl News {
    /// Takes in an attempt. News is also what somebody else has stored since the first one.
    pub(crate) fn is_there(&mut self, loaded: &Facts, gathered: bool) -> bool {
        self.gathered |= gathered;
        self.gathered || self.first.as_ref().is_some_and(|first| first != loaded)
    }

    /// Notes what an attempt began with whose ledger is to be stored.
    pub(crate) fn end(&mut self, loaded: Facts) {
        self.first.get_or_insert(loaded);
    }
}

pub(crate) struct Draft<'a> {
    pub(crate) ledger: &'a mut Ledger,
    /// What AWS was asked in this update. It stays true where somebody else stored the ledger meanwhile.
    pub(crate) answers: &'a mut Vec<Evidence>,
    pub(crate) unfinished: &'a mut Unfinished,
}

impl Draft<'_> {
    /// Merges an answer. Returns whether it changed anything that was known.
    pub(crate) fn learn(&mut self, evidence: Evidence) -> bool {
        self.answers.push(evidence.clone());
        self.ledger.merge(evidence)
    }

    /// Merges the answers that an earlier attempt got.
    pub(crate) fn recall(&mut self) -> bool {
        self.answers.iter().fold(false, |changed, evidence| self.ledger.merge(evidence.clone()) | changed)
    }
}

/// What is left to do for an image whose evidence is stored and judged.
#[derive(Debug, Default)]
pub(crate) struct Unfinished {
    /// Why what a scan of this source found is not all there.
    pub(crate) scans: BTreeMap<Source, AssessError>,
    /// Why a question must be asked again.
    question: Option<AssessError>,
    /// Whether the image is due by now, so that the sweep asks again.
    pub(crate) stays_due: bool,
    /// The policy of this function, if messages want another one, and what time that was.
    pub(crate) awaiting: Option<(Fingerprint, Timestamp)>,
}

impl Unfinished {
    /// Notes why a question must be asked again. A failure counts for more than a wait, and of two the first.
    pub(crate) fn ask_again(&mut self, problem: AssessError) {
        let waits = |problem: &AssessError| matches!(problem, AssessError::TooEarly { .. });
        if self.question.as_ref().is_none_or(|known| waits(known) && !waits(&problem)) {
            self.question =
                Some(if waits(&problem) { problem } else { AssessError::Unanswered(Box::new(problem)) });
        }
    }

    /// What that means for each message; the events stand in the order of the messages. To ask again one message must
    /// come back, whichever.
    pub(crate) fn report(self, messages: Vec<String>, events: &[Event]) -> Report {
        let mut report = Report::default();
        let mut question = self.question;
        let awaits = |event: &Event| {
            self.awaiting.as_ref().is_some_and(|(ours, now)| prompt::awaits_policy(event, ours, *now))
        };
        for (message, event) in messages.into_iter().zip(events).rev() {
            let problem = match event {
                Event::Scan(scan) if scan.outcome != ScanOutcome::Failed => self.scans.get(&scan.source),
                _ => None,
            };
            if awaits(event) {
                report.fail([message], &AssessError::PolicyToCome);
                continue;
            }
            // What the sweep asks for again needs no message that waits.
            let waits =
                question.as_ref().is_some_and(|problem| matches!(problem, AssessError::TooEarly { .. }));
            if self.stays_due && prompt::comes_again(event) && problem.is_none() && !waits {
                if let Some(problem) = &question {
                    tracing::warn!(reason = with_causes(problem), "to be asked again by the sweep");
                }
                report.handled.push(message);
                continue;
            }
            match (problem, question.take()) {
                (Some(problem), _) => report.fail([message], problem),
                (None, Some(problem)) => report.fail([message], &problem),
                (None, None) => report.handled.push(message),
            }
        }
        report
    }
}
