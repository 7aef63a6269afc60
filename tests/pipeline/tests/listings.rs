//! What the adapters list, one page a call.
#![allow(clippy::unwrap_used)] // A test says what it expects by failing.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws::Page;
use aws::ecr::{ListedImage, Registry, ScanType};
use aws::inspector::Inspector;
use aws::sns::Topic;
use aws::sqs::{DelayedMessage, Queue};
use domain::finding::{Severity, Status};
use domain::image::ImageId;
use domain::quarantine::Status as StorageStatus;
use jiff::Timestamp;
use pipeline_tests::{event, quarantined};
use serde_json::json;
use sim_aws::{
    ImageStatus, QueueDepth, ScanStatus, SeedImage, SeedScan, SeedScanFinding, SeedScanning,
    SeedSubscription, SeedUsage, SimulatedAws,
};

const ACCOUNT: &str = "210987654321";
const REGION: &str = "eu-west-1";

fn account() -> SimulatedAws {
    SimulatedAws::new(ACCOUNT, REGION, Arc::new(|| 0))
}

fn image(number: usize) -> ImageId {
    ImageId { digest: format!("sha256:{number:064x}").try_into().unwrap(), ..quarantined() }
}

fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

/// How many pages there are, and what is on them.
async fn all<T, E: std::fmt::Debug>(
    page: impl AsyncFn(Option<String>) -> Result<Page<T>, E>,
) -> (usize, Vec<T>) {
    let (mut pages, mut items, mut token) = (0, Vec::new(), None);
    loop {
        let page = page(token).await.unwrap();
        assert_eq!(page.unreadable, Vec::<String>::new());
        pages += 1;
        items.extend(page.items);
        token = page.next;
        if token.is_none() {
            return (pages, items);
        }
    }
}

#[tokio::test]
async fn covered_images_come_in_pages_of_200_with_what_inspector_says_of_them() {
    let aws = account();
    for number in 0..201 {
        aws.inspector().seed_coverage(&image(number).arn(), "INACTIVE", "UNSUPPORTED_OS");
    }
    aws.inspector().seed_coverage(&image(7).arn(), "ACTIVE", "SUCCESSFUL");
    aws.inspector().seed_last_scan(&image(7).arn(), at("2026-03-02T09:00:00Z").as_millisecond());
    let usage = SeedUsage { in_use_count: Some(3), ..SeedUsage::default() };
    aws.inspector().seed_usage(&image(7).arn(), usage);
    // Of a member account, whose own deployment sees it.
    let other = ImageId { account: "111122223333".to_owned(), ..image(0) };
    aws.inspector().seed_coverage(&other.arn(), "ACTIVE", "SUCCESSFUL");
    let inspector = Inspector::new(aws_sdk_inspector2::Client::new(&aws.sdk_config().await), None);
    let (pages, covered) = all(|token| inspector.covered(ACCOUNT, token)).await;
    assert_eq!(pages, 2);
    assert_eq!(aws.calls()["inspector2:ListCoverage"], 2);
    let images: Vec<ImageId> = covered.iter().map(|(image, _)| image.clone()).collect();
    assert_eq!(images, (0..201).map(image).collect::<Vec<_>>());
    let (_, answer) = &covered[7];
    assert!(answer.covered);
    assert_eq!(answer.scanned_at, Some(at("2026-03-02T09:00:00Z")));
    assert_eq!(answer.usage.count, Some(3));
    assert_eq!((covered[8].1.covered, covered[8].1.reason.as_str()), (false, "UNSUPPORTED_OS"));
}

