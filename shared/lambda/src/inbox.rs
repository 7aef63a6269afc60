//! Incoming announcements: a reactor claims each one before it acts, and concludes it afterwards, so that it does
//! nothing twice.

use std::collections::{BTreeMap, BTreeSet};

use aws::AwsError;
use aws::dynamodb::{Claim, Claims};
use aws_lambda_events::event::sqs::SqsEvent;
use domain::assessment::Assessment;
use domain::image::ImageId;
use thiserror::Error;

use crate::batch::{Message, Report, Retry, Retryable, messages};
use crate::clock::Clock;

/// The announcements for one reactor.
#[derive(Debug)]
pub struct Inbox {
    claims: Claims,
    clock: Clock,
}

/// An assessment that this invocation has claimed.
#[derive(Debug)]
pub struct Claimed {
    /// The ids of the messages that carry it; a batch may contain an announcement twice.
    pub messages: Vec<String>,
    pub assessment: Assessment,
    /// Whether an earlier invocation may have acted on it already.
    pub after_a_crash: bool,
}

/// Of one image the newer is said last.
#[derive(Debug, Error)]
#[error("an older assessment of the image has to be handled first")]
struct Older;

impl Retryable for Older {
    fn retry(&self) -> Retry {
        Retry::ByTheQueue
    }
}

/// Another invocation is handling the same announcement, or died while doing so.
#[derive(Debug, Error)]
#[error("another invocation has claimed this announcement")]
pub struct Busy;

impl Retryable for Busy {
    fn retry(&self) -> Retry {
        Retry::ByTheQueue
    }
}

impl Inbox {
    pub fn new(claims: Claims, clock: Clock) -> Self {
        Self { claims, clock }
    }

    /// Reads the assessments of a batch and claims them: those of an image follow each other, the oldest first. Those
    /// that are unreadable, done or taken go into the report, and so do newer ones of an image with one that is taken.
    pub async fn claim(&self, event: SqsEvent, report: &mut Report) -> Vec<Claimed> {
        let mut assessments: BTreeMap<(ImageId, u64, String), (Vec<String>, Assessment)> = BTreeMap::new();
        for Message { id, body, .. } in messages(event) {
            match Assessment::from_event(&body) {
                Ok(assessment) => {
                    let Assessment { image, id: assessment_id, .. } = &assessment;
                    let key = (image.id.clone(), assessment.version(), assessment_id.clone());
                    let entry = assessments.entry(key);
                    entry.or_insert_with(|| (Vec::new(), assessment)).0.push(id);
                }
                Err(error) => report.fail([id], &error),
            }
        }
        let ids: Vec<String> = assessments.values().map(|(_, assessment)| assessment.id.clone()).collect();
        let claims = self.claims.claim(&ids, self.clock.now()).await;
        let mut claimed = Vec::new();
        let mut waiting: BTreeSet<ImageId> = BTreeSet::new();
        for ((messages, assessment), claim) in assessments.into_values().zip(claims) {
            if !matches!(claim, Ok(Claim::Ours { .. } | Claim::Done)) {
                waiting.insert(assessment.image.id.clone());
            }
            match claim {
                Ok(Claim::Ours { .. }) if waiting.contains(&assessment.image.id) => {
                    report.fail(messages, &Older);
                }
                Ok(Claim::Ours { after_a_crash }) => {
                    claimed.push(Claimed { messages, assessment, after_a_crash });
                }
                Ok(Claim::Done) => report.handled.extend(messages),
                Ok(Claim::Taken) => report.fail(messages, &Busy),
                Err(error) => report.fail(messages, &error),
            }
        }
        claimed
    }

    /// Records the outcome for claimed assessments. Returns whether they are done.
    pub async fn conclude(
        &self,
        batch: Vec<Claimed>,
        outcome: Result<(), AwsError>,
        report: &mut Report,
    ) -> bool {
        let ids: Vec<String> = batch.iter().map(|claimed| claimed.assessment.id.clone()).collect();
        let outcome = match outcome {
            Ok(()) => self.claims.finish(&ids, self.clock.now()).await,
            Err(error) => Err(error),
        };
        let done = outcome.is_ok();
        let messages = batch.into_iter().flat_map(|claimed| claimed.messages);
        match outcome {
            Ok(()) => report.handled.extend(messages),
            Err(error) => report.fail(messages, &error),
        }
        done
    }
}

/// Gives claimed assessments back to the queue, because an older one of their images is still to be handled.
pub fn postpone(batch: Vec<Claimed>, report: &mut Report) {
    report.fail(batch.into_iter().flat_map(|claimed| claimed.messages), &Older);
}
