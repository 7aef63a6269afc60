//! What the tests of this crate are made of.

use jiff::{SignedDuration, Timestamp};
use shared::finding::{Finding, Fix, Severity, Source, Status};
use shared::image::ImageId;

pub(crate) fn image() -> ImageId {
    ImageId {
        account: "111122223333".to_owned(),
        region: "eu-west-1".to_owned(),
        repository: "prod/cart".to_owned(),
        digest: format!("sha256:{}", "ab12".repeat(16)).try_into().unwrap(),
    }
}

/// So many seconds after a fixed moment.
pub(crate) fn second(seconds: i64) -> Timestamp {
    "2031-01-01T00:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_secs(seconds)
}

pub(crate) fn finding(id: &str, status: Status, updated: i64) -> Finding {
    Finding {
        updated_at: second(updated),
        status,
        severity: Severity::Critical,
        id: id.to_owned(),
        source: Source::Inspector,
        vulnerability: format!("CVE-{id}"),
        score: None,
        epss: None,
        exploit: None,
        fix: Fix::Unknown,
        packages: Vec::new(),
        last_seen: second(updated),
        first_seen: second(0),
    }
}
