//! The account that the tests run in.
#![allow(dead_code)] // Not every test file needs all of it.

use std::sync::Arc;

use local_aws::LocalAws;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

pub const ACCOUNT: &str = "123456789012";
/// 2026-11-21T11:17:00Z in milliseconds since 1970.
pub const NOW: i64 = 1_795_259_820_000;
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";

pub fn account() -> LocalAws {
    LocalAws::new(ACCOUNT, "eu-central-1", Arc::new(|| NOW))
}

pub fn digest_of(manifest: &str) -> String {
    format!("sha256:{:x}", Sha256::digest(manifest))
}

/// A manifest; the name makes its digest its own.
pub fn manifest(name: &str) -> String {
    json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest_of(name), "size": 7},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest_of("layer"), "size": 35}],
    })
    .to_string()
}

pub fn index(children: &[&str]) -> String {
    let entries: Vec<_> =
        children.iter().map(|child| json!({"mediaType": OCI_MANIFEST, "digest": child, "size": 1})).collect();
    json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).to_string()
}

pub fn image_arn(repository: &str, digest: &str) -> String {
    format!("arn:aws:ecr:eu-central-1:{ACCOUNT}:repository/{repository}/{digest}")
}

/// The detail of an "Inspector2 Finding" event.
pub fn finding(number: usize, repository: &str, digest: &str) -> Value {
    json!({
        "awsAccountId": ACCOUNT,
        "description": "A vulnerability",
        "epss": {"score": 0.5},
        "exploitAvailable": "NO",
        "findingArn": finding_arn(number),
        "firstObservedAt": "Wed Sep 04 16:55:38.411 UTC 2024",
        "fixAvailable": "YES",
        "inspectorScore": 7.5,
        "lastObservedAt": "Wed Sep 04 16:55:38.411 UTC 2024",
        "packageVulnerabilityDetails": {
            "source": "NVD",
            "vendorCreatedAt": "Tue Sep 03 00:00:00.000 UTC 2024",
            "vulnerabilityId": format!("CVE-2024-{number:04}"),
            "vulnerablePackages": [{"name": "openssl", "version": "3.0.13"}],
        },
        "remediation": {"recommendation": {"text": "None Provided"}},
        "resources": [{
            "details": {"awsEcrContainerImage": {
                "imageHash": digest,
                "imageTags": ["1.0"],
                "pushedAt": "Wed Sep 04 16:55:28.000 UTC 2024",
                "registry": ACCOUNT,
                "repositoryName": repository,
            }},
            "id": image_arn(repository, digest),
            "partition": "aws",
            "region": "eu-central-1",
            "type": "AWS_ECR_CONTAINER_IMAGE",
        }],
        "severity": "HIGH",
        "status": "ACTIVE",
        "title": "A vulnerability",
        "type": "PACKAGE_VULNERABILITY",
        "updatedAt": "Wed Sep 04 16:55:38.411 UTC 2024",
    })
}

pub fn finding_arn(number: usize) -> String {
    format!("arn:aws:inspector2:eu-central-1:{ACCOUNT}:finding/{number:032}")
}
