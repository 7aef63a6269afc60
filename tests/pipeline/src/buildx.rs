//! Pushes as BuildKit does them: the tag is on an index, which contains one untagged image a platform, and beside each
//! an attestation. Scanners scan the images.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

const ACCOUNT: &str = "210987654321";
const REGION: &str = "eu-west-1";
const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";

/// A manifest in the repository `shop/multi`.
#[derive(Debug, Clone)]
pub struct Manifest {
    pub body: String,
    pub media_type: &'static str,
    /// Of an image `os/architecture`.
    pub platform: String,
}

impl Manifest {
    /// An image for a platform; another content is another image.
    pub fn image(platform: &str, content: &str) -> Self {
        Self::of_config(platform, &digest(&format!("{platform} {content}")), 1024, &Value::Null)
    }

    /// An image with these labels in its config, which is returned with its digest, and these annotations.
    pub fn labelled(platform: &str, labels: &Value, annotations: &Value) -> (Self, String, String) {
        let config = json!({ "created": "1970-01-01T00:00:00Z", "config": { "Labels": labels } }).to_string();
        let named = digest(&config);
        (Self::of_config(platform, &named, config.len(), annotations), named, config)
    }

    /// An image whose manifest states this of its config, in bytes.
    pub fn of_config(platform: &str, config: &str, size: usize, annotations: &Value) -> Self {
        let mut body = json!({
            "schemaVersion": 2, "mediaType": IMAGE,
            "config": { "mediaType": CONFIG, "digest": config, "size": size }, "layers": [],
        });
        if annotations.is_object() {
            body["annotations"] = annotations.clone();
        }
        Self { body: body.to_string(), media_type: IMAGE, platform: platform.to_owned() }
    }

    /// What a build attaches to an image.
    #[must_use]
    pub fn attestation(&self, build: u32) -> Self {
        let config = digest(&format!("{} {build}", self.digest()));
        let body = json!({
            "schemaVersion": 2, "mediaType": IMAGE,
            "config": { "mediaType": CONFIG, "digest": config, "size": 167 },
            "layers": [{ "mediaType": "application/vnd.in-toto+json", "digest": config, "size": 1337 }],
        });
        Self { body: body.to_string(), media_type: IMAGE, platform: "unknown/unknown".to_owned() }
    }

    /// An index of these, as they stand.
    pub fn index(children: &[Self]) -> Self {
        let entry = |child: &Self| {
            let (os, architecture) = child.platform.split_once('/').unwrap_or(("", ""));
            json!({
                "mediaType": child.media_type, "digest": child.digest(), "size": child.body.len(),
                "platform": { "os": os, "architecture": architecture },
            })
        };
        let entries: Vec<Value> = children.iter().map(entry).collect();
        let body = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": entries });
        Self { body: body.to_string(), media_type: INDEX, platform: String::new() }
    }

    /// An index of images, with an attestation beside each; the provenance of each build is another one.
    pub fn build(images: &[Self], build: u32) -> (Self, Vec<Self>) {
        let attestations: Vec<Self> = images.iter().map(|image| image.attestation(build)).collect();
        let index = Self::index(&[images.to_vec(), attestations.clone()].concat());
        (index, attestations)
    }

    pub fn digest(&self) -> String {
        digest(&self.body)
    }

