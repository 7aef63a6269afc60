//! The project's own EventBridge bus.

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;

use crate::AwsError;
use domain::assessment::{Assessment, DETAIL_TYPE, EVENT_SOURCE};

const ACTION: &str = "events:PutEvents";

/// Where assessments are announced.
#[derive(Debug, Clone)]
pub struct Announcements {
    client: Client,
    bus: String,
}

impl Announcements {
    pub fn new(client: Client, bus: String) -> Self {
        Self { client, bus }
    }

    /// Announces an assessment. `PutEvents` answers 200 also where it took nothing, so the entry is looked at.
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
                // Whatever AWS's reason for refusing one entry, it is its own trouble (ThrottlingException,
                // InternalFailure), or one that a new deployment may end.
                let reason = format!("the entry was refused: {}", code.unwrap_or("no code"));
                Err(AwsError::answer(ACTION, reason, true))
            }
        }
    }
}
