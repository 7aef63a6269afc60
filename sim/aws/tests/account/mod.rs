//! The account that the tests run in. What it exchanges with its clients is written down, so that
//! `tests/deployed/test_api_models.py` can check it against AWS's API models.
#![allow(dead_code)] // Not every test file needs all of it.

use std::cell::Cell;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use sim_aws::SimulatedAws;

pub const ACCOUNT: &str = "123456789012";
/// 2026-11-21T11:17:00Z in milliseconds since 1970.
pub const NOW: i64 = 1_795_259_820_000;
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";

pub fn account() -> RecordedAccount {
    account_with(Arc::new(|| NOW))
}

pub fn account_with(time: sim_aws::TimeSource) -> RecordedAccount {
    let aws = SimulatedAws::new(ACCOUNT, "eu-central-1", time);
    aws.record_exchanges();
    RecordedAccount(aws)
}

/// Writes its exchanges to a file when it is dropped.
pub struct RecordedAccount(SimulatedAws);

impl Deref for RecordedAccount {
    type Target = SimulatedAws;

    fn deref(&self) -> &SimulatedAws {
        &self.0
    }
}

impl Drop for RecordedAccount {
    fn drop(&mut self) {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("exchanges-sim-aws");
        fs::create_dir_all(&folder).unwrap();
        let mut file = BufWriter::new(File::create(folder.join(file_name())).unwrap());
        for exchange in self.take_exchanges() {
            serde_json::to_writer(&mut file, &exchange).unwrap();
            file.write_all(b"\n").unwrap();
        }
        file.flush().unwrap();
    }
}

/// The same name in every run, so that a test overwrites its file: the test harness names a test's thread after it,
/// and a test may use several accounts.
fn file_name() -> String {
    thread_local!(static ACCOUNTS: Cell<usize> = const { Cell::new(0) });
    let number = ACCOUNTS.replace(ACCOUNTS.get() + 1);
    let test = thread::current().name().unwrap_or("test").replace("::", "-");
    format!("{}-{test}-{number}.jsonl", env!("CARGO_CRATE_NAME"))
}

pub fn digest_of(manifest: &str) -> String {
    format!("sha256:{}", hex(&Sha256::digest(manifest)))
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
        "exploitAvailable": "YES",
        "exploitabilityDetails": {"lastKnownExploitAt": "Wed Sep 04 10:00:00.000 UTC 2024"},
        "findingArn": finding_arn(number),
        "firstObservedAt": "Wed Sep 04 16:55:38.411 UTC 2024",
        "fixAvailable": "YES",
        "inspectorScore": 7.5,
        "inspectorScoreDetails": {"adjustedCvss": {
            "adjustments": [{"metric": "Attack Vector", "reason": "not reachable from the network"}],
            "cvssSource": "NVD",
            "score": 7.5,
            "scoreSource": "NVD",
            "scoringVector": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N",
            "version": "3.1",
        }},
        "lastObservedAt": "Wed Sep 04 16:55:38.411 UTC 2024",
        "packageVulnerabilityDetails": {
            "cvss": [{
                "baseScore": 7.5,
                "scoringVector": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N",
                "source": "NVD",
                "version": "3.1",
            }],
            "referenceUrls": ["https://example.com/advisory"],
            "relatedVulnerabilities": ["CVE-2023-0001"],
            "source": "NVD",
            "sourceUrl": "https://example.com/vulnerability",
            "vendorCreatedAt": "Tue Sep 03 00:00:00.000 UTC 2024",
            "vendorSeverity": "HIGH",
            "vendorUpdatedAt": "Wed Sep 04 00:00:00.000 UTC 2024",
            "vulnerabilityId": format!("CVE-2024-{number:04}"),
            "vulnerablePackages": [{
                "arch": "X86_64",
                "epoch": 0,
                "fixedInVersion": "3.0.14",
                "name": "openssl",
                "packageManager": "OS",
                "release": "1",
                "remediation": "apt-get update && apt-get upgrade",
                "sourceLayerHash": digest_of("layer"),
                "version": "3.0.13",
            }],
        },
        "remediation": {"recommendation": {"text": "Update the package", "Url": "https://example.com/update"}},
        "resources": [{
            "details": {"awsEcrContainerImage": {
                "architecture": "amd64",
                "imageHash": digest,
                "imageTags": ["1.0"],
                "inUseCount": 2,
                "lastInUseAt": "Wed Sep 04 16:55:38.000 UTC 2024",
                "platform": "DEBIAN_12",
                "pushedAt": "Wed Sep 04 16:55:28.000 UTC 2024",
                "registry": ACCOUNT,
                "repositoryName": repository,
            }},
            "id": image_arn(repository, digest),
            "partition": "aws",
            "region": "eu-central-1",
            "tags": {"team": "checkout"},
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

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}
