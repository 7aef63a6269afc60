//! AWS lets no more through than its quotas allow, and the pipeline gets there all the same.
#![allow(clippy::unwrap_used)] // A test says what it expects by failing.

use pipeline_tests::buildx::{Manifest, minute};
use pipeline_tests::{pipeline, play, stream};
use sim_aws::Quota;
use sim_pipeline::{Delivery, Outcome, Pipeline};

const IMAGES: usize = 30;

/// The pushes and scans of images for one platform each.
fn scans() -> Vec<Delivery> {
    let events = (0..IMAGES).map(|number| {
        let image = Manifest::image("linux/amd64", &number.to_string());
        let tag = number.to_string();
        [image.push(&tag, minute(0)).to_vec(), image.scan(&["CVE-2026-1"], minute(1))].concat()
    });
    stream(events.flatten())
}

/// What comes of the scans, how many seconds it took by the pipeline's own clock, and how many calls Inspector let
/// through.
async fn with(quota: Option<Quota>) -> (Outcome, i64, u64) {
    let mut pipeline: Pipeline = pipeline().await;
    pipeline.let_functions_wait().await.unwrap();
    pipeline.establish(&scans());
    if let Some(quota) = quota {
        pipeline.aws.quotas().set("inspector2:*", quota);
    }
    let begin = pipeline.now();
    let outcome = play(&mut pipeline, scans()).await;
    assert_eq!(pipeline.dead(), []);
    let inspector = |calls: std::collections::BTreeMap<String, u64>| -> u64 {
        calls.iter().filter(|(action, _)| action.starts_with("inspector2:")).map(|(_, count)| count).sum()
    };
    let through = inspector(pipeline.calls()) - inspector(pipeline.aws.quotas().throttled());
    (outcome, (pipeline.now() - begin) / 1_000, through)
}

#[tokio::test(start_paused = true)]
async fn a_quota_changes_when_it_is_done_and_not_what_comes_of_it() {
    let (free, at_once, calls) = with(None).await;
    assert_eq!((at_once, free.images.len()), (0, IMAGES));
    assert!(calls >= 30, "{calls} calls");
    let (slow, seconds, through) = with(Some(Quota { per_second: 1.0, burst: 1.0 })).await;
    assert_eq!(free.images, slow.images);
    assert!(slow.calls.values().sum::<u64>() > free.calls.values().sum());
    // No faster than it is let, and the clock shows it.
    assert!(seconds + 1 >= i64::try_from(through).unwrap(), "{through} calls in {seconds} seconds");
    let (faster, less, _) = with(Some(Quota { per_second: 20.0, burst: 20.0 })).await;
    assert_eq!(free.images, faster.images);
    println!("{through} calls in {seconds} seconds at one a second, {less} seconds at twenty");
    assert!(less < seconds, "{less} seconds at twenty a second, and {seconds} at one");
}
