//! What is stored besides evidence: the index of all images (docs/adr/0019) and what is known of vulnerabilities; and what
//! of that ends when an image is gone.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test says what it expects by failing.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;
use domain::image::ImageId;
use domain::ledger::Evidence;
use domain::verdict::Verdict;
use jiff::{Timestamp, ToSpan};
use pipeline_tests::{
    ACTS, act, event, ledgers, pipeline, pipeline_with, play, quarantined, rows, setting, stream, tables,
};
use serde_json::{Value, json};
use sim_aws::{Fault, Nth};
use sim_pipeline::{Outcome, Pipeline, ReasonGiven};

type Item = HashMap<String, AttributeValue>;

async fn item(pipeline: &Pipeline, id: String) -> Option<Item> {
    let request = tables(pipeline).await.get_item().table_name(pipeline.ledger_table());
    request.key("id", AttributeValue::S(id)).send().await.unwrap().item
}

async fn ledger_item(pipeline: &Pipeline) -> Item {
    item(pipeline, format!("image#{}", quarantined())).await.unwrap()
}

// The index.

#[tokio::test]
async fn rows_are_read_from_all_shards_and_to_the_last_page() {
    let pipeline = pipeline().await;
    let ledgers = ledgers(&pipeline).await;
    let due = Timestamp::from_second(1_800_000_000).unwrap();
    let mut expected = BTreeSet::new();
    for number in 0..100 {
        let digest = format!("sha256:{number:064x}").try_into().unwrap();
        let image = ImageId { digest, ..quarantined() };
        let mut stored = ledgers.load(&image).await.unwrap();
        stored.due = (number % 2 == 0).then_some(due);
        assert!(ledgers.store(&mut stored).await.unwrap());
        assert_eq!(ledgers.load(&image).await.unwrap().due, stored.due);
        expected.insert((image, stored.due));
    }
    pipeline.aws.dynamodb().limit_pages(1);
    let rows = ledgers.rows().await.unwrap().items;
    assert_eq!(rows.len(), 100);
    let found: BTreeSet<_> = rows.into_iter().map(|listed| (listed.image, listed.due)).collect();
    assert_eq!(found, expected);
    assert!(pipeline.aws.calls()["dynamodb:Query"] >= 100, "one page for each");
}

#[tokio::test]
async fn a_page_of_the_index_that_fails_is_no_list() {
    let mut pipeline = pipeline().await;
    play(&mut pipeline, act("1-push")).await;
    pipeline.aws.faults().inject("dynamodb:Query", Fault::ServerError, Nth::Always);
    assert!(ledgers(&pipeline).await.rows().await.is_err());
}

#[tokio::test]
async fn items_of_the_release_before_get_into_the_index_with_their_next_store() {
    let mut pipeline = pipeline().await;
    play(&mut pipeline, [act("1-push"), act("2-scan")].concat()).await;
    let (client, table) = (tables(&pipeline).await, pipeline.ledger_table());
    for item in client.scan().table_name(&table).send().await.unwrap().items() {
        let Some(facts) = item.get("facts") else { continue };
        let mut facts: Value = serde_json::from_str(facts.as_s().unwrap()).unwrap();
        for new in ["since", "owner", "environment"] {
            facts.as_object_mut().unwrap().remove(new);
        }
        let request = client.update_item().table_name(&table).key("id", item["id"].clone());
        let request = request.update_expression("SET facts = :facts REMOVE #shard, due, #row");
        let request = request.expression_attribute_names("#row", "row");
        let request = request.expression_attribute_names("#shard", "shard");
        let request = request.expression_attribute_values(":facts", AttributeValue::S(facts.to_string()));
        request.send().await.unwrap();
    }
    assert!(rows(&pipeline).await.is_empty());
    // Nothing new is in the duplicates, so nothing is stored.
    play(&mut pipeline, act("3-again")).await;
    assert!(rows(&pipeline).await.is_empty());

    let mut push = event("1-push", "ECR Image Action");
    push["time"] = json!("2026-03-04T09:00:00Z");
    push["detail"]["image-tag"] = json!("another");
    play(&mut pipeline, stream([push])).await;
    let rows = rows(&pipeline).await;
    assert_eq!(rows.keys().collect::<Vec<_>>(), [&quarantined()], "only that one was touched");
    let row = &rows[&quarantined()];
    assert_eq!((row.verdict, row.quarantined, row.since), (Verdict::Quarantine, true, None));
    assert_eq!(row.open.values().sum::<u64>(), 5);
    assert_eq!(row.tags, ["1.4.0", "another", "latest"]);
}

