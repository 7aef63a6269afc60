//! Which vulnerabilities to ask about, and whether to ask how an image is used. Pure.

use std::collections::BTreeMap;

use domain::assessment::may_quarantine;
use domain::finding::Source;
use domain::ledger::{Exploitation, Ledger};
use domain::policy::Policy;
use domain::verdict::Verdict;
use jiff::{Timestamp, ToSpan};

/// After how many hours a "no" is asked again. CISA adds to its catalogue about once a working day; a "yes"
/// is for ever. Inspector collects once a day what is in use.
const NO_HOLDS_HOURS: i64 = 24;

/// The vulnerabilities of which it matters and is not known whether they are exploited, each with the ARN of
/// one finding to ask with.
pub(crate) fn open_questions(ledger: &Ledger, policy: &Policy, now: Timestamp) -> Vec<(String, String)> {
    let mut questions: BTreeMap<&str, &str> = BTreeMap::new();
    for entry in ledger.facts.findings.values() {
        let finding = &entry.finding;
        if finding.source == Source::Inspector
            && !questions.contains_key(finding.vulnerability.as_str())
            && is_open(ledger.facts.exploitation.get(&finding.vulnerability), now)
            && ledger.facts.standing(entry).is_open()
            && policy.exploitation_matters(&ledger.image, finding, now)
        {
            questions.insert(&finding.vulnerability, &finding.id);
        }
    }
    questions.into_iter().map(|(vulnerability, arn)| (vulnerability.to_owned(), arn.to_owned())).collect()
}

/// Whether to ask Inspector how an image is used: it is about to come under quarantine, people will want to know what
/// that hits, and the last answer about its coverage, which says that too, is more than a day old.
pub(crate) fn usage_is_due(ledger: &Ledger, policy: &Policy, now: Timestamp) -> bool {
    let asked =
        ledger.facts.coverage.newest().and_then(|(at, _)| at.checked_add(NO_HOLDS_HOURS.hours()).ok());
    let index = ledger.facts.is_multi_platform();
    !index
        && asked.is_none_or(|until| until <= now)
        && ledger.announced.verdict != Verdict::Quarantine
        && may_quarantine(ledger, policy, now)
}

fn is_open(answer: Option<&Exploitation>, now: Timestamp) -> bool {
    answer.is_none_or(|answer| {
        answer.known.is_none()
            && answer.asked_at.checked_add(NO_HOLDS_HOURS.hours()).is_ok_and(|end| end <= now)
    })
}

#[cfg(test)]
mod tests;
