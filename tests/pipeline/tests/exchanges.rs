//! Writes down what the functions and the simulated AWS say to each other, for `tests/deployed/test_api_models.py` to hold
//! against AWS's own models of its APIs.
#![allow(clippy::unwrap_used)] // A test says what it expects by failing.

use std::path::Path;
use std::time::Duration;

use pipeline_tests::{ACTS, act, pipeline, play};
use sim_aws::{Fault, Nth};

#[tokio::test]
async fn exchanges_of_the_whole_story_are_written_down() {
    let mut pipeline = pipeline().await;
    pipeline.aws.record_exchanges();
    // Refusals are exchanges, too.
    for action in [
        "dynamodb:PutItem",
        "inspector2:ListFindings",
        "ecr:DescribeImages",
        "sns:Publish",
        "sqs:SendMessage",
    ] {
        pipeline.aws.faults().inject(action, Fault::Throttle, Nth::Call(1));
        pipeline.aws.faults().inject(action, Fault::ServerError, Nth::Call(2));
    }
    pipeline.limit("record-push", 1, Duration::from_secs(5));
    for name in ACTS {
        play(&mut pipeline, act(name)).await;
    }
    let exchanges = pipeline.aws.take_exchanges();
    let refused = exchanges.iter().filter(|exchange| exchange.response.status >= 400).count();
    assert!(exchanges.len() > 100 && refused >= 10, "{} exchanges, {refused} refused", exchanges.len());
    let lines: Vec<String> =
        exchanges.iter().map(|exchange| serde_json::to_string(exchange).unwrap() + "\n").collect();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("exchanges-pipeline");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("story.jsonl"), lines.concat()).unwrap();
}