// Images that are gone.

fn deletion() -> Value {
    let mut event = event("1-push", "ECR Image Action");
    event["id"] = json!("deletion");
    event["time"] = json!("2026-03-04T09:00:00Z");
    event["detail"]["action-type"] = json!("DELETE");
    event["detail"].as_object_mut().unwrap().remove("image-tag");
    event
}

fn pushed_again() -> Value {
    let mut event = event("1-push", "ECR Image Action");
    event["id"] = json!("pushed-again");
    event["time"] = json!("2026-03-05T09:00:00Z");
    event
}

#[tokio::test]
async fn an_image_that_is_gone_leaves_the_index_expires_and_comes_back_with_a_push() {
    let mut setting = setting();
    setting.parameters.insert("GoneRetentionDays".to_owned(), "30".to_owned());
    let mut pipeline = pipeline_with(setting).await;
    play(&mut pipeline, [act("1-push"), act("2-scan")].concat()).await;
    let before = rows(&pipeline).await;
    assert!(before.contains_key(&quarantined()));
    assert!(!ledger_item(&pipeline).await.contains_key("expires"));

    play(&mut pipeline, stream([deletion()])).await;
    let mut others = before.clone();
    others.remove(&quarantined());
    assert_eq!(rows(&pipeline).await, others);
    let gone: Timestamp = "2026-03-04T09:00:00Z".parse().unwrap();
    let expires = gone.checked_add((30 * 24).hours()).unwrap().as_second();
    assert_eq!(ledger_item(&pipeline).await["expires"].as_n().unwrap(), &expires.to_string());

    play(&mut pipeline, stream([pushed_again()])).await;
    assert!(!ledger_item(&pipeline).await.contains_key("expires"));
    let row = &rows(&pipeline).await[&quarantined()];
    assert_eq!((row.verdict, row.since), (Verdict::Quarantine, before[&quarantined()].since));
    assert_eq!(row.tags, ["1.4.0"], "only what was pushed again");
}

#[tokio::test]
async fn deletion_and_push_end_the_same_in_any_order() {
    for events in [[deletion(), pushed_again()], [pushed_again(), deletion()]] {
        let mut pipeline = pipeline().await;
        play(&mut pipeline, [act("1-push"), act("2-scan")].concat()).await;
        for event in events {
            play(&mut pipeline, stream([event])).await;
        }
        assert!(!ledger_item(&pipeline).await.contains_key("expires"));
        assert!(rows(&pipeline).await.contains_key(&quarantined()));
    }
}

#[tokio::test]
async fn a_push_during_which_the_ledger_expires_is_not_lost() {
    let mut pipeline = pipeline().await;
    play(&mut pipeline, [act("1-push"), act("2-scan")].concat()).await;
    play(&mut pipeline, stream([deletion()])).await;
    let ledgers = ledgers(&pipeline).await;
    let mut stored = ledgers.load(&quarantined()).await.unwrap();
    let client = tables(&pipeline).await;
    let delete = client.delete_item().table_name(pipeline.ledger_table());
    let key = AttributeValue::S(format!("image#{}", quarantined()));
    delete.key("id", key).send().await.unwrap();

    let at: Timestamp = "2027-06-01T09:00:00Z".parse().unwrap();
    let push = || Evidence::Tagged { at, tags: vec!["back".to_owned()] };
    stored.ledger.merge(push());
    assert!(!ledgers.store(&mut stored).await.unwrap(), "the version that was loaded is no longer there");
    let mut anew = ledgers.load(&quarantined()).await.unwrap();
    anew.ledger.merge(push());
    assert!(ledgers.store(&mut anew).await.unwrap());
    assert_eq!(rows(&pipeline).await[&quarantined()].tags, ["back"]);
}

// What is known of vulnerabilities.

/// A pipeline in which assess-image gets one message at a time.
async fn one_at_a_time() -> Pipeline {
    let mut setting = setting();
    assert!(setting.template.contains("BatchSize: 1000"));
    setting.template = setting.template.replace("BatchSize: 1000", "BatchSize: 1");
    pipeline_with(setting).await
}

