//! The EventBridge bus on which assessments are announced.

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;

use crate::AwsError;
use domain::assessment::{Assessment, DETAIL_TYPE, EVENT_SOURCE};
use domain::image::ImageId;
use domain::notice::{self, Notice};
use serde::Serialize;

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
        self.put(DETAIL_TYPE, Some(&assessment.image.id), assessment).await
    }

    /// Announces a notice.
    pub async fn notify(&self, notice: &Notice) -> Result<(), AwsError> {
        self.put(notice::DETAIL_TYPE, notice.image(), notice).await
    }

    async fn put(
        &self,
        detail_type: &str,
        image: Option<&ImageId>,
        detail: &impl Serialize,
    ) -> Result<(), AwsError> {
        let detail = serde_json::to_string(detail)
            .map_err(|error| AwsError::answer(ACTION, error.to_string(), false))?;
        let entry = PutEventsRequestEntry::builder()
            .event_bus_name(&self.bus)
            .source(EVENT_SOURCE)
            .detail_type(detail_type)
            .set_resources(image.map(|image| vec![image.arn()]))
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
