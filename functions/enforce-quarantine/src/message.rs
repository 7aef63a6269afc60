//! What the messages in the function's queue ask for: announcements from the bus, and what ecr-warden sends itself.

use domain::assessment::{Assessment, DETAIL_TYPE, EVENT_SOURCE};
use domain::image::ImageId;
use domain::quarantine::QUARANTINE_DUE;
use domain::quarantine::tampering::Sighting;
use lambda::batch::Subject;
use serde::Deserialize;
use serde_json::json;

use crate::error::MessageError;
use crate::tampering::Prompt;

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
    detail: DueImage,
}

#[derive(Deserialize)]
struct DueImage {
    #[serde(flatten)]
    image: ImageId,
    seen: Option<Sighting>,
    #[serde(default)]
    wake: bool,
}

/// Reads a message.
pub(crate) fn read(body: &str) -> Result<Subject<Work, Prompt>, MessageError> {
    let Envelope { source, detail_type } = serde_json::from_str(body)?;
    let ours = source.as_deref() == Some(EVENT_SOURCE);
    Ok(match detail_type.as_deref() {
        Some(QUARANTINE_DUE) if ours => {
            let DueImage { image, seen, wake } = serde_json::from_str::<Due>(body)?.detail;
            let seen = seen.into_iter().collect();
            Subject::About(Work::Image(image), Prompt { seen, wake, touched: false })
        }
        Some(QUARANTINES_HELD) if ours => Subject::About(Work::Held, Prompt::default()),
        Some(DETAIL_TYPE) => {
            Subject::About(Work::Image(Assessment::from_event(body)?.image.id), Prompt::default())
        }
        other => Subject::NotOurs(format!("{} is not for this function", other.unwrap_or("no detail-type"))),
    })
}

/// The message with which people are to be told that quarantines are held.
pub(crate) fn quarantines_held() -> String {
    json!({"source": EVENT_SOURCE, "detail-type": QUARANTINES_HELD, "detail": {}}).to_string()
}

#[cfg(test)]
mod tests {
    use domain::provenance::{Actor, Origin, Pusher};
    use domain::quarantine::tampering::Act;
    use domain::quarantine::{due_because, wake};

    use super::*;

    fn work(body: &str) -> Option<Work> {
        match read(body).unwrap() {
            Subject::About(work, _) => Some(work),
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

    #[test]
    fn what_was_seen_of_an_image_is_read_back() {
        let digest = format!("sha256:{}", "ab12".repeat(16)).try_into().unwrap();
        let image = ImageId {
            account: "111122223333".to_owned(),
            region: "eu-west-1".to_owned(),
            repository: "prod/cart".to_owned(),
            digest,
        };
        let at: jiff::Timestamp = "2031-03-01T08:00:00Z".parse().unwrap();
        let actor = Actor { who: Pusher::unknown(), from: Origin::default(), at };
        let seen = Sighting { act: Act::Tagged("1.0".to_owned()), at, actor: Some(actor) };
        let prompt = |body: &str| match read(body).unwrap() {
            Subject::About(Work::Image(about), prompt) if about == image => prompt,
            other => panic!("{other:?}"),
        };
        let expected = Prompt { seen: vec![seen.clone()], ..Prompt::default() };
        assert_eq!(prompt(&due_because(&image, &seen)), expected);
        assert_eq!(prompt(&wake(&image)), Prompt { wake: true, ..Prompt::default() });
    }
}
