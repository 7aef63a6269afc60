//! Reading, deleting and listing images through the real ECR client.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod account;

use std::collections::BTreeSet;

use account::{ACCOUNT, NOW, OCI_INDEX, OCI_MANIFEST, account, digest_of, finding, index, manifest};
use aws_sdk_ecr::Client;
use aws_sdk_ecr::operation::describe_image_scan_findings::DescribeImageScanFindingsError;
use aws_sdk_ecr::operation::describe_images::DescribeImagesError;
use aws_sdk_ecr::types::{
    DescribeImagesFilter, ImageFailureCode, ImageIdentifier, ImageStatusFilter, TagStatus,
};
use sim_aws::{ImageStatus, ScanStatus, SeedImage, SeedScan, SeedScanFinding, SimulatedAws};

fn seed(aws: &SimulatedAws, manifest: &str, tags: &[&str]) -> String {
    let digest = digest_of(manifest);
    aws.ecr().seed_image(SeedImage {
        registry: ACCOUNT.to_owned(),
        repository: "app".to_owned(),
        manifest: Some(manifest.to_owned()),
        digest: digest.clone(),
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        pushed_at: NOW,
        ..SeedImage::default()
    });
    digest
}

fn by_tag(tag: &str) -> ImageIdentifier {
    ImageIdentifier::builder().image_tag(tag).build()
}

fn by_digest(digest: &str) -> ImageIdentifier {
    ImageIdentifier::builder().image_digest(digest).build()
}

/// The details of the registry's own events since the last time.
fn actions(aws: &SimulatedAws) -> Vec<serde_json::Value> {
    let events = aws.take_events().into_iter().map(|emitted| emitted.event);
    events
        .filter(|event| event["detail-type"] == "ECR Image Action")
        .map(|event| event["detail"].clone())
        .collect()
}

async fn delete(client: &Client, id: ImageIdentifier) -> Result<Vec<ImageIdentifier>, ImageFailureCode> {
    let response = client.batch_delete_image().repository_name("app").image_ids(id).send().await.unwrap();
    match response.failures() {
        [] => Ok(response.image_ids.unwrap_or_default()),
        [failure, ..] => Err(failure.failure_code.clone().unwrap()),
    }
}

async fn get(
    client: &Client,
    id: ImageIdentifier,
    accepted: Option<&str>,
) -> Result<String, ImageFailureCode> {
    let request = client.batch_get_image().repository_name("app").image_ids(id);
    let request = request.set_accepted_media_types(accepted.map(|media_type| vec![media_type.to_owned()]));
    let response = request.send().await.unwrap();
    match response.failures() {
        [] => Ok(response.images()[0].image_manifest().unwrap().to_owned()),
        [failure, ..] => Err(failure.failure_code.clone().unwrap()),
    }
}

#[tokio::test]
async fn image_is_deleted_with_its_last_tag_only() {
    let aws = account();
    let digest = seed(&aws, &manifest("a"), &["1.0", "latest"]);
    let client = Client::new(&aws.sdk_config().await);
    let deleted = delete(&client, by_tag("1.0")).await.unwrap();
    assert_eq!(deleted[0].image_digest(), Some(digest.as_str()));
    assert_eq!(aws.ecr().images()[0].tags, ["latest"]);
    delete(&client, by_tag("latest")).await.unwrap();
    assert!(aws.ecr().images().is_empty());
    let tags: Vec<_> = actions(&aws).into_iter().map(|detail| detail["image-tag"].clone()).collect();
    assert_eq!(tags, ["1.0", "latest"]);
}

#[tokio::test]
async fn deletion_by_digest_deletes_all_tags() {
    let aws = account();
    let tagged = seed(&aws, &manifest("a"), &["1.0", "latest"]);
    let untagged = seed(&aws, &manifest("b"), &[]);
    let client = Client::new(&aws.sdk_config().await);
    assert_eq!(delete(&client, by_digest(&tagged)).await.unwrap().len(), 2);
    assert_eq!(delete(&client, by_digest(&untagged)).await.unwrap().len(), 1);
    assert!(aws.ecr().images().is_empty());
    let actions = actions(&aws);
    assert_eq!(actions.len(), 3);
    assert!(actions.iter().all(|detail| detail["action-type"] == "DELETE"));
    assert!(actions[2].get("image-tag").is_none());
    assert_eq!(get(&client, by_tag("1.0"), None).await, Err(ImageFailureCode::ImageNotFound));
}

