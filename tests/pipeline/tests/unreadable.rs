//! What is stored and cannot be read, because it was damaged or a newer version wrote it, keeps back nothing else.
#![allow(clippy::unwrap_used, clippy::panic)] // A test says what it expects by failing.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::image::ImageId;
use domain::row::Shard;
use domain::verdict::Verdict;
use jiff::{SignedDuration, Timestamp};
use pipeline_tests::{act, event, file, ledgers, pipeline_with, quarantined, setting, stream, tables};
use sim_pipeline::{Pipeline, Setting};

const INTERVAL: SignedDuration = SignedDuration::from_mins(15);

fn text(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

/// Puts an entry into each shard of the index whose key names no image, and that has been due for longest.
async fn plant_strangers(pipeline: &Pipeline) {
    for shard in Shard::all() {
        let due = AttributeValue::N("0.5".to_owned());
        let id = text(format!("image#nobody/{shard}"));
        let entry = [("id", id), ("shard", text(shard.to_string())), ("due", due), ("row", text("{}"))];
        let entry: HashMap<String, AttributeValue> =
            entry.map(|(name, value)| (name.to_owned(), value)).into();
        let put = tables(pipeline).await.put_item().table_name(pipeline.ledger_table());
        put.set_item(Some(entry)).send().await.unwrap();
    }
}

/// Damages an attribute of a ledger.
async fn damage(pipeline: &Pipeline, image: &ImageId, attribute: &str) {
    let update = tables(pipeline).await.update_item().table_name(pipeline.ledger_table());
    let update =
        update.key("id", text(format!("image#{image}"))).update_expression("SET #damaged = :damaged");
    let update = update.expression_attribute_names("#damaged", attribute);
    update.expression_attribute_values(":damaged", text("{")).send().await.unwrap();
}

/// Pushes an image.
async fn push(pipeline: &mut Pipeline, image: &ImageId, at: Timestamp) {
    let mut push = event("1-push", "ECR Image Action");
    push["time"] = at.to_string().into();
    push["detail"]["image-digest"] = image.digest.as_str().into();
    push["detail"]["repository-name"] = image.repository.as_str().into();
    pipeline.play(stream([push]), |_| ()).await.unwrap();
}

fn numbered(number: u32) -> ImageId {
    ImageId { digest: format!("sha256:{number:064x}").try_into().unwrap(), ..quarantined() }
}

/// How many entries were counted as unreadable, and how many images the gauges count, over all runs.
fn counted(pipeline: &Pipeline) -> (f64, f64) {
    let data = pipeline.aws.cloudwatch().metric_data();
    let sum = |name: &str| {
        let of_it = data.iter().filter(|datum| datum.name == name);
        of_it.flat_map(|datum| &datum.values).map(|(value, count)| value * count).sum()
    };
    (sum("Unreadable"), sum("Images"))
}

#[tokio::test]
async fn a_row_that_cannot_be_read_keeps_back_nothing_that_is_due() {
    let policy = file("tests/pipeline/clock-policy.yaml");
    let mut pipeline = pipeline_with(Setting { policy, ..setting() }).await;
    let pushed: Timestamp = "2026-03-02T09:00:00Z".parse().unwrap();
    for number in 0..3 {
        pipeline.aws.inspector().seed_coverage(&numbered(number).arn(), "INACTIVE", "UNSUPPORTED_OS");
        push(&mut pipeline, &numbered(number), pushed).await;
    }
    plant_strangers(&pipeline).await;
    damage(&pipeline, &numbered(1), "row").await;
    // A page ends with an entry that cannot be read.
    pipeline.aws.dynamodb().limit_pages(1);
    pipeline.pass_time(pushed + SignedDuration::from_mins(30) + INTERVAL).await.unwrap();
    for number in 0..3 {
        let stored = ledgers(&pipeline).await.load(&numbered(number)).await.unwrap();
        assert_eq!(stored.ledger.announced.verdict, Verdict::Unscannable, "{number}");
    }
    let (unreadable, images) = counted(&pipeline);
    assert!(unreadable >= 16.0, "{unreadable}");
    assert!(images >= 2.0, "{images}");
    assert_eq!(pipeline.dead(), []);
}

#[tokio::test]
async fn an_image_whose_row_cannot_be_read_is_not_unknown_and_its_end_is_noticed() {
    let mut pipeline = pipeline_with(setting()).await;
    pipeline.play([act("1-push"), act("2-scan")].concat(), |_| ()).await.unwrap();
    let version =
        async |pipeline: &Pipeline| ledgers(pipeline).await.load(&quarantined()).await.unwrap().version;
    let before = version(&pipeline).await;
    damage(&pipeline, &quarantined(), "row").await;
    let now = pipeline.time();
    pipeline.pass_time(now + SignedDuration::from_hours(26)).await.unwrap();
    assert_eq!(version(&pipeline).await, before, "nothing is to be said of it");
    let rows = ledgers(&pipeline).await.rows().await.unwrap();
    assert_eq!(rows.unreadable_images().collect::<Vec<_>>(), [&quarantined()]);
    let id = quarantined();
    pipeline.aws.ecr().seed_delete(&id.account, &id.repository, id.digest.as_str());
    let now = pipeline.time();
    pipeline.pass_time(now + SignedDuration::from_hours(26)).await.unwrap();
    assert_eq!(ledgers(&pipeline).await.rows().await.unwrap().unreadable, [], "it is gone");
}

#[tokio::test]
async fn a_ledger_that_cannot_be_read_keeps_no_other_image_from_being_found() {
    let now: Timestamp = "2026-05-01T00:00:00Z".parse().unwrap();
    let mut pipeline = pipeline_with(Setting { now, ..setting() }).await;
    pipeline.establish(&act("1-push"));
    let known = quarantined();
    ledgers(&pipeline).await.store(&mut ledgers(&pipeline).await.load(&known).await.unwrap()).await.unwrap();
    damage(&pipeline, &known, "facts").await;
    let all = pipeline.aws.ecr().images().len();
    assert!(all > 1);
    pipeline.pass_time(now + SignedDuration::from_hours(26)).await.unwrap();
    let rows = ledgers(&pipeline).await.rows().await.unwrap();
    assert_eq!((rows.items.len(), rows.unreadable.len()), (all, 0), "its row says that it is there");
    let (unreadable, _) = counted(&pipeline);
    assert!(unreadable >= 1.0);
    // The new policy is sent for it, which fails and is seen.
    assert!(
        pipeline.dead().iter().all(|(_, reason)| reason.contains("attribute facts")),
        "{:?}",
        pipeline.dead()
    );
}
