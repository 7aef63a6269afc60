//! Whether an image is scanned: Inspector2 API reference, `CoveredResource`.

use serde_json::{Value, json};

use crate::account::time::epoch_seconds;

pub(super) const IMAGE: &str = "AWS_ECR_CONTAINER_IMAGE";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Coverage {
    status_code: String,
    reason: String,
    /// Milliseconds since 1970.
    pub(super) last_scanned_at: Option<i64>,
    pub(super) usage: SeedUsage,
}

/// How an image is used. A member that is absent here is absent in the response.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SeedUsage {
    /// How many tasks and pods run it.
    pub in_use_count: Option<i64>,
    /// When one last did, in milliseconds since 1970.
    pub last_in_use_at: Option<i64>,
    /// When it was last pulled, in milliseconds since 1970.
    pub pulled_at: Option<i64>,
}

impl SeedUsage {
    fn view(&self) -> Value {
        let mut view = json!({});
        if let Some(count) = self.in_use_count {
            view["inUseCount"] = json!(count);
        }
        for (name, time) in [("lastInUseAt", self.last_in_use_at), ("imagePulledAt", self.pulled_at)] {
            if let Some(time) = time {
                view[name] = json!(epoch_seconds(time));
            }
        }
        view
    }
}

impl Coverage {
    pub(super) fn new(status_code: &str, reason: &str) -> Self {
        Self {
            status_code: status_code.to_owned(),
            reason: reason.to_owned(),
            last_scanned_at: None,
            usage: SeedUsage::default(),
        }
    }

    pub(super) fn view(&self, arn: &str) -> Value {
        let mut view = json!({
            "resourceId": arn,
            "resourceType": IMAGE,
            "accountId": arn.split(':').nth(4).unwrap_or_default(),
            "scanType": "PACKAGE",
            "scanStatus": {"statusCode": self.status_code, "reason": self.reason},
        });
        if let Some(time) = self.last_scanned_at {
            view["lastScannedAt"] = json!(epoch_seconds(time));
        }
        if let Some(repository) = repository_of(arn) {
            view["resourceMetadata"] =
                json!({"ecrRepository": {"name": repository}, "ecrImage": self.usage.view()});
        }
        view
    }
}

/// The name in `arn:aws:ecr:<region>:<account>:repository/<name>/sha256:<hex>`; names may have slashes.
fn repository_of(arn: &str) -> Option<&str> {
    arn.split_once(":repository/")?.1.rsplit_once('/').map(|(name, _)| name)
}
