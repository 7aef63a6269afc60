//! Quarantine: what it does to an image, what it never does, and what ends it (invariants 7, 8 and 9).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)] // A test says what it expects by failing.

use std::time::Duration;

use aws::dynamodb::Ledgers;
use aws::ecr::{Manifest, Registry};
use aws_lambda_events::event::sqs::SqsEvent;
use domain::verdict::Verdict;
use enforce_quarantine::EnforceQuarantine;
use lambda::batch::{Report, Retry};
use lambda::clock::Clock;
use lambda::deadline::Deadline;
use lambda::environment::Environment;
use pipeline_tests::{QUARANTINED, act, event, pipeline, pipeline_with, play, quarantined, setting, stream};
use serde_json::json;
use sim_aws::{Fault, ImageStatus, ImageView, Mutability, Nth, SeedImage};
use sim_pipeline::{Outcome, Pipeline};

const TAG: &str = "quarantine-7e6c2638cb94";
const RELEASED: &str = "released-from-quarantine-7e6c2638cb94";

fn image(pipeline: &Pipeline) -> ImageView {
    pipeline.aws.ecr().images().into_iter().find(|image| image.digest == QUARANTINED).unwrap()
}

fn verdict(outcome: &Outcome) -> Verdict {
    outcome.images.iter().find(|image| image.digest == QUARANTINED).unwrap().verdict
}

#[tokio::test]
async fn the_tag_is_added_and_nothing_else_changes() {
    let mut pipeline = pipeline().await;
    play(&mut pipeline, act("1-push")).await;
    let before = image(&pipeline);
    play(&mut pipeline, act("2-scan")).await;
    let after = image(&pipeline);
    assert_eq!(after.tags, ["1.4.0", "latest", TAG]);
    assert_eq!((after.manifest, after.media_type), (before.manifest, before.media_type));
}

#[tokio::test]
async fn an_immutable_repository_takes_the_tag_too() {
    for mutability in [Mutability::Immutable, Mutability::ImmutableWithExclusion(vec!["latest".to_owned()])] {
        let mut pipeline = pipeline().await;
        pipeline.aws.ecr().create_repository("210987654321", "shop/checkout", mutability);
        play(&mut pipeline, [act("1-push"), act("2-scan")].concat()).await;
        assert!(image(&pipeline).tags.contains(&TAG.to_owned()));
    }
}

#[tokio::test]
async fn a_tag_that_is_there_already_is_success() {
    let mut pipeline = pipeline().await;
    play(&mut pipeline, [act("1-push"), act("2-scan")].concat()).await;
    // The ledger changes once more, and the announcement finds the tag on.
    let mut later = event("2-scan", "Inspector2 Finding");
    later["detail"]["findingArn"] =
        json!("arn:aws:inspector2:eu-west-1:210987654321:finding/0123456789abcdef0123456789abcdef");
    let outcome = play(&mut pipeline, stream([later])).await;
    assert_eq!(outcome.calls["ecr:PutImage"], 1);
    assert_eq!(outcome.events.dead, 0);
}

#[tokio::test]
async fn a_tag_of_our_name_on_another_image_is_no_success() {
    let mut pipeline = pipeline().await;
    play(&mut pipeline, act("1-push")).await;
    pipeline.aws.ecr().create_repository("210987654321", "shop/checkout", Mutability::Immutable);
    pipeline.aws.ecr().seed_image(SeedImage {
        registry: "210987654321".to_owned(),
        repository: "shop/checkout".to_owned(),
        digest: format!("sha256:{}", "ab".repeat(32)),
        tags: vec![TAG.to_owned()],
        ..SeedImage::default()
    });
    let outcome = play(&mut pipeline, act("2-scan")).await;
    assert!(!image(&pipeline).tags.contains(&TAG.to_owned()));
    let (origin, reason) = &pipeline.dead()[0];
    assert!(origin.starts_with("enforce-quarantine") && reason.contains(TAG), "{origin}: {reason}");
    assert_eq!(outcome.events.dead, 1);
}

#[tokio::test]
async fn observing_calls_nothing_that_changes_the_registry_and_says_so() {
    let mut setting = setting();
    setting.parameters.insert("QuarantineMode".to_owned(), "observe".to_owned());
    let mut pipeline = pipeline_with(setting).await;
    let outcome = play(&mut pipeline, [act("1-push"), act("2-scan")].concat()).await;
    assert_eq!(verdict(&outcome), Verdict::Quarantine);
    assert!(!outcome.calls.contains_key("ecr:PutImage"));
    assert_eq!(image(&pipeline).tags, ["1.4.0", "latest"]);
    assert!(outcome.alerts[0].text.contains("nothing was changed, because the quarantine mode is observe"));
}