async fn before_the_spread(pipeline: &mut Pipeline) {
    for name in &ACTS[..5] {
        play(pipeline, act(name)).await;
    }
}

fn asked(pipeline: &Pipeline) -> u64 {
    pipeline.aws.calls()["inspector2:BatchGetFindingDetails"]
}

/// In how many images the spreading vulnerability is known to be exploited.
fn known_to_be_exploited(outcome: &Outcome) -> usize {
    let is_it = |reason: &ReasonGiven| {
        reason.vulnerability == "CVE-2026-91200" && reason.rule == "exploited-in-the-wild"
    };
    outcome.images.iter().filter(|image| image.reasons.iter().any(is_it)).count()
}

#[tokio::test]
async fn three_images_with_one_vulnerability_ask_about_it_once() {
    let mut pipeline = one_at_a_time().await;
    before_the_spread(&mut pipeline).await;
    let before = asked(&pipeline);
    let outcome = play(&mut pipeline, act("6-spread")).await;
    assert_eq!(asked(&pipeline) - before, 1);
    assert_eq!(known_to_be_exploited(&outcome), 3);
    let item = item(&pipeline, "vulnerability#CVE-2026-91200".to_owned()).await.unwrap();
    assert_eq!(item["exploited"], AttributeValue::Bool(true));
    assert!(!item.contains_key("expires"), "a yes is for ever");
}

#[tokio::test]
async fn a_no_expires_after_a_day() {
    let mut pipeline = pipeline().await;
    play(&mut pipeline, [act("1-push"), act("2-scan")].concat()).await;
    let no = item(&pipeline, "vulnerability#CVE-2025-90788".to_owned()).await.unwrap();
    let asked_at: Timestamp = no["asked_at"].as_s().unwrap().parse().unwrap();
    assert_eq!(no["exploited"], AttributeValue::Bool(false));
    assert_eq!(no["expires"].as_n().unwrap(), &(asked_at.as_second() + 86_400).to_string());
}

#[tokio::test]
async fn verdicts_wait_neither_for_reading_nor_for_writing_what_is_known() {
    let mut whole = pipeline().await;
    for name in ACTS {
        play(&mut whole, act(name)).await;
    }
    let whole = Outcome::of(&whole).await.unwrap();
    for action in ["dynamodb:BatchGetItem", "dynamodb:BatchWriteItem"] {
        for fault in [Fault::ServerError, Fault::Throttle, Fault::ResponseLost] {
            let mut pipeline = pipeline().await;
            pipeline.aws.faults().inject(action, fault, Nth::Always);
            for name in ACTS {
                play(&mut pipeline, act(name)).await;
            }
            let outcome = Outcome::of(&pipeline).await.unwrap();
            assert_eq!(outcome.images, whole.images, "{fault:?} of {action}");
        }
    }
}

#[tokio::test]
async fn answers_that_are_left_unprocessed_are_asked_for_again() {
    let mut pipeline = one_at_a_time().await;
    before_the_spread(&mut pipeline).await;
    play(&mut pipeline, act("6-spread")[..1].to_vec()).await;
    let before = (asked(&pipeline), pipeline.aws.calls()["dynamodb:BatchGetItem"]);
    pipeline.aws.dynamodb().leave_unprocessed(1);
    play(&mut pipeline, act("6-spread")[1..2].to_vec()).await;
    assert_eq!(asked(&pipeline), before.0, "it was read all the same");
    assert_eq!(pipeline.aws.calls()["dynamodb:BatchGetItem"], before.1 + 2);
}

#[tokio::test]
async fn a_finding_without_details_says_nothing_of_other_images() {
    let mut pipeline = one_at_a_time().await;
    before_the_spread(&mut pipeline).await;
    let spread = act("6-spread");
    // Inspector itself does not know of the first of them, so it has no details to give.
    let before = asked(&pipeline);
    pipeline.run(spread[..1].to_vec(), |_| ()).await.unwrap();
    assert_eq!(asked(&pipeline), before + 1);
    assert_eq!(item(&pipeline, "vulnerability#CVE-2026-91200".to_owned()).await, None);

    let outcome = play(&mut pipeline, spread[1..].to_vec()).await;
    assert_eq!(asked(&pipeline), before + 2);
    assert_eq!(known_to_be_exploited(&outcome), 2);
}