#[tokio::test]
async fn findings_that_changed_come_with_their_images_whatever_their_status() {
    let aws = account();
    let sample = event("2-scan", "Inspector2 Finding")["detail"].clone();
    let seed = |number: usize, status: &str, updated: &str| {
        let mut finding = sample.clone();
        finding["findingArn"] = json!(format!("arn:aws:inspector2:{REGION}:{ACCOUNT}:finding/{number:032x}"));
        finding["status"] = json!(status);
        finding["updatedAt"] = json!(updated);
        finding
    };
    for number in 0..101 {
        assert!(aws.inspector().seed_finding(seed(number, "ACTIVE", "2026-03-02T10:00:00Z")));
    }
    aws.inspector().seed_finding(seed(1, "CLOSED", "2026-03-02T10:30:00Z"));
    aws.inspector().seed_finding(seed(2, "SUPPRESSED", "2026-03-02T11:00:00Z"));
    // These are updated too late, of another account, and of no image.
    aws.inspector().seed_finding(seed(200, "ACTIVE", "2026-03-02T11:00:00.001Z"));
    let mut foreign = seed(201, "ACTIVE", "2026-03-02T10:00:00Z");
    foreign["awsAccountId"] = json!("111122223333");
    aws.inspector().seed_finding(foreign);
    let mut instance = seed(202, "ACTIVE", "2026-03-02T10:00:00Z");
    instance["resources"][0]["type"] = json!("AWS_EC2_INSTANCE");
    aws.inspector().seed_finding(instance);

    let inspector = Inspector::new(aws_sdk_inspector2::Client::new(&aws.sdk_config().await), None);
    let (from, until) = (at("2026-03-02T10:00:00Z"), at("2026-03-02T11:00:00Z"));
    let (pages, found) = all(|token| inspector.changed_findings(ACCOUNT, from, until, token)).await;
    assert_eq!((pages, found.len()), (2, 101));
    assert!(found.iter().all(|(image, _)| *image == quarantined()));
    let statuses: Vec<Status> = found[..4].iter().map(|(_, finding)| finding.status).collect();
    assert_eq!(statuses, [Status::Active, Status::Closed, Status::Suppressed, Status::Active]);
    let later = at("2026-03-02T10:00:00.001Z");
    let (_, found) = all(|token| inspector.changed_findings(ACCOUNT, later, until, token)).await;
    assert_eq!(found.len(), 2);
}

#[tokio::test]
async fn a_finding_that_cannot_be_read_is_named_and_stops_no_other() {
    let aws = account();
    let sample = event("2-scan", "Inspector2 Finding")["detail"].clone();
    for (number, id) in [(1, quarantined().arn()), (2, "arn:aws:ecr:eu-west-1:1:repository/a".to_owned())] {
        let mut finding = sample.clone();
        finding["findingArn"] = json!(format!("arn:aws:inspector2:{REGION}:{ACCOUNT}:finding/{number:032x}"));
        finding["resources"][0]["id"] = json!(id);
        aws.inspector().seed_finding(finding);
    }
    let inspector = Inspector::new(aws_sdk_inspector2::Client::new(&aws.sdk_config().await), None);
    let page = inspector.changed_findings(ACCOUNT, Timestamp::UNIX_EPOCH, at("2027-01-01T00:00:00Z"), None);
    let page = page.await.unwrap();
    assert_eq!(page.items.len(), 1);
    assert_eq!(page.unreadable.len(), 1);
    assert!(page.unreadable[0].contains(&format!("finding/{:032x}", 2)), "{:?}", page.unreadable);
}

fn seed_image(aws: &SimulatedAws, repository: &str, number: usize, tags: &[&str], media_type: Option<&str>) {
    aws.ecr().seed_image(SeedImage {
        registry: ACCOUNT.to_owned(),
        repository: repository.to_owned(),
        manifest: None,
        media_type: media_type.map(str::to_owned),
        digest: image(number).digest.to_string(),
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        pushed_at: at("2026-03-02T09:00:00Z").as_millisecond(),
    });
}

#[tokio::test]
async fn repositories_and_their_images_come_in_pages() {
    let aws = account();
    for number in 0..1_001 {
        seed_image(&aws, &format!("team/app-{number:04}"), 0, &[], None);
        seed_image(&aws, "large", number, &[], None);
    }
    let registry = Registry::new(aws_sdk_ecr::Client::new(&aws.sdk_config().await));
    let (pages, names) = all(|token| registry.repositories(ACCOUNT, token)).await;
    assert_eq!((pages, names.len()), (2, 1_002));
    assert_eq!((names[0].as_str(), names[1_001].as_str()), ("large", "team/app-1000"));
    let (pages, images) = all(|token| registry.images(ACCOUNT, REGION, "large", token)).await;
    assert_eq!((pages, images.len()), (2, 1_001));
    assert_eq!(
        registry.images(ACCOUNT, REGION, "gone", None).await.unwrap(),
        Page { items: Vec::new(), unreadable: Vec::new(), next: None }
    );
}

