//! The events of the registry: ECR user guide, "Amazon ECR events and `EventBridge`" and
//! "Logging Amazon ECR actions with AWS `CloudTrail`".

use serde_json::{Value, json};

use super::Ecr;
use super::repository::Removed;
use crate::clock::iso_seconds;
use crate::emissions::Announcement;

impl Ecr {
    pub(crate) fn announce_push(
        &self,
        registry: &str,
        repository: &str,
        digest: &str,
        media_type: &str,
        tag: Option<&str>,
    ) {
        let mut detail = image_action(repository, digest, "PUSH", tag);
        detail["manifest-media-type"] = json!(media_type);
        self.announce(registry, "ECR Image Action", detail);
    }

    pub(crate) fn announce_deletion(&self, registry: &str, repository: &str, removed: &Removed) {
        for tag in &removed.tags {
            let detail = image_action(repository, &removed.digest, "DELETE", tag.as_deref());
            self.announce(registry, "ECR Image Action", detail);
        }
    }

    /// Says who pushed, as a trail that logs management events does.
    pub(crate) fn announce_call(&self, registry: &str, repository: &str, request: &Value, response: &Value) {
        let home = &self.home;
        let time = iso_seconds(home.now());
        let mut request = request.clone();
        request["registryId"] = json!(registry);
        let detail = json!({
            "eventVersion": "1.04",
            "userIdentity": {
                "type": "AssumedRole",
                "principalId": "AROALOCALAWS:local",
                "arn": format!("arn:aws:sts::{}:assumed-role/ecr-warden/local", home.account),
                "accountId": home.account,
            },
            "eventTime": time,
            "eventSource": "ecr.amazonaws.com",
            "eventName": "PutImage",
            "awsRegion": home.region,
            "sourceIPAddress": "127.0.0.1",
            "userAgent": "local-aws",
            "requestParameters": request,
            "responseElements": response,
            "requestID": home.next_identifier(),
            "eventID": home.next_identifier(),
            "resources": [{
                "ARN": format!("arn:aws:ecr:{}:{registry}:repository/{repository}", home.region),
                "accountId": registry,
            }],
            "eventType": "AwsApiCall",
            "recipientAccountId": registry,
        });
        self.announce(registry, "AWS API Call via CloudTrail", detail);
    }

    fn announce(&self, registry: &str, detail_type: &str, detail: Value) {
        self.emissions.emit(&Announcement {
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
