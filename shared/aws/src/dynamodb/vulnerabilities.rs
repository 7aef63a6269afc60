//! What Inspector said of the exploitation of vulnerabilities: one item for each, shared by all images.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::finding::KnownExploited;
use domain::ledger::{Exploitation, NO_HOLDS};
use jiff::Timestamp;

use super::batch::Batches;
use super::key::Item;
use crate::AwsError;

/// How many times what DynamoDB left undone is sent again: a third of a second, for no verdict waits for this.
const REPETITIONS: u32 = 3;
const PREFIX: &str = "vulnerability#";

/// The answers that are known, as far as they could be read.
#[derive(Debug, Default)]
pub struct KnownAnswers {
    pub known: BTreeMap<String, Exploitation>,
    /// Why the rest could not be read.
    pub error: Option<AwsError>,
}

#[derive(Debug, Clone)]
pub struct Vulnerabilities {
    client: Client,
    table: String,
}

impl Vulnerabilities {
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    /// What was answered about these vulnerabilities, however long ago. An answer that cannot be read is none.
    pub async fn answers(&self, vulnerabilities: impl IntoIterator<Item = &str>) -> KnownAnswers {
        let keys = vulnerabilities.into_iter().map(|vulnerability| format!("{PREFIX}{vulnerability}"));
        let mut known = BTreeMap::new();
        let read = self.batches().get("id", keys.collect(), false, |items| {
            known.extend(items.iter().filter_map(read));
        });
        let error = read.await.err();
        KnownAnswers { known, error }
    }

    /// Notes answers for all images. Of two that are noted at the same time the last one stays, whichever is newer; each
    /// is true of its own moment, and a "no" is asked again.
    pub async fn note(&self, answers: &BTreeMap<String, Exploitation>) -> Result<(), AwsError> {
        self.batches().put(answers.iter().map(|(id, answer)| write(id, answer)).collect()).await
    }

    fn batches(&self) -> Batches<'_> {
        Batches { client: &self.client, table: &self.table, repetitions: REPETITIONS }
    }
}

/// A "no" is of no use once it no longer holds; a "yes" is for ever.
fn write(vulnerability: &str, answer: &Exploitation) -> Item {
    let time = |at: Timestamp| AttributeValue::S(at.to_string());
    let mut item = HashMap::from([
        ("id".to_owned(), AttributeValue::S(format!("{PREFIX}{vulnerability}"))),
        ("asked_at".to_owned(), time(answer.asked_at)),
        ("exploited".to_owned(), AttributeValue::Bool(answer.known.is_some())),
    ]);
    if let Some(KnownExploited { added, due }) = answer.known {
        item.extend(added.map(|at| ("added".to_owned(), time(at))));
        item.extend(due.map(|at| ("due_date".to_owned(), time(at))));
    } else {
        let end = answer.asked_at.checked_add(NO_HOLDS).unwrap_or(Timestamp::MAX);
        item.insert("expires".to_owned(), AttributeValue::N(end.as_second().to_string()));
    }
    item
}

fn read(item: &Item) -> Option<(String, Exploitation)> {
    let time = |name: &str| item.get(name)?.as_s().ok()?.parse::<Timestamp>().ok();
    let vulnerability = item.get("id")?.as_s().ok()?.strip_prefix(PREFIX)?.to_owned();
    let exploited = *item.get("exploited")?.as_bool().ok()?;
    let known = exploited.then(|| KnownExploited { added: time("added"), due: time("due_date") });
    Some((vulnerability, Exploitation { asked_at: time("asked_at")?, known }))
}

#[cfg(test)]
mod tests {
    use domain::samples::second;

    use super::*;

    #[test]
    fn answer_is_read_back_unchanged() {
        let dates = KnownExploited { added: Some(second(1)), due: Some(second(2)) };
        let none = KnownExploited { added: None, due: None };
        for known in [None, Some(dates), Some(none)] {
            let answer = Exploitation { asked_at: second(3), known };
            let item = write("CVE-2031-1", &answer);
            assert_eq!(read(&item), Some(("CVE-2031-1".to_owned(), answer)));
        }
    }

    #[test]
    fn only_a_no_expires_once_it_no_longer_holds() {
        let answer = Exploitation { asked_at: second(3), known: None };
        let expires = write("CVE-2031-1", &answer)["expires"].as_n().unwrap().clone();
        assert_eq!(expires, (second(3) + NO_HOLDS).as_second().to_string());
        let yes = Exploitation { known: Some(KnownExploited { added: None, due: None }), ..answer };
        assert!(!write("CVE-2031-1", &yes).contains_key("expires"));
    }

    #[test]
    fn damaged_answer_is_none() {
        let answer = Exploitation { asked_at: second(3), known: None };
        for missing in ["id", "asked_at", "exploited"] {
            let mut item = write("CVE-2031-1", &answer);
            item.remove(missing);
            assert_eq!(read(&item), None, "{missing}");
        }
    }
}
