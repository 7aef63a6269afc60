//! The stages of the core, from a batch of messages to the bytes of a ledger.

use aws_lambda_events::event::sqs::SqsEvent;
use domain::assessment::{Look, look};
use domain::event::{Event, FindingReport};
use domain::finding::Source;
use domain::image::ImageId;
use domain::ledger::{self, Evidence, Ledger};
use domain::policy::Policy;
use jiff::Timestamp;

/// Reads a batch: the messages, and the event in each.
#[inline(never)]
pub fn read(batch: &str) -> Vec<FindingReport> {
    let batch: SqsEvent = serde_json::from_str(batch).unwrap();
    let bodies = batch.records.iter().filter_map(|record| record.body.as_deref());
    bodies
        .map(|body| match Event::parse(body).unwrap() {
            Event::Finding(report) => *report,
            other => unreachable!("{other:?}"),
        })
        .collect()
}

/// Merges the reports of one image into its ledger.
#[inline(never)]
pub fn merge(mut ledger: Ledger, reports: Vec<FindingReport>) -> Ledger {
    for report in reports {
        ledger.merge(Evidence::Finding(Box::new(report)));
    }
    ledger
}

/// Judges an image, and draws up what is to be announced.
#[inline(never)]
pub fn judge(ledger: &Ledger, policy: &Policy) -> Look {
    look(ledger, 1, None, policy, now())
}

#[inline(never)]
pub fn encode(ledger: &Ledger) -> Vec<u8> {
    ledger::encode(ledger).unwrap()
}

/// Reads a stored ledger.
#[inline(never)]
pub fn decode(bytes: &[u8], image: ImageId) -> Ledger {
    let mut ledger = Ledger::new(image);
    ledger::decode(bytes, &mut ledger).unwrap();
    ledger
}

/// All of it, for one image that was scanned: read, decode, merge, judge, encode.
#[inline(never)]
pub fn together(batch: &str, stored: &[u8], policy: &Policy) -> Vec<u8> {
    let reports = read(batch);
    let image = reports[0].image.clone();
    let ledger = scanned(merge(decode(stored, image), reports));
    std::hint::black_box(judge(&ledger, policy));
    encode(&ledger)
}

/// A ledger of which nothing is known yet.
pub fn empty(reports: &[FindingReport]) -> Ledger {
    Ledger::new(reports[0].image.clone())
}

/// Notes that the first scan has ended, so that the image is judged.
pub fn scanned(mut ledger: Ledger) -> Ledger {
    ledger.merge(Evidence::Scanned { source: Source::Inspector, at: now() });
    ledger
}

fn now() -> Timestamp {
    Timestamp::from_second(1_767_610_800).unwrap()
}
