//! The EventBridge bus on which assessments are announced.

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;

use crate::AwsError;
use domain::assessment::{Assessment, DETAIL_TYPE, EVENT_SOURCE};

const ACTION: &str = "events:PutEvents";

#[derive(Debug, Clone)]
pub struct Announcements {
    client: Client,
    bus: String,
}

impl Announcements {
    pub fn new(client: Client, bus: String) -> Self {
        Self { client, bus }
    }

    /// Announces an assessment. `PutEvents` answers 200 even if it refuses the entry, so the entry's result is checked.
    pub async fn announce(&self, assessment: &Assessment) -> Result<(), AwsError> {
        let detail = serde_json::to_string(assessment)
            .map_err(|error| AwsError::answer(ACTION, error.to_string(), false))?;
        let entry = PutEventsRequestEntry::builder()
            .event_bus_name(&self.bus)
            .source(EVENT_SOURCE)
            .detail_type(DETAIL_TYPE)
            .resources(assessment.image.id.arn())
            .detail(detail)
            .build();
        let answer = self
            .client
            .put_events()
            .entries(entry)
            .send()
            .await
            .map_err(|error| AwsError::of(ACTION, error))?;
        match answer.entries().iter().find_map(|entry| entry.error_code()) {
            None if answer.failed_entry_count() == 0 => Ok(()),
            code => {
                // An entry is refused because of a problem in AWS (ThrottlingException, InternalFailure), or of one that
                // a new deployment may fix.
                let reason = format!("the entry was refused: {}", code.unwrap_or("no code"));
                Err(AwsError::answer(ACTION, reason, true))
            }
        }
    }
}