#[tokio::test]
async fn our_own_tags_come_back_and_end_there() {
    let mut pipeline = pipeline().await;
    let outcome = play(&mut pipeline, [act("1-push"), act("2-scan")].concat()).await;
    assert_eq!(outcome.calls["ecr:PutImage"], 1);
    let before = pipeline.aws.calls();
    pipeline.settle().await.unwrap();
    assert_eq!(pipeline.aws.calls(), before);

    // The same without the guard in the rules: the function itself recognises them.
    let mut setting = setting();
    setting.template = setting.template.replace(
        "{ anything-but: { prefix: [quarantine-, released-from-quarantine-] } }",
        "{ exists: true }",
    );
    let mut unguarded = pipeline_with(setting).await;
    let outcome = play(&mut unguarded, [act("1-push"), act("2-scan")].concat()).await;
    assert_eq!(outcome.calls["ecr:PutImage"], 1);
    assert_eq!(unguarded.skipped()["our own quarantine tag"], 1, "CloudTrail's record names our role");
}

#[tokio::test]
async fn findings_that_close_with_the_image_uncovered_end_no_quarantine() {
    let mut pipeline = pipeline().await;
    play(&mut pipeline, [act("1-push"), act("2-scan")].concat()).await;
    let outcome = play(&mut pipeline, act("5-archived")).await;
    assert_eq!(verdict(&outcome), Verdict::Quarantine);
    assert!(image(&pipeline).tags.contains(&TAG.to_owned()));
    assert!(!pipeline_tests::sums(&outcome).keys().any(|(name, _)| name == "FindingsClosed"));
}

#[tokio::test]
async fn findings_that_close_with_the_image_covered_release_it_once() {
    let mut pipeline = pipeline().await;
    play(&mut pipeline, [act("1-push"), act("2-scan")].concat()).await;
    let closings = || {
        let closed = act("5-archived").into_iter().filter_map(|delivery| delivery.event.ok());
        stream(closed.filter(|event| event["detail-type"] == "Inspector2 Finding"))
    };
    let outcome = play(&mut pipeline, closings()).await;
    assert_eq!(verdict(&outcome), Verdict::Clear);
    assert_eq!(image(&pipeline).tags, ["1.4.0", "latest", RELEASED]);
    assert_eq!(outcome.alerts.last().unwrap().subject, "Released: shop/checkout:1.4.0 (+1 tag)");
    let again = play(&mut pipeline, closings()).await;
    assert_eq!(again.alerts.len(), outcome.alerts.len());
}

#[tokio::test]
async fn image_without_another_tag_is_released_too() {
    let mut pipeline = pipeline().await;
    play(&mut pipeline, [act("1-push"), act("2-scan")].concat()).await;
    for tag in ["1.4.0", "latest"] {
        pipeline.aws.ecr().seed_untag(ACCOUNT, REPOSITORY, tag);
    }
    let closed = act("5-archived").into_iter().filter_map(|delivery| delivery.event.ok());
    let closed = stream(closed.filter(|event| event["detail-type"] == "Inspector2 Finding"));
    let outcome = play(&mut pipeline, closed).await;
    assert_eq!(verdict(&outcome), Verdict::Clear);
    assert_eq!(image(&pipeline).tags, [RELEASED], "the image would have gone with its last tag");
    let text = &outcome.alerts.last().unwrap().text;
    assert!(text.contains(&format!("loses the tag {TAG}")) && text.contains(RELEASED), "{text}");
}

#[tokio::test]
async fn a_registry_that_refuses_for_good_is_seen_in_the_dead_letters() {
    let mut pipeline = pipeline().await;
    pipeline.aws.faults().inject("ecr:PutImage", Fault::Throttle, Nth::Always);
    let outcome = play(&mut pipeline, [act("1-push"), act("2-scan")].concat()).await;
    assert_eq!(verdict(&outcome), Verdict::Quarantine);
    assert_eq!(outcome.alerts.len(), 1, "the others know nothing of it");
    assert_eq!(outcome.events.dead, 1);
    assert!(pipeline.dead()[0].1.contains("ecr:PutImage failed"), "{:?}", pipeline.dead());
}

#[tokio::test]
async fn a_manifest_that_changed_on_the_way_is_refused() {
    let mut pipeline = pipeline().await;
    play(&mut pipeline, act("1-push")).await;
    let id = quarantined();
    let registry = Registry::new(aws_sdk_ecr::Client::new(&pipeline.aws.sdk_config().await));
    let manifest = registry.manifest(&id).await.unwrap().unwrap();
    let changed = Manifest { text: format!("{} ", manifest.text), ..manifest };
    let error = registry.put_tag(&id, &changed, TAG).await.unwrap_err();
    assert!(error.is("ImageDigestDoesNotMatch") && !error.retryable, "{error}");
}

