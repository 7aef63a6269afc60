//! Batches as Lambda hands them over: made-up findings of the shape and the size that Inspector sends, 3.9 kilobytes each.

use serde_json::{Value, json};

/// How many vulnerabilities there are; an image has one finding of each.
const PACKAGES: usize = 300;
const DESCRIPTION: &str = "A flaw was found in the way the library parses nested structures of unbounded depth. A remote \
    attacker who can supply a crafted document may cause the process to read beyond the end of a buffer, which can lead to \
    the disclosure of memory or to a crash. The flaw is in the code that resolves references between entries: an index is \
    taken from the document and is compared with the number of entries that were announced, and not with the number that \
    were read. Programs that only write documents are not affected. To exploit it an attacker needs no privileges and no \
    interaction by a user. Versions before the one that is named as fixed are affected in the default configuration. As a \
    mitigation, limit the depth of documents where that is possible, and run the parser in a process of its own. ";

/// A message batch of `SQS` with the first findings of so many images, one after the other.
pub fn sqs(images: usize, findings: usize) -> String {
    let records: Vec<Value> = (0..images)
        .flat_map(|image| (0..findings).map(move |number| (image, number)))
        .map(|(image, number)| {
            json!({
                "messageId": format!("{:08x}-0000-4000-8000-{number:012x}", image),
                "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
                "body": event(image, number),
                "attributes": {
                    "ApproximateReceiveCount": "1",
                    "SentTimestamp": "1767225600000",
                    "SenderId": "AIDAJDPLRKLG7UEXAMPLE",
                    "ApproximateFirstReceiveTimestamp": "1767225600001"
                },
                "messageAttributes": {},
                "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:eu-west-1:210987654321:ecr-warden-assess-image",
                "awsRegion": "eu-west-1"
            })
        })
        .collect();
    json!({ "Records": records }).to_string()
}

/// An `Inspector2 Finding` of an image, with the keys in the order in which AWS writes them.
fn event(image: usize, number: usize) -> String {
    let digest = format!("sha256:{image:064x}");
    let arn = format!("arn:aws:ecr:eu-west-1:210987654321:repository/shop/checkout/{digest}");
    // Random digits, as in the ARNs of AWS.
    let random =
        (number as u128 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835) ^ (image as u128) << 64;
    let package = |package: usize| {
        json!({
            "name": format!("lib{}-{}", ["frame", "tls", "image", "parse", "zip"][package % 5], package % PACKAGES),
            "version": format!("1.{}.{}", package % 20, package % 7),
            "release": format!("{}ubuntu0.{}", package % 4, package % 9),
            "epoch": 0,
            "arch": "X86_64",
            "packageManager": "OS",
            "sourceLayerHash": format!("sha256:{:064x}", package % 12),
            "fixedInVersion": if package.is_multiple_of(3) { "NotAvailable".to_owned() } else { format!("0:1.{}.9-1ubuntu1", package % 20) },
            "remediation": "apt-get update && apt-get upgrade"
        })
    };
    let severity = ["LOW", "MEDIUM", "MEDIUM", "MEDIUM", "HIGH", "LOW", "MEDIUM", "HIGH", "LOW", "UNTRIAGED"];
    let severity = if number.is_multiple_of(100) { "CRITICAL" } else { severity[number % 10] };
    let name = format!("CVE-20{}-{:05}", 14 + number % 12, number * 7 % 100_000);
    let of_image = json!({
        "repositoryName": "shop/checkout",
        "imageHash": digest,
        "registry": "210987654321",
        "imageTags": ["1.4.0", "latest"],
        "pushedAt": "Mon Jan 05 08:59:10.000 UTC 2026",
        "architecture": "amd64",
        "author": "",
        "platform": "UBUNTU_24_04"
    });
    let seen =
        format!("Mon Jan 05 09:{:02}:{:02}.{:03} UTC 2026", number / 60 % 60, number % 60, number % 1000);
    let detail = json!({
            "awsAccountId": "210987654321",
            "description": DESCRIPTION,
            "epss": { "score": f64::from(u32::try_from(number % 997).unwrap()) / 10_000.0 },
            "exploitAvailable": if number.is_multiple_of(33) { "YES" } else { "NO" },
            "exploitabilityDetails": { "lastKnownExploitAt": null },
            "findingArn": format!("arn:aws:inspector2:eu-west-1:210987654321:finding/{random:032x}"),
            "firstObservedAt": seen,
            "fixAvailable": if number.is_multiple_of(3) { "NO" } else { "YES" },
            "inspectorScore": f64::from(u32::try_from(number % 100).unwrap()) / 10.0,
            "inspectorScoreDetails": { "adjustedCvss": {
                "adjustments": [], "cvssSource": "NVD", "score": 7.5, "scoreSource": "NVD",
                "scoringVector": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H", "version": "3.1"
            } },
            "lastObservedAt": seen,
            "packageVulnerabilityDetails": {
                "cvss": [
                    { "baseScore": 7.5, "scoringVector": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H", "source": "NVD", "version": "3.1" },
                    { "baseScore": 5.0, "scoringVector": "AV:N/AC:L/Au:N/C:N/I:N/A:P", "source": "NVD", "version": "2.0" }
                ],
                "referenceUrls": [
                    format!("https://www.cve.org/CVERecord?id={name}"),
                    "https://ubuntu.com/security/notices/USN-1-1",
                    "https://lists.debian.org/debian-lts-announce/2026/01/msg00001.html"
                ],
                "relatedVulnerabilities": ["USN-1-1"],
                "source": "UBUNTU_CVE",
                "sourceUrl": format!("https://people.canonical.com/~ubuntu-security/cve/2026/{name}.html"),
                "vendorCreatedAt": "Sat Jan 03 00:00:00.000 UTC 2026",
                "vendorSeverity": "medium",
                "vendorUpdatedAt": "Sun Jan 04 00:00:00.000 UTC 2026",
                "vulnerabilityId": name,
                "vulnerablePackages": [package(number), package(number + 1)]
            },
            "remediation": { "recommendation": { "text": "None Provided" } },
            "resources": [{
                "details": { "awsEcrContainerImage": of_image },
                "id": arn,
                "partition": "aws",
                "region": "eu-west-1",
                "tags": {},
                "type": "AWS_ECR_CONTAINER_IMAGE"
            }],
            "severity": severity,
            "status": "ACTIVE",
            "title": format!("{name} - lib"),
            "type": "PACKAGE_VULNERABILITY",
            "updatedAt": seen
    });
    format!(
        r#"{{"version":"0","id":"{number:08x}-2c3d-4e5f-8a9b-{image:012x}","detail-type":"Inspector2 Finding","source":"aws.inspector2","account":"210987654321","time":"2026-01-05T09:01:10Z","region":"eu-west-1","resources":["{arn}"],"detail":{detail}}}"#
    )
}
