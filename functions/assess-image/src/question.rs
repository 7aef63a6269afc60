//! Which vulnerabilities to ask about, and whether to ask how an image is used. Pure.

use std::collections::BTreeMap;

use domain::assessment::{asks_whether_exploited, may_quarantine};
use domain::ledger::{Exploitation, Ledger};
use domain::policy::Policy;
use domain::verdict::Verdict;
use jiff::Timestamp;

/// Vulnerabilities, each with the ARN of a finding.
pub(crate) type Questions = Vec<(String, String)>;

/// The vulnerabilities of which it matters and is not known whether they are exploited, each with the ARN of
/// one finding to ask with.
pub(crate) fn open_questions(ledger: &Ledger, policy: &Policy, now: Timestamp) -> Questions {
    let mut questions: BTreeMap<&str, &str> = BTreeMap::new();
    for entry in ledger.facts.findings.values() {
        let finding = &entry.finding;
        if !questions.contains_key(finding.vulnerability.as_str())
            && ledger.facts.exploitation.get(&finding.vulnerability).is_none_or(|answer| !answer.holds(now))
            && asks_whether_exploited(ledger, entry, policy, now)
        {
            questions.insert(&finding.vulnerability, &finding.id);
        }
    }
    questions.into_iter().map(|(vulnerability, arn)| (vulnerability.to_owned(), arn.to_owned())).collect()
}

/// Whether to ask Inspector how an image is used: it is about to come under quarantine, people will want to know what
/// that hits, and the last answer about its coverage, which says that too, is more than a day old.
pub(crate) fn usage_is_due(ledger: &Ledger, policy: &Policy, now: Timestamp) -> bool {
    !ledger.facts.is_multi_platform()
        && ledger.facts.coverage.usage_is_outdated(now)
        && ledger.announced.verdict != Verdict::Quarantine
        && may_quarantine(ledger, policy, now)
}

/// Divides questions into those that the answers of other images answer, and those that are left. An answer counts if it
/// still holds and is newer than what the ledger has.
pub(crate) fn answered(
    ledger: &Ledger,
    questions: Questions,
    answers: BTreeMap<String, Exploitation>,
    now: Timestamp,
) -> (BTreeMap<String, Exploitation>, Questions) {
    let mut counting = answers;
    counting.retain(|vulnerability, answer| {
        answer.holds(now) && ledger.facts.exploitation.get(vulnerability).is_none_or(|known| known < answer)
    });
    let left =
        questions.into_iter().filter(|(vulnerability, _)| !counting.contains_key(vulnerability)).collect();
    (counting, left)
}

#[cfg(test)]
mod tests;
