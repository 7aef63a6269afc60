//! What the messages in the function's queue ask for: announcements from the bus, and what ecr-warden sends itself.

use domain::assessment::{Assessment, DETAIL_TYPE, EVENT_SOURCE};
use domain::image::ImageId;
use domain::quarantine::QUARANTINE_DUE;
use lambda::batch::Subject;
use serde::Deserialize;
use serde_json::json;

use crate::error::MessageError;

/// Asks for people to be told how many quarantines are held.
const QUARANTINES_HELD: &str = "Quarantines Held";

/// What to work on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Work {
    Image(ImageId),
    Held,
}

#[derive(Deserialize)]
struct Envelope {
    source: Option<String>,
    #[serde(rename = "detail-type")]
    detail_type: Option<String>,
}

#[derive(Deserialize)]
struct Due {
    detail: ImageId,
}

/// Reads a message.
pub(crate) fn read(body: &str) -> Result<Subject<Work, ()>, MessageError> {
    let Envelope { source, detail_type } = serde_json::from_str(body)?;
    let ours = source.as_deref() == Some(EVENT_SOURCE);
    Ok(match detail_type.as_deref() {
        Some(QUARANTINE_DUE) if ours => {
            Subject::About(Work::Image(serde_json::from_str::<Due>(body)?.detail), ())
        }
        Some(QUARANTINES_HELD) if ours => Subject::About(Work::Held, ()),
        Some(DETAIL_TYPE) => Subject::About(Work::Image(Assessment::from_event(body)?.image.id), ()),
        other => Subject::NotOurs(format!("{} is not for this function", other.unwrap_or("no detail-type"))),
    })
}

/// The message with which people are to be told that quarantines are held.
pub(crate) fn quarantines_held() -> String {
    json!({"source": EVENT_SOURCE, "detail-type": QUARANTINES_HELD, "detail": {}}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work(body: &str) -> Option<Work> {
        match read(body).unwrap() {
            Subject::About(work, ()) => Some(work),
            Subject::NotOurs(_) => None,
        }
    }

    #[test]
    fn image_that_is_due_is_read_and_what_others_send_is_not() {
        let digest = format!("sha256:{}", "ab12".repeat(16));
        let image = json!({
            "account": "111122223333", "region": "eu-west-1", "repository": "prod/cart", "digest": digest,
        });
        let due = |source: &str| {
            json!({"source": source, "detail-type": QUARANTINE_DUE, "detail": image}).to_string()
        };
        let expected: ImageId = serde_json::from_value(image.clone()).unwrap();
        assert_eq!(work(&due("ecr-warden")), Some(Work::Image(expected)));
        assert_eq!(work(&due("somebody")), None);
        assert_eq!(work(&quarantines_held()), Some(Work::Held));
        assert!(read(r#"{"source": "ecr-warden", "detail-type": "Quarantine Due", "detail": {}}"#).is_err());
    }
}
