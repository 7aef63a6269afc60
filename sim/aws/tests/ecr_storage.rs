//! Archiving and restoring images, and who is said to have done it, through the real ECR client.
#![allow(clippy::unwrap_used, clippy::panic)]

mod account;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use account::{ACCOUNT, NOW, RecordedAccount, account_with, digest_of, index, manifest};
use aws_config::AppName;
use aws_sdk_ecr::Client;
use aws_sdk_ecr::types::{DescribeImagesFilter, ImageIdentifier, ImageStatusFilter, TargetStorageClass};
use serde_json::{Value, json};
use sim_aws::{ImageStatus, SeedImage};

const MINUTE: i64 = 60_000;

/// An account whose clock the test moves.
struct Timed {
    aws: RecordedAccount,
    clock: Arc<AtomicI64>,
    client: Client,
}

impl Timed {
    async fn new() -> Self {
        let clock = Arc::new(AtomicI64::new(NOW));
        let time = Arc::clone(&clock);
        let aws = account_with(Arc::new(move || time.load(Ordering::SeqCst)));
        let client = Client::new(&aws.sdk_config().await);
        Self { aws, clock, client }
    }

    fn seed(&self, manifest: &str, tags: &[&str]) -> String {
        let digest = digest_of(manifest);
        self.aws.ecr().seed_image(SeedImage {
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

    fn minutes(&self, minutes: i64) {
        self.clock.fetch_add(minutes * MINUTE, Ordering::SeqCst);
    }

    fn status(&self, digest: &str) -> ImageStatus {
        self.aws.ecr().images().into_iter().find(|image| image.digest == digest).unwrap().status
    }

    /// The status in the answer, or the code of the error.
    async fn store(&self, digest: &str, class: TargetStorageClass) -> Result<String, String> {
        let image = ImageIdentifier::builder().image_digest(digest).build();
        let request = self.client.update_image_storage_class().repository_name("app").image_id(image);
        match request.target_storage_class(class).send().await {
            Ok(answer) => Ok(answer.image_status.unwrap().as_str().to_owned()),
            Err(error) => Err(error.into_service_error().meta().code().unwrap().to_owned()),
        }
    }

    /// The details of the events of a kind.
    fn details(&self, kind: &str) -> Vec<Value> {
        let events = self.aws.take_events().into_iter().map(|emitted| emitted.event);
        events.filter(|event| event["detail-type"] == kind).map(|event| event["detail"].clone()).collect()
    }
}

#[tokio::test]
async fn archived_image_cannot_be_pulled_until_it_is_restored_twenty_minutes_later() {
    let timed = Timed::new().await;
    let digest = timed.seed(&manifest("a"), &["1.0"]);
    assert_eq!(timed.store(&digest, TargetStorageClass::Archive).await.unwrap(), "ARCHIVED");
    let archived = timed.details("ECR Image Action");
    assert_eq!(archived.len(), 1);
    assert_eq!(archived[0]["action-type"], "UPDATE_STORAGE_CLASS");
    assert_eq!(archived[0]["target-storage-class"], "ARCHIVE");
    assert!(archived[0].get("image-tag").is_none());
    let pull = timed.client.batch_get_image().repository_name("app");
    let pulled = pull.image_ids(ImageIdentifier::builder().image_tag("1.0").build()).send().await.unwrap();
    assert_eq!(pulled.failures()[0].failure_code().unwrap().as_str(), "ImageInaccessible");

    assert_eq!(timed.store(&digest, TargetStorageClass::Standard).await.unwrap(), "ACTIVATING");
    timed.minutes(19);
    assert_eq!(timed.status(&digest), ImageStatus::Activating);
    assert_eq!(timed.details("ECR Image Action"), Vec::<Value>::new(), "announced when it has ended");
    timed.minutes(1);
    let restored = timed.details("ECR Image Action");
    assert_eq!(restored[0]["target-storage-class"], "STANDARD");
    assert_eq!(restored[0]["last-activated-at"], "2026-11-21T11:37:00Z");
    assert_eq!(timed.status(&digest), ImageStatus::Active);
}

#[tokio::test]
async fn archived_image_that_is_pushed_again_is_active_at_once() {
    let timed = Timed::new().await;
    let digest = timed.seed(&manifest("a"), &["1.0"]);
    timed.store(&digest, TargetStorageClass::Archive).await.unwrap();
    timed.minutes(5);
    let push = timed.client.put_image().repository_name("app").image_manifest(manifest("a")).image_tag("1.0");
    push.send().await.unwrap();
    assert_eq!(timed.status(&digest), ImageStatus::Active);
    let any = DescribeImagesFilter::builder().image_status(ImageStatusFilter::Any).build();
    let described = timed.client.describe_images().repository_name("app").filter(any).send().await.unwrap();
    let detail = &described.image_details()[0];
    assert_eq!(
        detail.last_activated_at().unwrap().to_millis().unwrap(),
        NOW + 5 * MINUTE,
        "it counts as new"
    );
}

#[tokio::test]
async fn child_is_not_archived_before_its_index_and_a_referrer_follows_later() {
    let timed = Timed::new().await;
    let child = timed.seed(&manifest("child"), &[]);
    let root = timed.seed(&index(&[&child]), &["1.0"]);
    let signature = json!({
        "schemaVersion": 2, "mediaType": account::OCI_MANIFEST, "layers": [],
        "subject": {"mediaType": account::OCI_INDEX, "digest": root, "size": 1},
    });
    let signature = timed.seed(&signature.to_string(), &[]);
    let refused = timed.store(&child, TargetStorageClass::Archive).await;
    assert_eq!(refused.unwrap_err(), "ImageStorageClassUpdateNotSupportedException");
    assert_eq!(timed.store(&root, TargetStorageClass::Archive).await.unwrap(), "ARCHIVED");
    assert_eq!(timed.store(&child, TargetStorageClass::Archive).await.unwrap(), "ARCHIVED");
    assert_eq!(timed.status(&signature), ImageStatus::Active);
    timed.minutes(24 * 60);
    assert_eq!(timed.status(&signature), ImageStatus::Archived);
    assert_eq!(timed.details("ECR Referrer Action").len(), 1);
}

#[tokio::test]
async fn records_name_the_session_of_whoever_called() {
    let timed = Timed::new().await;
    let digest = timed.seed(&manifest("a"), &["1.0", "latest"]);
    timed.aws.let_assume("function", "stack-FunctionRole-1", "stack-function");
    for (caller, tag) in [("function", "1.0"), ("mallory", "latest")] {
        let config =
            timed.aws.sdk_config().await.to_builder().app_name(AppName::new(caller).unwrap()).build();
        let id = ImageIdentifier::builder().image_tag(tag).build();
        // The last tag takes the image with it, so another one comes first.
        timed.seed(&manifest("a"), &["kept"]);
        Client::new(&config).batch_delete_image().repository_name("app").image_ids(id).send().await.unwrap();
    }
    timed.store(&digest, TargetStorageClass::Archive).await.unwrap();
    let records = timed.details("AWS API Call via CloudTrail");
    let said: Vec<_> = records
        .iter()
        .map(|record| {
            (record["eventName"].as_str().unwrap(), record["userIdentity"]["arn"].as_str().unwrap())
        })
        .collect();
    assert_eq!(
        said,
        [
            (
                "BatchDeleteImage",
                "arn:aws:sts::123456789012:assumed-role/stack-FunctionRole-1/stack-function"
            ),
            ("BatchDeleteImage", "arn:aws:sts::123456789012:assumed-role/mallory/mallory"),
            ("UpdateImageStorageClass", "arn:aws:sts::123456789012:assumed-role/ecr-warden/local"),
        ]
    );
    assert_eq!(records[0]["requestParameters"]["imageIds"], json!([{"imageTag": "1.0"}]));
    let deleted = json!([{"imageDigest": digest, "imageTag": "1.0"}]);
    assert_eq!(records[0]["responseElements"]["imageIds"], deleted);
    assert_eq!(records[2]["requestParameters"]["targetStorageClass"], "ARCHIVE");
    assert_eq!(records[2]["responseElements"]["image"]["imageStatus"], "ARCHIVED");
}