#[tokio::test]
async fn batch_deletion_fails_in_part() {
    let aws = account();
    let child = seed(&aws, &manifest("child"), &["child"]);
    let parent = seed(&aws, &index(&[&child]), &["1.0"]);
    let client = Client::new(&aws.sdk_config().await);
    let disagreeing = ImageIdentifier::builder().image_tag("1.0").image_digest(&child).build();
    let request = client.batch_delete_image().repository_name("app");
    let response = request
        .image_ids(disagreeing)
        .image_ids(by_digest(&child))
        .image_ids(by_tag("child"))
        .image_ids(by_tag("nothing"))
        .image_ids(ImageIdentifier::builder().build())
        .image_ids(by_digest(&parent))
        .send()
        .await
        .unwrap();
    let codes: Vec<_> =
        response.failures().iter().filter_map(|failure| failure.failure_code.clone()).collect();
    let expected = [
        ImageFailureCode::ImageTagDoesNotMatchDigest,
        ImageFailureCode::ImageReferencedByManifestList,
        ImageFailureCode::ImageReferencedByManifestList,
        ImageFailureCode::ImageNotFound,
        ImageFailureCode::MissingDigestAndTag,
    ];
    assert_eq!(codes, expected);
    assert_eq!(response.image_ids().len(), 1);
    delete(&client, by_digest(&child)).await.unwrap();
}

#[tokio::test]
async fn manifest_is_returned_byte_for_byte() {
    let aws = account();
    let spaced = manifest("a").replace(':', " : ");
    let digest = seed(&aws, &spaced, &["1.0"]);
    let client = Client::new(&aws.sdk_config().await);
    assert_eq!(get(&client, by_tag("1.0"), Some(OCI_MANIFEST)).await, Ok(spaced.clone()));
    assert_eq!(get(&client, by_tag("1.0"), Some(OCI_INDEX)).await, Err(ImageFailureCode::ImageNotFound));
    assert_eq!(get(&client, by_digest(&digest), Some(OCI_INDEX)).await, Ok(spaced));
    aws.ecr().set_image_status(ACCOUNT, "app", &digest, ImageStatus::Archived);
    assert_eq!(get(&client, by_digest(&digest), None).await, Err(ImageFailureCode::ImageInaccessible));
}

#[tokio::test]
async fn batch_of_more_than_100_images_is_refused() {
    let aws = account();
    seed(&aws, &manifest("a"), &[]);
    let client = Client::new(&aws.sdk_config().await);
    let ids = vec![by_tag("1.0"); 101];
    let request = client.batch_get_image().repository_name("app").set_image_ids(Some(ids.clone()));
    assert!(request.send().await.unwrap_err().into_service_error().is_invalid_parameter_exception());
    let request = client.batch_delete_image().repository_name("app").set_image_ids(Some(ids));
    assert!(request.send().await.unwrap_err().into_service_error().is_invalid_parameter_exception());
}

#[tokio::test]
async fn listings_cover_250_images_page_by_page() {
    let aws = account();
    let mut expected = BTreeSet::new();
    for number in 0..250 {
        let tag = format!("v{number}");
        let tags = if number % 2 == 0 { vec![tag.as_str(), "also"] } else { vec![] };
        expected.insert(seed(&aws, &manifest(&tag), &tags));
    }
    let client = Client::new(&aws.sdk_config().await);
    let pages: Vec<_> = describe(&client, None).await;
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [100, 100, 50]);
    assert_eq!(pages.concat().into_iter().collect::<BTreeSet<_>>(), expected);

    let untagged = DescribeImagesFilter::builder().tag_status(TagStatus::Untagged).build();
    assert_eq!(describe(&client, Some(untagged)).await.concat().len(), 125);

    let mut pages = client.list_images().repository_name("app").max_results(60).into_paginator().send();
    let mut names = BTreeSet::new();
    while let Some(page) = pages.next().await {
        for id in page.unwrap().image_ids.unwrap() {
            assert!(names.insert((id.image_digest, id.image_tag)));
        }
    }
    assert_eq!(names.len(), 251);
    for size in [0, 1001] {
        let request = client.describe_images().repository_name("app").max_results(size);
        let error = request.send().await.unwrap_err().into_service_error();
        assert!(matches!(error, DescribeImagesError::InvalidParameterException(_)), "{error:?}");
    }
}

async fn describe(client: &Client, filter: Option<DescribeImagesFilter>) -> Vec<Vec<String>> {
    let mut pages =
        client.describe_images().repository_name("app").set_filter(filter).into_paginator().send();
    let mut digests = Vec::new();
    while let Some(page) = pages.next().await {
        let details = page.unwrap().image_details.unwrap();
        digests.push(details.into_iter().filter_map(|detail| detail.image_digest).collect());
    }
    digests
}