    /// The two events of its push. An empty tag is none.
    pub fn push(&self, tag: &str, at: Timestamp) -> [Value; 2] {
        let digest = self.digest();
        let mut id = json!({ "imageDigest": digest });
        let mut request = json!({
            "registryId": ACCOUNT, "repositoryName": REPOSITORY, "imageManifest": self.body,
            "imageManifestMediaType": self.media_type,
        });
        if !tag.is_empty() {
            id["imageTag"] = json!(tag);
            request["imageTag"] = json!(tag);
        }
        let put = json!({
            "eventVersion": "1.11", "eventSource": "ecr.amazonaws.com", "eventName": "PutImage", "awsRegion": REGION,
            "eventTime": seconds(at),
            "userIdentity": { "type": "AssumedRole", "arn": format!("arn:aws:sts::{ACCOUNT}:assumed-role/ci-push/build-7") },
            "requestParameters": request,
            "responseElements": { "image": {
                "registryId": ACCOUNT, "repositoryName": REPOSITORY, "imageManifest": self.body,
                "imageManifestMediaType": self.media_type, "imageId": id,
            } },
        });
        let mut action = json!({
            "result": "SUCCESS", "repository-name": REPOSITORY, "image-digest": digest, "action-type": "PUSH",
            "image-tag": tag, "manifest-media-type": self.media_type,
        });
        if self.media_type == IMAGE {
            action["artifact-media-type"] = json!(CONFIG);
        }
        [
            event("AWS API Call via CloudTrail", "aws.ecr", at, put),
            event("ECR Image Action", "aws.ecr", at, action),
        ]
    }

    /// A critical finding of each of these vulnerabilities, and the end of the scan.
    pub fn scan(&self, vulnerabilities: &[&str], at: Timestamp) -> Vec<Value> {
        let mut events: Vec<Value> =
            vulnerabilities.iter().map(|name| self.finding(name, "ACTIVE", at)).collect();
        let count = vulnerabilities.len();
        let ended = at + SignedDuration::from_secs(30);
        events.push(event(
            "Inspector2 Scan",
            "aws.inspector2",
            ended,
            json!({
                "scan-status": "INITIAL_SCAN_COMPLETE", "image-digest": self.digest(), "image-tags": [],
                "repository-name": format!("arn:aws:ecr:{REGION}:{ACCOUNT}:repository/{REPOSITORY}"),
                "finding-severity-counts": { "CRITICAL": count, "HIGH": 0, "MEDIUM": 0, "TOTAL": count },
            }),
        ));
        events
    }

    /// The end of a basic scan that found so many critical vulnerabilities.
    pub fn basic_scan(&self, count: usize, at: Timestamp) -> Value {
        let mut counts = json!({});
        if count > 0 {
            counts["CRITICAL"] = json!(count);
        }
        let detail = json!({
            "scan-status": "COMPLETE", "repository-name": REPOSITORY, "finding-severity-counts": counts,
            "image-digest": self.digest(), "image-tags": [],
        });
        event("ECR Image Scan", "aws.ecr", at, detail)
    }

    /// The two events of a person who takes a tag off it.
    pub fn untagged(&self, tag: &str, at: Timestamp) -> [Value; 2] {
        let digest = self.digest();
        let request =
            json!({ "repositoryName": REPOSITORY, "registryId": ACCOUNT, "imageIds": [{ "imageTag": tag }] });
        let response = json!({ "imageIds": [{ "imageTag": tag, "imageDigest": digest }], "failures": [] });
        let action = json!({
            "result": "SUCCESS", "repository-name": REPOSITORY, "image-digest": digest, "action-type": "DELETE",
            "image-tag": tag,
        });
        [
            by_a_person("BatchDeleteImage", &request, &response, at),
            event("ECR Image Action", "aws.ecr", at, action),
        ]
    }

    /// The two events of a person who archives it, or restores it.
    pub fn stored(&self, class: &str, at: Timestamp) -> [Value; 2] {
        let digest = self.digest();
        let status = if class == "ARCHIVE" { "ARCHIVED" } else { "ACTIVATING" };
        let request = json!({
            "repositoryName": REPOSITORY, "registryId": ACCOUNT, "imageId": { "imageDigest": digest },
            "targetStorageClass": class,
        });
        let response = json!({ "image": {
            "registryId": ACCOUNT, "repositoryName": REPOSITORY, "imageId": { "imageDigest": digest },
            "imageStatus": status,
        } });
        let mut action = json!({
            "result": "SUCCESS", "repository-name": REPOSITORY, "image-digest": digest,
            "action-type": "UPDATE_STORAGE_CLASS", "target-storage-class": class, "manifest-media-type": self.media_type,
        });
        if class != "ARCHIVE" {
            action["last-activated-at"] = json!(seconds(at));
        }
        let call = by_a_person("UpdateImageStorageClass", &request, &response, at);
        [call, event("ECR Image Action", "aws.ecr", at, action)]
    }