#[tokio::test]
async fn images_come_with_what_the_registry_knows_of_them() {
    let aws = account();
    let index = "application/vnd.oci.image.index.v1+json";
    seed_image(&aws, "app", 1, &["1.0", "latest"], None);
    seed_image(&aws, "app", 2, &["2.0"], Some(index));
    seed_image(&aws, "app", 3, &[], None);
    aws.ecr().set_image_status(ACCOUNT, "app", image(3).digest.as_str(), ImageStatus::Archived);
    let finding =
        |severity: &str| SeedScanFinding { severity: severity.to_owned(), ..SeedScanFinding::default() };
    let scan = SeedScan {
        status: ScanStatus::Complete,
        completed_at: at("2026-03-02T09:01:00Z").as_millisecond(),
        findings: ["HIGH", "HIGH", "LOW"].map(finding).into(),
    };
    aws.ecr().seed_basic_scan(ACCOUNT, "app", image(1).digest.as_str(), scan);
    let failed = SeedScan { status: ScanStatus::UnsupportedImage, ..SeedScan::default() };
    aws.ecr().seed_basic_scan(ACCOUNT, "app", image(2).digest.as_str(), failed);
    let registry = Registry::new(aws_sdk_ecr::Client::new(&aws.sdk_config().await));
    let images = registry.images(ACCOUNT, REGION, "app", None).await.unwrap().items;
    let [scanned, refused, archived] =
        images.try_into().unwrap_or_else(|images: Vec<ListedImage>| panic!("{images:?}"));

    assert_eq!(scanned.image, ImageId { repository: "app".to_owned(), ..image(1) });
    assert_eq!(scanned.tags, ["1.0", "latest"]);
    assert_eq!(
        (scanned.status, scanned.pushed_at),
        (StorageStatus::Active, Some(at("2026-03-02T09:00:00Z")))
    );
    let scan = scanned.scan.unwrap();
    assert_eq!((scan.status.as_str(), scan.completed_at), ("COMPLETE", Some(at("2026-03-02T09:01:00Z"))));
    assert_eq!(
        scan.counts,
        BTreeMap::from([("HIGH", 2), ("LOW", 1)].map(|(name, count)| (Severity::from(name), count)))
    );
    assert_eq!(refused.media_type.as_deref(), Some(index));
    let scan = refused.scan.unwrap();
    assert_eq!((scan.status.as_str(), scan.completed_at, scan.counts.len()), ("UNSUPPORTED_IMAGE", None, 0));
    assert_eq!((archived.status, archived.scan), (StorageStatus::Archived, None));
}

#[tokio::test]
async fn a_registry_is_scanned_by_ecr_or_by_inspector() {
    let aws = account();
    let registry = Registry::new(aws_sdk_ecr::Client::new(&aws.sdk_config().await));
    assert_eq!(registry.scan_type().await.unwrap(), ScanType::Basic);
    aws.ecr().seed_scanning(ACCOUNT, SeedScanning { enhanced: true, rules: Vec::new() });
    assert_eq!(registry.scan_type().await.unwrap(), ScanType::Enhanced);
}

#[tokio::test]
async fn a_queue_holds_what_waits_and_what_is_handled_and_what_is_delayed() {
    const URL: &str = "https://sqs.eu-west-1.amazonaws.com/210987654321/work";
    let aws = account();
    aws.sqs().create_queue(URL);
    let queue = Queue::new(aws_sdk_sqs::Client::new(&aws.sdk_config().await), URL.to_owned());
    assert_eq!(queue.held().await.unwrap(), 0);
    aws.sqs().set_depth(URL, QueueDepth { visible: 100, in_flight: 20, delayed: 3 });
    let delayed = DelayedMessage { delay_seconds: 9, ..DelayedMessage::now("{}".to_owned()) };
    queue.send(vec![DelayedMessage::now("{}".to_owned()), delayed]).await.unwrap();
    assert_eq!(queue.held().await.unwrap(), 125);
    let other = Queue::new(aws_sdk_sqs::Client::new(&aws.sdk_config().await), format!("{URL}-other"));
    assert!(!other.held().await.unwrap_err().retryable);
}

#[tokio::test]
async fn somebody_hears_a_topic_once_a_subscription_is_confirmed() {
    const TOPIC: &str = "arn:aws:sns:eu-west-1:210987654321:alerts";
    let aws = account();
    aws.sns().create_topic(TOPIC);
    let topic = Topic::new(aws_sdk_sns::Client::new(&aws.sdk_config().await), TOPIC.to_owned());
    let subscribe = |confirmed| {
        let (protocol, endpoint) = ("email".to_owned(), "team@example.com".to_owned());
        aws.sns().seed_subscription(TOPIC, SeedSubscription { protocol, endpoint, confirmed });
    };
    assert!(!topic.has_subscriber().await.unwrap());
    for _ in 0..100 {
        subscribe(false);
    }
    assert!(!topic.has_subscriber().await.unwrap());
    subscribe(true);
    assert!(topic.has_subscriber().await.unwrap(), "it is on the second page");
}
