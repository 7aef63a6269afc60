//! The events that the registry emits: ECR user guide, "Amazon ECR events and `EventBridge`" and
//! "Logging Amazon ECR actions with AWS `CloudTrail`".

use serde_json::{Value, json};

use super::Ecr;
use super::image::Image;
use super::repository::Removed;
use super::storage::ImageStatus;
use crate::account::events::Event;
use crate::account::time::iso_seconds;

impl Ecr {
    pub(crate) fn emit_push(
        &self,
        registry: &str,
        repository: &str,
        digest: &str,
        media_type: &str,
        artifact_media_type: Option<&str>,
        tag: Option<&str>,
    ) {
        // A push without a tag states an empty one.
        let mut detail = image_action(repository, digest, "PUSH", Some(tag.unwrap_or_default()));
        detail["manifest-media-type"] = json!(media_type);
        if let Some(artifact) = artifact_media_type {
            detail["artifact-media-type"] = json!(artifact);
        }
        self.emit(registry, "ECR Image Action", detail);
    }

    pub(crate) fn emit_deletion(&self, registry: &str, repository: &str, removed: &Removed) {
        for tag in &removed.tags {
            let detail = image_action(repository, &removed.digest, "DELETE", tag.as_deref());
            self.emit(registry, "ECR Image Action", detail);
        }
    }

    /// An image was archived, or is active again.
    pub(crate) fn emit_storage_class(&self, registry: &str, repository: &str, digest: &str, image: &Image) {
        let mut detail = image_action(repository, digest, "UPDATE_STORAGE_CLASS", None);
        let restored = image.storage.status() == ImageStatus::Active;
        detail["target-storage-class"] = json!(if restored { "STANDARD" } else { "ARCHIVE" });
        detail["manifest-media-type"] = json!(image.media_type);
        if let Some(at) = image.storage.last_activated_at().filter(|_| restored) {
            detail["last-activated-at"] = json!(iso_seconds(at));
        }
        let kind = if image.subject.is_some() { "ECR Referrer Action" } else { "ECR Image Action" };
        self.emit(registry, kind, detail);
    }

    /// The event of a trail that logs management events, which names the caller.
    pub(crate) fn emit_call(
        &self,
        caller: &str,
        operation: &str,
        registry: &str,
        repository: &str,
        request: &Value,
        response: &Value,
    ) {
        let account = &self.account;
        let time = iso_seconds(account.now());
        let mut request = request.clone();
        request["registryId"] = json!(registry);
        let detail = json!({
            "eventVersion": "1.04",
            "userIdentity": self.principals.identity(&account.id, caller),
            "eventTime": time,
            "eventSource": "ecr.amazonaws.com",
            "eventName": operation,
            "awsRegion": account.region,
            "sourceIPAddress": "127.0.0.1",
            "userAgent": "simulated-aws",
            "requestParameters": request,
            "responseElements": response,
            "requestID": account.next_identifier(),
            "eventID": account.next_identifier(),
            "resources": [{
                "ARN": format!("arn:aws:ecr:{}:{registry}:repository/{repository}", account.region),
                "accountId": registry,
            }],
            "eventType": "AwsApiCall",
            "recipientAccountId": registry,
        });
        self.emit(registry, "AWS API Call via CloudTrail", detail);
    }

    fn emit(&self, registry: &str, detail_type: &str, detail: Value) {
        self.events.emit(&Event {
            bus: "default",
            source: "aws.ecr",
            detail_type,
            account: registry,
            time: None,
            resources: Vec::new(),
            detail,
        });
    }
}

fn image_action(repository: &str, digest: &str, action: &str, tag: Option<&str>) -> Value {
    let mut detail = json!({
        "result": "SUCCESS",
        "repository-name": repository,
        "image-digest": digest,
        "action-type": action,
    });
    if let Some(tag) = tag {
        detail["image-tag"] = json!(tag);
    }
    detail
}
