//! The events that the registry emits: ECR user guide, "Amazon ECR events and `EventBridge`" and
//! "Logging Amazon ECR actions with AWS `CloudTrail`".

use serde_json::{Value, json};

use super::Ecr;
use super::repository::Removed;
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

    /// The event of a trail that logs management events, which names the caller.
    pub(crate) fn emit_put_image_call(
        &self,
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
            "userIdentity": {
                "type": "AssumedRole",
                "principalId": "AROASIMULATEDAWS:local",
                "arn": format!("arn:aws:sts::{}:assumed-role/ecr-warden/local", account.id),
                "accountId": account.id,
            },
            "eventTime": time,
            "eventSource": "ecr.amazonaws.com",
            "eventName": "PutImage",
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