#[tokio::test]
async fn archived_images_are_listed_only_on_request() {
    let aws = account();
    let digest = seed(&aws, &manifest("a"), &["1.0"]);
    seed(&aws, &manifest("b"), &[]);
    aws.ecr().set_image_status(ACCOUNT, "app", &digest, ImageStatus::Archived);
    let client = Client::new(&aws.sdk_config().await);
    assert_eq!(describe(&client, None).await.concat(), [digest_of(&manifest("b"))]);
    let archived = DescribeImagesFilter::builder().image_status(ImageStatusFilter::Archived).build();
    assert_eq!(describe(&client, Some(archived)).await.concat(), std::slice::from_ref(&digest));
    let any = DescribeImagesFilter::builder().image_status(ImageStatusFilter::Any).build();
    assert_eq!(describe(&client, Some(any)).await.concat().len(), 2);
}

#[tokio::test]
async fn images_are_described_by_name() {
    let aws = account();
    let digest = seed(&aws, &manifest("a"), &["1.0", "latest"]);
    let client = Client::new(&aws.sdk_config().await);
    let request = client.describe_images().repository_name("app");
    let response = request.clone().image_ids(by_tag("1.0")).send().await.unwrap();
    let detail = &response.image_details()[0];
    assert_eq!((detail.image_digest(), detail.image_tags().len()), (Some(digest.as_str()), 2));
    assert_eq!(detail.image_size_in_bytes(), Some(42));
    let error = request.clone().image_ids(by_tag("2.0")).send().await.unwrap_err().into_service_error();
    assert!(matches!(error, DescribeImagesError::ImageNotFoundException(_)), "{error:?}");
    let error = request.registry_id("210987654321").send().await.unwrap_err().into_service_error();
    assert!(matches!(error, DescribeImagesError::RepositoryNotFoundException(_)), "{error:?}");
    let message = error.meta().message().unwrap();
    assert_eq!(
        message,
        "The repository with name 'app' does not exist in the registry with id '210987654321'"
    );
}

#[tokio::test]
async fn basic_scan_is_returned_in_pages() {
    let aws = account();
    let digest = seed(&aws, &manifest("a"), &["1.0"]);
    let client = Client::new(&aws.sdk_config().await);
    let request = client.describe_image_scan_findings().repository_name("app").image_id(by_tag("1.0"));
    let error = request.clone().send().await.unwrap_err().into_service_error();
    assert!(matches!(error, DescribeImageScanFindingsError::ScanNotFoundException(_)), "{error:?}");

    let finding = |number: usize| SeedScanFinding {
        name: format!("CVE-2024-{number:04}"),
        severity: "HIGH".to_owned(),
        package: "openssl".to_owned(),
        version: "3.0".to_owned(),
        ..SeedScanFinding::default()
    };
    let scan = SeedScan {
        status: ScanStatus::Complete,
        completed_at: NOW,
        findings: (0..250).map(finding).collect(),
    };
    aws.ecr().seed_basic_scan(ACCOUNT, "app", &digest, scan);
    let mut pages = request.clone().into_paginator().send();
    let mut names = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.unwrap();
        assert_eq!(page.image_scan_status().unwrap().status().unwrap().as_str(), "COMPLETE");
        let findings = page.image_scan_findings.unwrap();
        assert_eq!(
            findings.finding_severity_counts().unwrap()[&aws_sdk_ecr::types::FindingSeverity::High],
            250
        );
        for finding in findings.findings() {
            assert_eq!(finding.attributes()[1].value(), Some("openssl"));
            names.push(finding.name().unwrap().to_owned());
        }
    }
    assert_eq!((names.len(), names[249].as_str()), (250, "CVE-2024-0249"));

    let failed = SeedScan { status: ScanStatus::Failed, ..SeedScan::default() };
    aws.ecr().seed_basic_scan(ACCOUNT, "app", &digest, failed);
    let response = request.send().await.unwrap();
    assert_eq!(response.image_scan_status().unwrap().status().unwrap().as_str(), "FAILED");
    assert!(response.image_scan_findings().is_none());
}

#[tokio::test]
async fn findings_of_inspector_are_returned_as_enhanced_findings() {
    let aws = account();
    let digest = seed(&aws, &manifest("a"), &["1.0"]);
    aws.inspector().seed_finding(finding(1, "app", &digest));
    let client = Client::new(&aws.sdk_config().await);
    let request = client.describe_image_scan_findings().repository_name("app").image_id(by_tag("1.0"));
    let findings = request.send().await.unwrap().image_scan_findings.unwrap();
    let finding = &findings.enhanced_findings()[0];
    assert_eq!((finding.severity(), finding.score()), (Some("HIGH"), 7.5));
    assert_eq!(finding.score_details().unwrap().cvss().unwrap().score_source(), Some("NVD"));
    let recommendation = finding.remediation().unwrap().recommendation().unwrap();
    assert_eq!(recommendation.url(), Some("https://example.com/update"));
    assert!(findings.findings().is_empty());
}