    /// A critical finding in the package `openssl`.
    pub fn finding(&self, vulnerability: &str, status: &str, at: Timestamp) -> Value {
        let arn = format!("arn:aws:ecr:{REGION}:{ACCOUNT}:repository/{REPOSITORY}/{}", self.digest());
        let id = digest(&format!("{arn} {vulnerability}"));
        let number = &id["sha256:".len()..][..32];
        let (first, updated) = ("2026-03-02T09:00:00Z", at.to_string());
        let (_, architecture) = self.platform.split_once('/').unwrap_or(("", "amd64"));
        event(
            "Inspector2 Finding",
            "aws.inspector2",
            at,
            json!({
                "awsAccountId": ACCOUNT, "findingArn": format!("arn:aws:inspector2:{REGION}:{ACCOUNT}:finding/{number}"),
                "type": "PACKAGE_VULNERABILITY", "title": vulnerability, "description": vulnerability,
                "severity": "CRITICAL", "status": status, "exploitAvailable": "NO", "fixAvailable": "YES",
                "epss": { "score": 0.0004 }, "firstObservedAt": first, "lastObservedAt": updated, "updatedAt": updated,
                "packageVulnerabilityDetails": {
                    "vulnerabilityId": vulnerability, "source": "DEBIAN_CVE", "cvss": [], "referenceUrls": [],
                    "relatedVulnerabilities": [], "vulnerablePackages": [{
                        "name": "openssl", "version": "3.0.11", "packageManager": "OS", "fixedInVersion": "3.0.14",
                    }],
                },
                "remediation": { "recommendation": { "text": "None Provided" } },
                "resources": [{
                    "type": "AWS_ECR_CONTAINER_IMAGE", "id": arn, "partition": "aws", "region": REGION,
                    "details": { "awsEcrContainerImage": {
                        "repositoryName": REPOSITORY, "imageHash": self.digest(), "registry": ACCOUNT, "imageTags": [],
                        "architecture": architecture, "platform": "DEBIAN_13",
                    } },
                }],
            }),
        )
    }
}

/// The repository of all of them.
pub const REPOSITORY: &str = "shop/multi";

/// So many minutes after the story's beginning.
pub fn minute(minutes: i64) -> Timestamp {
    let begin: Timestamp = "2026-03-02T09:00:00Z".parse().unwrap();
    begin + SignedDuration::from_mins(minutes)
}

fn by_a_person(name: &str, request: &Value, response: &Value, at: Timestamp) -> Value {
    let record = json!({
        "eventVersion": "1.11", "eventSource": "ecr.amazonaws.com", "eventName": name, "awsRegion": REGION,
        "eventTime": seconds(at), "sourceIPAddress": "198.51.100.7", "userAgent": "aws-cli/2.31.0",
        "userIdentity": {
            "type": "AssumedRole", "principalId": "AROAMADEUP:mary@example.com", "accountId": ACCOUNT,
            "arn": format!("arn:aws:sts::{ACCOUNT}:assumed-role/developer/mary@example.com"),
        },
        "requestParameters": request, "responseElements": response, "eventType": "AwsApiCall",
        "recipientAccountId": ACCOUNT,
    });
    event("AWS API Call via CloudTrail", "aws.ecr", at, record)
}

fn event(kind: &str, source: &str, at: Timestamp, detail: impl Into<Value>) -> Value {
    let detail = detail.into();
    let id = digest(&format!("{kind} {at} {detail}"));
    json!({
        "version": "0", "id": &id["sha256:".len()..][..32], "detail-type": kind, "source": source, "account": ACCOUNT,
        "region": REGION, "time": seconds(at), "resources": [], "detail": detail,
    })
}

fn seconds(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn digest(text: &str) -> String {
    format!("sha256:{}", hex(&Sha256::digest(text.as_bytes())))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}
