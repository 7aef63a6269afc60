//! What refers to an image, through the real ECR client.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod account;

use account::{ACCOUNT, OCI_INDEX, OCI_MANIFEST, account, digest_of, image_arn, index, manifest};
use aws_sdk_ecr::Client;
use aws_sdk_ecr::types::{
    ArtifactStatusFilter, ImageIdentifier, ListImageReferrersFilter, SubjectIdentifier,
};
use serde_json::json;
use sim_aws::{ImageStatus, Mutability};

const SIGNATURE: &str = "application/vnd.cncf.notary.signature";
const SBOM: &str = "text/sbom+json";

/// An artifact that refers to a subject, made as `oras attach` makes it.
fn referrer(artifact_type: &str, subject: &str) -> String {
    json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": artifact_type,
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": digest_of("{}"), "size": 2},
        "layers": [{"mediaType": artifact_type, "digest": digest_of(artifact_type), "size": 9}],
        "subject": {"mediaType": OCI_MANIFEST, "digest": subject, "size": 350},
        "annotations": {"org.opencontainers.image.created": "2026-11-21T11:17:00Z"},
    })
    .to_string()
}

async fn put(client: &Client, manifest: &str) -> String {
    let request = client.put_image().repository_name("app").image_manifest(manifest);
    request.send().await.unwrap().image.unwrap().image_id.unwrap().image_digest.unwrap()
}

async fn referrers(client: &Client, subject: &str, filter: Option<ListImageReferrersFilter>) -> Vec<String> {
    let subject = SubjectIdentifier::builder().image_digest(subject).build().unwrap();
    let request = client.list_image_referrers().repository_name("app").subject_id(subject).set_filter(filter);
    let listed = request.send().await.unwrap();
    listed.referrers().iter().filter_map(|referrer| referrer.artifact_type().map(str::to_owned)).collect()
}

#[tokio::test]
async fn referrers_are_listed_by_subject_type_and_status() {
    let aws = account();
    aws.ecr().create_repository(ACCOUNT, "app", Mutability::Immutable);
    let client = Client::new(&aws.sdk_config().await);
    let image = put(&client, &manifest("image")).await;
    let signature = put(&client, &referrer(SIGNATURE, &image)).await;
    put(&client, &referrer(SBOM, &image)).await;
    put(&client, &referrer(SBOM, &digest_of("another image"))).await;

    let mut all = referrers(&client, &image, None).await;
    all.sort();
    assert_eq!(all, [SIGNATURE, SBOM]);
    let signatures = ListImageReferrersFilter::builder().artifact_types(SIGNATURE).build();
    assert_eq!(referrers(&client, &image, Some(signatures)).await, [SIGNATURE]);
    aws.ecr().set_image_status(ACCOUNT, "app", &signature, ImageStatus::Archived);
    assert_eq!(referrers(&client, &image, None).await, [SBOM]);
    let any = ListImageReferrersFilter::builder().artifact_status(ArtifactStatusFilter::Any).build();
    assert_eq!(referrers(&client, &image, Some(any)).await.len(), 2);
    assert_eq!(referrers(&client, &signature, None).await, Vec::<String>::new());
    // The permission to read manifests covers this listing: IAM has no action of its name.
    assert_eq!(aws.calls()["ecr:BatchGetImage"], 5);
}

#[tokio::test]
async fn referrer_names_its_subject_and_its_type() {
    let aws = account();
    aws.ecr().create_repository(ACCOUNT, "app", Mutability::Mutable);
    let client = Client::new(&aws.sdk_config().await);
    let image = put(&client, &manifest("image")).await;
    let signature = put(&client, &referrer(SIGNATURE, &image)).await;
    let index = put(&client, &index(&[&image])).await;
    let pushes: Vec<_> = aws
        .take_events()
        .into_iter()
        .map(|emitted| emitted.event)
        .filter(|event| event["detail-type"] == "ECR Image Action")
        .map(|event| event["detail"].clone())
        .collect();
    assert_eq!(pushes[1]["action-type"], "PUSH");
    assert_eq!(pushes[1]["artifact-media-type"], SIGNATURE);
    assert!(pushes[2].get("artifact-media-type").is_none());

    let mut described = Vec::new();
    for digest in [&image, &signature, &index] {
        let id = ImageIdentifier::builder().image_digest(digest).build();
        let response = client.describe_images().repository_name("app").image_ids(id).send().await.unwrap();
        let detail = response.image_details()[0].clone();
        described.push((detail.artifact_media_type, detail.subject_manifest_digest));
    }
    let config = "application/vnd.oci.image.config.v1+json".to_owned();
    assert_eq!(described, [(Some(config), None), (Some(SIGNATURE.to_owned()), Some(image)), (None, None)]);
}

#[tokio::test]
async fn inspector_scans_no_index() {
    let aws = account();
    aws.ecr().create_repository(ACCOUNT, "app", Mutability::Mutable);
    let config = aws.sdk_config().await;
    let client = Client::new(&config);
    let child = put(&client, &manifest("child")).await;
    aws.inspector().seed_coverage(&image_arn("app", &child), "ACTIVE", "SUCCESSFUL");
    let index = put(&client, &index(&[&child])).await;
    assert_eq!(aws.ecr().images().iter().filter(|image| image.media_type == OCI_INDEX).count(), 1);
    let listed = aws_sdk_inspector2::Client::new(&config).list_coverage().send().await.unwrap();
    let mut said: Vec<_> = listed
        .covered_resources()
        .iter()
        .map(|resource| {
            let status = resource.scan_status().unwrap();
            (resource.resource_id().to_owned(), status.reason().as_str().to_owned())
        })
        .collect();
    said.sort();
    let mut expected = vec![
        (image_arn("app", &child), "SUCCESSFUL".to_owned()),
        (image_arn("app", &index), "UNSUPPORTED_MEDIA_TYPE".to_owned()),
    ];
    expected.sort();
    assert_eq!(said, expected);
}