/// An announcement of the story's first image, as its queue delivers it.
fn announcement() -> SqsEvent {
    let file = pipeline_tests::file("functions/enforce-quarantine/event.json");
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

/// The function with a table of its own, and a pipeline whose story's first image is under quarantine.
struct Enforcing {
    pipeline: Pipeline,
    ledgers: Ledgers,
    function: EnforceQuarantine,
}

impl Enforcing {
    async fn new() -> Self {
        let mut pipeline = pipeline().await;
        play(&mut pipeline, [act("1-push"), act("2-scan")].concat()).await;
        pipeline.aws.dynamodb().create_table("ledgers", "id").await;
        let config = pipeline.aws.sdk_config().await;
        let ledgers = Ledgers::new(aws_sdk_dynamodb::Client::new(&config), "ledgers".to_owned());
        let history = pipeline.history_table();
        let variables = |name: &str| match name {
            "TABLE_NAME" => Some("ledgers".to_owned()),
            "HISTORY_TABLE_NAME" => Some(history.clone()),
            "QUEUE_URL" => Some("https://sqs.eu-west-1.amazonaws.com/210987654321/own".to_owned()),
            "QUARANTINE_MODE" => Some("tag".to_owned()),
            "EVENT_BUS_NAME" => Some("ecr-warden".to_owned()),
            _ => None,
        };
        let clock = Clock::set_to(pipeline.time());
        let function = EnforceQuarantine::new(&config, &Environment::new(&variables), clock).unwrap();
        Self { pipeline, ledgers, function }
    }

    async fn judge(&self, verdict: Verdict) {
        let mut stored = self.ledgers.load(&quarantined()).await.unwrap();
        stored.ledger.announced.verdict = verdict;
        assert!(self.ledgers.store(&mut stored).await.unwrap());
    }

    async fn enforce(&self) -> Report {
        self.function.handle(announcement(), Deadline::never()).await
    }

    /// Lets somebody else push another image with these tags just before a call.
    fn pushed_before(&self, action: &str, call: u64, tags: &[&str]) {
        let ecr = self.pipeline.aws.ecr().clone();
        let pushed = SeedImage { tags: tags.iter().map(|&tag| tag.to_owned()).collect(), ..other() };
        self.pipeline.aws.faults().before(action, call, move || ecr.seed_image(pushed));
    }

    fn find(&self, digest: &str) -> Option<ImageView> {
        self.pipeline.aws.ecr().images().into_iter().find(|image| image.digest == digest)
    }
}

const ACCOUNT: &str = "210987654321";
const REPOSITORY: &str = "shop/checkout";

/// Another image of the same repository.
fn other() -> SeedImage {
    SeedImage {
        registry: ACCOUNT.to_owned(),
        repository: REPOSITORY.to_owned(),
        digest: format!("sha256:{}", "ab".repeat(32)),
        ..SeedImage::default()
    }
}

#[tokio::test]
async fn a_push_that_takes_all_tags_during_the_release_takes_no_image() {
    // Before each call that the release makes: a read, two puts' worth of looks, the removal, a look.
    let calls = [
        ("ecr:DescribeImages", 1),
        ("ecr:BatchGetImage", 1),
        ("ecr:PutImage", 1),
        ("ecr:DescribeImages", 2),
        ("ecr:BatchDeleteImage", 1),
        ("ecr:DescribeImages", 3),
    ];
    for (action, call) in calls {
        let enforcing = Enforcing::new().await;
        enforcing.judge(Verdict::Clear).await;
        let before = image(&enforcing.pipeline);
        enforcing.pushed_before(action, call, &["1.4.0", "latest"]);
        assert_eq!(enforcing.enforce().await.failed, [], "{action} {call}");
        let after = image(&enforcing.pipeline);
        assert_eq!(after.tags, [RELEASED], "{action} {call}");
        assert_eq!((after.manifest, after.media_type), (before.manifest, before.media_type));
        let pushed = enforcing.find(&other().digest).expect("the interference never came");
        assert_eq!(pushed.tags, ["1.4.0", "latest"]);
    }
}

#[tokio::test]
async fn image_that_goes_with_our_tag_is_put_back_and_that_is_said() {
    for fault in [None, Some(Fault::ResponseLost), Some(Fault::ServerError)] {
        let enforcing = Enforcing::new().await;
        enforcing.judge(Verdict::Clear).await;
        let before = image(&enforcing.pipeline);
        enforcing.pushed_before("ecr:BatchDeleteImage", 1, &["1.4.0", "latest", RELEASED]);
        if let Some(fault) = fault {
            // The removal takes effect, and nobody hears of it; or it is done by a later attempt of the SDK.
            let nth = if fault == Fault::ResponseLost { Nth::Always } else { Nth::Call(1) };
            enforcing.pipeline.aws.faults().inject("ecr:BatchDeleteImage", fault, nth);
        }
        let report = enforcing.enforce().await;
        let [failure] = report.failed.as_slice() else { panic!("nobody is told: {report:?}") };
        assert!(
            failure.retry == Retry::ByTheQueue && failure.reason.contains("and was put back"),
            "{}",
            failure.reason
        );
        let after = image(&enforcing.pipeline);
        assert_eq!(after.tags, [TAG], "{fault:?}");
        assert_eq!((after.manifest, after.media_type), (before.manifest, before.media_type));
        // The message comes again, and takes the tag of our name from whoever has it.
        enforcing.pipeline.aws.faults().clear();
        assert_eq!(enforcing.enforce().await.failed, []);
        assert_eq!(image(&enforcing.pipeline).tags, [RELEASED]);
        assert!(enforcing.find(&other().digest).is_some());
    }
}

#[tokio::test]
async fn image_that_cannot_be_put_back_is_said_to_be_lost() {
    let enforcing = Enforcing::new().await;
    enforcing.judge(Verdict::Clear).await;
    enforcing.pushed_before("ecr:BatchDeleteImage", 1, &["1.4.0", "latest", RELEASED]);
    let aws = enforcing.pipeline.aws.clone();
    let refuse = move || aws.faults().inject("ecr:PutImage", Fault::ServerError, Nth::Always);
    enforcing.pipeline.aws.faults().before("ecr:BatchDeleteImage", 1, refuse);
    let report = enforcing.enforce().await;
    let [failure] = report.failed.as_slice() else { panic!("nobody is told: {report:?}") };
    assert_eq!(failure.retry, Retry::Never, "the next attempt has no manifest");
    let said = ["could not be put back", "ecr:PutImage failed"].map(|said| failure.reason.contains(said));
    assert_eq!(said, [true, true], "{}", failure.reason);
}

#[tokio::test]
async fn tag_of_ours_on_another_image_takes_no_image_with_it() {
    for (action, call) in [("ecr:BatchGetImage", 1), ("ecr:PutImage", 1), ("ecr:DescribeImages", 2)] {
        let enforcing = Enforcing::new().await;
        enforcing.judge(Verdict::Clear).await;
        enforcing.pushed_before(action, call, &[TAG]);
        assert_eq!(enforcing.enforce().await.failed, []);
        let pushed = enforcing.find(&other().digest).expect("deleted with our tag");
        assert_eq!(pushed.tags, [TAG], "it is nobody's business but its owner's");
        assert_eq!(image(&enforcing.pipeline).tags, ["1.4.0", "latest", RELEASED]);
    }
}

#[tokio::test]
async fn other_image_that_goes_in_the_last_moment_is_said_to_be_lost() {
    let enforcing = Enforcing::new().await;
    enforcing.judge(Verdict::Clear).await;
    enforcing.pushed_before("ecr:BatchDeleteImage", 1, &[TAG]);
    let report = enforcing.enforce().await;
    let [failure] = report.failed.as_slice() else { panic!("nobody is told: {report:?}") };
    assert!(failure.reason.contains(&other().digest) && failure.retry == Retry::Never, "{}", failure.reason);
    // One that has another tag only loses ours.
    let enforcing = Enforcing::new().await;
    enforcing.judge(Verdict::Clear).await;
    enforcing.pushed_before("ecr:BatchDeleteImage", 1, &[TAG, "2.0"]);
    assert_eq!(enforcing.enforce().await.failed, []);
    assert_eq!(enforcing.find(&other().digest).unwrap().tags, ["2.0"]);
}

#[tokio::test]
async fn image_that_is_archived_meanwhile_is_there_and_stays_archived() {
    for status in [ImageStatus::Archived, ImageStatus::Activating] {
        let enforcing = Enforcing::new().await;
        enforcing.judge(Verdict::Clear).await;
        let ecr = enforcing.pipeline.aws.ecr().clone();
        let archive = move || ecr.set_image_status(ACCOUNT, REPOSITORY, QUARANTINED, status);
        enforcing.pipeline.aws.faults().before("ecr:BatchDeleteImage", 1, archive);
        assert_eq!(enforcing.enforce().await.failed, []);
        let after = image(&enforcing.pipeline);
        assert_eq!(
            (after.status, after.tags),
            (status, ["1.4.0", "latest", RELEASED].map(str::to_owned).to_vec())
        );
    }
}

#[tokio::test]
async fn image_that_comes_under_quarantine_again_is_not_called_released() {
    let enforcing = Enforcing::new().await;
    for (verdict, tag) in [(Verdict::Clear, RELEASED), (Verdict::Quarantine, TAG), (Verdict::Clear, RELEASED)]
    {
        enforcing.judge(verdict).await;
        assert_eq!(enforcing.enforce().await.failed, []);
        assert_eq!(image(&enforcing.pipeline).tags, ["1.4.0", "latest", tag]);
    }
}

#[tokio::test]
async fn a_verdict_that_changes_while_the_tag_is_taken_off_puts_it_on_again() {
    let enforcing = Enforcing::new().await;
    enforcing.judge(Verdict::Clear).await;
    enforcing.pipeline.aws.faults().inject(
        "ecr:BatchDeleteImage",
        Fault::Slow(Duration::from_millis(400)),
        Nth::Call(1),
    );
    let others = async {
        // The tag is still on, so whoever looks now leaves it.
        tokio::time::sleep(Duration::from_millis(100)).await;
        enforcing.judge(Verdict::Quarantine).await;
    };
    let (report, ()) = tokio::join!(enforcing.enforce(), others);
    assert_eq!(report.failed, []);
    assert!(image(&enforcing.pipeline).tags.contains(&TAG.to_owned()), "in quarantine without its tag");
}

#[tokio::test]
async fn an_alert_names_the_tags_that_the_image_has_now() {
    let mut pipeline = pipeline().await;
    // The fix takes over the tag latest, and no event says so of the old image.
    play(&mut pipeline, [act("1-push"), act("2-scan"), act("4-fix")].concat()).await;
    let mut later = event("2-scan", "Inspector2 Finding");
    later["time"] = json!("2026-03-05T09:00:00Z");
    later["detail"]["updatedAt"] = json!("Thu Mar 05 09:00:00.000 UTC 2026");
    later["detail"]["firstObservedAt"] = later["detail"]["updatedAt"].clone();
    later["detail"]["packageVulnerabilityDetails"]["vulnerabilityId"] = json!("CVE-2026-91200");
    later["detail"]["findingArn"] =
        json!("arn:aws:inspector2:eu-west-1:210987654321:finding/0123456789abcdef0123456789abcdef");
    // Inspector still names both tags, and it is five minutes later when it is heard.
    let mut tick = later.clone();
    tick["detail-type"] = json!("Five Minutes Have Passed");
    tick["time"] = json!("2026-03-05T09:05:00Z");
    let outcome = play(&mut pipeline, stream([later, tick])).await;
    let alert = outcome.alerts.last().unwrap();
    assert!(alert.text.contains("CVE-2026-91200") && alert.text.contains(QUARANTINED), "{}", alert.text);
    assert!(alert.text.contains("\nTags     1.4.0\n"), "{}", alert.text);
    assert!(!alert.subject.contains("latest") && !alert.subject.contains("+1 tag"), "{}", alert.subject);
}

#[tokio::test]
async fn what_enforcement_meets_is_one_alert_however_often_it_is_met() {
    let mut setting = setting();
    setting.parameters.insert("QuarantineMode".to_owned(), "untag".to_owned());
    let mut pipeline = pipeline_with(setting).await;
    let told = |outcome: &Outcome| {
        let subjects = outcome.alerts.iter().map(|alert| alert.subject.clone());
        subjects.filter(|subject| subject.starts_with("Quarantine leaves tags on")).collect::<Vec<_>>()
    };
    let outcome = play(&mut pipeline, [act("1-push"), act("2-scan")].concat()).await;
    assert_eq!(told(&outcome), ["Quarantine leaves tags on: shop/checkout@7e6c2638cb94"]);
    assert_eq!(image(&pipeline).tags, ["1.4.0", "latest", TAG]);
    let quarantined = outcome.alerts.iter().find(|alert| alert.subject.starts_with("QUARANTINE")).unwrap();
    assert!(quarantined.text.contains("loses its other tags that cannot move"), "{}", quarantined.text);
    let mut later = event("2-scan", "Inspector2 Finding");
    later["detail"]["findingArn"] =
        json!("arn:aws:inspector2:eu-west-1:210987654321:finding/0123456789abcdef0123456789abcdef");
    let outcome = play(&mut pipeline, stream([later])).await;
    assert_eq!((told(&outcome).len(), outcome.events.dead), (1, 0));
}
