//! Which images are scanned.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::State;

const IMAGE: &str = "AWS_ECR_CONTAINER_IMAGE";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Coverage {
    status_code: String,
    reason: String,
}

impl Coverage {
    pub(crate) fn new(status_code: &str, reason: &str) -> Self {
        Self { status_code: status_code.to_owned(), reason: reason.to_owned() }
    }
}

impl State {
    /// All covered images by ARN, in the shape of the API's `CoveredResource`.
    pub(crate) fn covered_resources(&self) -> BTreeMap<String, Value> {
        let mut coverage = self.coverage.clone();
        for finding in self.findings.values() {
            for resource in finding.get("resources").and_then(Value::as_array).into_iter().flatten() {
                let of_image = resource.get("type").and_then(Value::as_str) == Some(IMAGE);
                if let Some(arn) = resource.get("id").and_then(Value::as_str).filter(|_| of_image) {
                    coverage.entry(arn.to_owned()).or_insert_with(|| Coverage::new("ACTIVE", "SUCCESSFUL"));
                }
            }
        }
        coverage.into_iter().map(|(arn, coverage)| (arn.clone(), view(&arn, &coverage))).collect()
    }
}

fn view(arn: &str, coverage: &Coverage) -> Value {
    let mut view = json!({
        "resourceId": arn,
        "resourceType": IMAGE,
        "accountId": arn.split(':').nth(4).unwrap_or_default(),
        "scanType": "PACKAGE",
        "scanStatus": {"statusCode": coverage.status_code, "reason": coverage.reason},
    });
    if let Some(repository) = repository_of(arn) {
        view["resourceMetadata"] = json!({"ecrRepository": {"name": repository}});
    }
    view
}

/// The name in `arn:aws:ecr:<region>:<account>:repository/<name>/sha256:<hex>`; names may have slashes.
fn repository_of(arn: &str) -> Option<&str> {
    arn.split_once(":repository/")?.1.rsplit_once('/').map(|(name, _)| name)
}
