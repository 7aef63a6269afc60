//! What EventBridge puts around every event.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::EventError;
use super::inspector::FindingDetail;
use crate::image::{Digest, ImageError, ImageId, RepositoryRef};
use crate::text::sanitize;

/// The type of the events of which there are many.
pub(super) const FINDING: &str = "Inspector2 Finding";

/// All but the type is optional here, because a field that a certain event does not need must not make it unreadable.
#[derive(Default)]
pub(super) struct Envelope<'a> {
    id: Option<String>,
    pub(super) detail_type: Option<String>,
    pub(super) account: Option<String>,
    pub(super) region: Option<String>,
    time: Option<String>,
    pub(super) resources: Option<&'a RawValue>,
    detail: Option<Detail<'a>>,
    /// A bare CloudTrail record has this instead of an envelope.
    pub(super) event_version: Option<String>,
}

/// What has happened. Findings are read together with their envelope: to read them again takes as long as to read them.
enum Detail<'a> {
    Raw(&'a RawValue),
    Finding(Box<FindingDetail<'a>>),
}

/// A text that is copied only where JSON has it escaped.
#[derive(Deserialize)]
pub(super) struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "kebab-case")]
enum Key {
    Id,
    DetailType,
    Account,
    Region,
    Time,
    Resources,
    Detail,
    #[serde(rename = "eventVersion")]
    EventVersion,
    #[serde(other)]
    Other,
}

/// Reads an envelope, and the detail of a finding with it if it is to be read at once. AWS writes the type before the detail;
/// where it stands after it, the detail is read later.
struct Reading {
    at_once: bool,
}

impl<'de> DeserializeSeed<'de> for Reading {
    type Value = Envelope<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Envelope<'de>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Reading {
    type Value = Envelope<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an EventBridge event")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Envelope<'de>, A::Error> {
        let mut read = Envelope::default();
        while let Some(key) = map.next_key()? {
            match key {
                Key::Id => once(&mut read.id, map.next_value()?, "id")?,
                Key::DetailType => once(&mut read.detail_type, map.next_value()?, "detail-type")?,
                Key::Account => once(&mut read.account, map.next_value()?, "account")?,
                Key::Region => once(&mut read.region, map.next_value()?, "region")?,
                Key::Time => once(&mut read.time, map.next_value()?, "time")?,
                Key::Resources => once(&mut read.resources, map.next_value()?, "resources")?,
                Key::EventVersion => once(&mut read.event_version, map.next_value()?, "eventVersion")?,
                Key::Detail if self.at_once && read.detail_type.as_deref() == Some(FINDING) => {
                    let detail = map.next_value()?;
                    once(&mut read.detail, Some(Detail::Finding(detail)), "detail")?;
                }
                Key::Detail => {
                    let detail: Option<&RawValue> = map.next_value()?;
                    once(&mut read.detail, detail.map(Detail::Raw), "detail")?;
                }
                Key::Other => {
                    let _: IgnoredAny = map.next_value()?;
                }
            }
        }
        Ok(read)
    }
}

/// A key that comes twice is an error: which of the two is meant is not known.
fn once<T, E: Error>(known: &mut Option<T>, value: Option<T>, name: &'static str) -> Result<(), E> {
    if known.is_some() {
        return Err(E::duplicate_field(name));
    }
    *known = value;
    Ok(())
}

impl<'a> Envelope<'a> {
    /// Reads an event. A finding that cannot be read at once is left for later, where it is told what is wrong with it.
    pub(super) fn read(json: &'a str) -> Result<Self, EventError> {
        let read = |at_once| {
            let mut deserializer = serde_json::Deserializer::from_str(json);
            let envelope = Reading { at_once }.deserialize(&mut deserializer)?;
            deserializer.end().map(|()| envelope)
        };
        read(true).or_else(|_| read(false)).map_err(EventError::Json)
    }

    /// The detail of a finding, where it was read with the envelope.
    pub(super) fn take_finding(&mut self) -> Option<Box<FindingDetail<'a>>> {
        match self.detail.take() {
            Some(Detail::Finding(detail)) => Some(detail),
            other => {
                self.detail = other;
                None
            }
        }
    }

    fn id(&self) -> &str {
        self.id.as_deref().unwrap_or("(none)")
    }

    pub(super) fn wrong(&self, field: impl Into<String>, reason: impl Into<String>) -> EventError {
        let [id, field, reason] = [self.id(), &field.into(), &reason.into()].map(sanitize);
        EventError::Field { id, field, reason }
    }

    /// The detail as `T`. The path of what is wrong is only looked for once something is.
    pub(super) fn detail<T: Deserialize<'a>>(&self) -> Result<T, EventError> {
        let Some(Detail::Raw(json)) = self.detail else { return Err(self.wrong("detail", "missing")) };
        let json = json.get();
        serde_json::from_str(json).or_else(|_| {
            serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_str(json)).map_err(|error| {
                let path = error.path().to_string();
                let field = if path == "." { "detail".to_owned() } else { format!("detail.{path}") };
                self.wrong(field, error.into_inner().to_string())
            })
        })
    }

    pub(super) fn time(&self) -> Result<Timestamp, EventError> {
        let text = self.time.as_deref().ok_or_else(|| self.wrong("time", "missing"))?;
        crate::time::parse(text).map_err(|error| self.wrong("time", error.to_string()))
    }

    /// The identity of an image in this event's account and region, unless the repository's ARN says otherwise.
    pub(super) fn image(&self, repository: &str, digest: &str) -> Result<ImageId, EventError> {
        let repository = RepositoryRef::parse(repository)
            .map_err(|error| self.wrong("detail.repository-name", error.to_string()))?;
        Ok(ImageId {
            account: repository
                .account
                .or_else(|| self.account.clone())
                .ok_or_else(|| self.wrong("account", "missing"))?,
            region: repository
                .region
                .or_else(|| self.region.clone())
                .ok_or_else(|| self.wrong("region", "missing"))?,
            repository: repository.name,
            digest: self.digest(digest, "detail.image-digest")?,
        })
    }

    pub(super) fn digest(&self, digest: &str, field: &str) -> Result<Digest, EventError> {
        digest.to_owned().try_into().map_err(|error: ImageError| self.wrong(field, error.to_string()))
    }
}
