//! What an image says of itself in labels and annotations: read once, for what people may be told of. What cannot be had is
//! not said, and holds nothing back.
#![allow(clippy::unwrap_used, clippy::expect_used)] // A test says what it expects by failing.

use std::time::Duration;

use aws::ecr::Blobs;
use domain::image::ImageId;
use domain::provenance::Blob;
use domain::text::with_causes;
use domain::verdict::Verdict;
use pipeline_tests::buildx::{Manifest, REPOSITORY, minute};
use pipeline_tests::{file, pipeline_with, play, setting, stream};
use serde_json::{Value, json};
use sim_aws::{Fault, Nth, SeedImage};
use sim_pipeline::{Outcome, Pipeline};

const ACCOUNT: &str = "210987654321";
const MANIFEST: &str = "ecr:BatchGetImage";
const URL: &str = "ecr:GetDownloadUrlForLayer";
const DOWNLOAD: &str = "s3:GetObject";
const LINES: &str = "\nSource   https://github.com/acme/shop @ 3f2a91c\nBase     docker.io/library/debian:13-slim @ \
                     cdcdcdcdcdcd\nBuilt    2026-03-02 08:59 UTC\n";

/// Every critical vulnerability is worth an alert.
async fn world() -> Pipeline {
    let mut setting = setting();
    setting.policy = file("tests/pipeline/critical-policy.yaml");
    pipeline_with(setting).await
}

fn key(name: &str) -> String {
    format!("org.opencontainers.image.{name}")
}

fn labels(source: &str) -> Value {
    json!({
        key("source"): source, key("revision"): "3f2a91c5d0c1e7b2a4f6089d3e5c7b1a2f4d6e80",
        key("created"): "2026-03-02T08:59:00Z", key("base.name"): "docker.io/library/debian:13-slim",
        key("base.digest"): format!("sha256:{}", "cd".repeat(32)), "maintainer": "mary@example.com",
    })
}

/// An image with these labels, whose config is in the registry.
fn labelled(pipeline: &Pipeline, platform: &str, labels: &Value) -> Manifest {
    let (image, digest, config) = Manifest::labelled(platform, labels, &Value::Null);
    pipeline.aws.ecr().seed_layer(ACCOUNT, REPOSITORY, &digest, config);
    image
}

fn shop(pipeline: &Pipeline) -> Manifest {
    labelled(pipeline, "linux/amd64", &labels("https://github.com/acme/shop"))
}

/// It is pushed by a tag and scanned, with one critical vulnerability.
async fn told(pipeline: &mut Pipeline, image: &Manifest) -> Outcome {
    let events = [image.push("1.0", minute(0)).to_vec(), image.scan(&["CVE-2026-1"], minute(1))].concat();
    play(pipeline, stream(events)).await
}

/// One more critical vulnerability is found in it.
async fn told_again(pipeline: &mut Pipeline, image: &Manifest, number: i64) -> Outcome {
    let finding = image.finding(&format!("CVE-2026-{number}"), "ACTIVE", minute(number));
    play(pipeline, stream([finding])).await
}

/// How often the manifest, the URL and the config were asked for, for labels.
fn asked(pipeline: &Pipeline) -> [u64; 3] {
    let calls = pipeline.aws.calls_by_caller();
    let by = |caller: &str, action: &str| {
        calls.get(&(caller.to_owned(), action.to_owned())).copied().unwrap_or_default()
    };
    [by("assess-image", MANIFEST), by("assess-image", URL), by("", DOWNLOAD)]
}

fn text(outcome: &Outcome) -> &str {
    &outcome.alerts.last().unwrap().text
}

/// What the last alert says in its form for programs, which is what was announced.
fn announced(pipeline: &Pipeline) -> Value {
    let published = pipeline.aws.sns().published();
    let forms: Value = serde_json::from_str(&published.last().unwrap().message).unwrap();
    let form: Value = serde_json::from_str(forms["sqs"].as_str().unwrap()).unwrap();
    form["images"][0]["labels"].clone()
}

#[tokio::test]
async fn alert_and_announcement_say_what_the_image_says_of_itself() {
    let mut pipeline = world().await;
    let image = shop(&pipeline);
    let outcome = told(&mut pipeline, &image).await;
    assert!(text(&outcome).contains(LINES), "{}", text(&outcome));
    let expected = json!({
        "source": "https://github.com/acme/shop", "revision": "3f2a91c5d0c1e7b2a4f6089d3e5c7b1a2f4d6e80",
        "created": "2026-03-02T08:59:00Z", "base_name": "docker.io/library/debian:13-slim",
        "base_digest": format!("sha256:{}", "cd".repeat(32)),
    });
    assert_eq!(announced(&pipeline), expected);
}

#[tokio::test]
async fn labels_of_an_image_are_read_once() {
    let mut pipeline = world().await;
    let image = shop(&pipeline);
    told(&mut pipeline, &image).await;
    assert_eq!(asked(&pipeline), [1, 1, 1]);
    let again = told_again(&mut pipeline, &image, 2000).await;
    assert_eq!(again.alerts.len(), 2);
    assert!(text(&again).contains(LINES), "{}", text(&again));
    assert_eq!(asked(&pipeline), [1, 1, 1]);
}

#[tokio::test]
async fn image_without_labels_is_not_asked_for_them_again() {
    let mut pipeline = world().await;
    let image = labelled(&pipeline, "linux/amd64", &Value::Null);
    let outcome = told(&mut pipeline, &image).await;
    told_again(&mut pipeline, &image, 2000).await;
    assert_eq!((text(&outcome).contains("Source"), announced(&pipeline)), (false, Value::Null));
    assert_eq!(asked(&pipeline), [1, 1, 1]);
}

#[tokio::test]
async fn where_nobody_is_told_nothing_is_asked() {
    let mut pipeline = world().await;
    let image = shop(&pipeline);
    let events = [image.push("1.0", minute(0)).to_vec(), image.scan(&[], minute(1))].concat();
    let outcome = play(&mut pipeline, stream(events)).await;
    assert_eq!((outcome.images[0].verdict, outcome.alerts.len()), (Verdict::Clear, 0));
    assert_eq!(asked(&pipeline), [0, 0, 0]);
}

#[tokio::test]
async fn index_says_what_the_first_of_its_images_says() {
    let mut pipeline = world().await;
    let mut images = ["linux/amd64", "linux/arm64"]
        .map(|platform| labelled(&pipeline, platform, &labels(&format!("https://example.com/{platform}"))));
    images.sort_by_key(Manifest::digest);
    let index = Manifest::index(&images);
    let mut events: Vec<Value> = images.iter().flat_map(|image| image.push("", minute(0))).collect();
    events.extend(index.push("1.0", minute(0)));
    // The other one is what people are told of.
    events.extend(images[0].scan(&[], minute(1)));
    events.extend(images[1].scan(&["CVE-2026-1"], minute(1)));
    let outcome = play(&mut pipeline, stream(events)).await;
    let source = format!("\nSource   https://example.com/{} @ 3f2a91c\n", images[0].platform);
    assert!(text(&outcome).contains(&source), "{}", text(&outcome));
    let again = told_again(&mut pipeline, &images[1], 2000).await;
    assert!(again.alerts.len() == 2 && text(&again).contains(&source), "{}", text(&again));
    assert_eq!(asked(&pipeline), [1, 1, 1]);
}

#[tokio::test]
async fn index_is_told_what_was_read_for_its_image_already() {
    let mut pipeline = world().await;
    let image = shop(&pipeline);
    told(&mut pipeline, &image).await;
    let index = Manifest::index(std::slice::from_ref(&image));
    let outcome = play(&mut pipeline, stream(index.push("2.0", minute(10)))).await;
    assert!(text(&outcome).contains(LINES), "{}", text(&outcome));
    assert_eq!((outcome.alerts.len(), asked(&pipeline)), (2, [1, 1, 1]));
}

#[tokio::test]
async fn config_that_is_not_to_be_had_leaves_what_the_annotations_say() {
    let annotations = json!({ key("source"): "https://github.com/acme/shop" });
    let (image, digest, config) =
        Manifest::labelled("linux/amd64", &labels("https://example.com"), &annotations);
    // ECR does not have it: that is an answer, and nothing is wrong with the next image.
    let mut pipeline = world().await;
    let outcome = told(&mut pipeline, &image).await;
    let source = "\nSource   https://github.com/acme/shop\nOpen ";
    assert!(text(&outcome).contains(source), "{}", text(&outcome));
    assert_eq!(asked(&pipeline), [1, 1, 0]);
    let other = shop(&pipeline);
    assert!(text(&told(&mut pipeline, &other).await).contains(LINES));
    // It is larger than a config ever is: nothing is downloaded.
    let mut pipeline = world().await;
    let huge = Manifest::of_config("linux/amd64", &digest, (1 << 20) + 1, &annotations);
    pipeline.aws.ecr().seed_layer(ACCOUNT, REPOSITORY, &digest, config);
    let outcome = told(&mut pipeline, &huge).await;
    assert!(text(&outcome).contains(source), "{}", text(&outcome));
    assert_eq!(asked(&pipeline), [1, 0, 0]);
}

#[tokio::test]
async fn bytes_that_are_not_the_config_are_not_believed() {
    let forged = json!({ "config": { "Labels": labels("https://evil.example") } }).to_string();
    let (image, digest, config) =
        Manifest::labelled("linux/amd64", &labels("https://github.com/acme"), &Value::Null);
    assert!(forged.len() < config.len());
    for wrong in [forged, format!("{config} "), config[1..].to_owned(), String::new(), " ".repeat(1 << 21)] {
        let mut pipeline = world().await;
        pipeline.aws.ecr().seed_layer(ACCOUNT, REPOSITORY, &digest, wrong.clone());
        let outcome = told(&mut pipeline, &image).await;
        assert!(!text(&outcome).contains("Source"), "{wrong}: {}", text(&outcome));
        assert_eq!((outcome.events.dead, asked(&pipeline)), (0, [1, 1, 1]), "{wrong}");
    }
}

/// In the cloud no HTTP client is set, and the SDK's own is used.
#[tokio::test]
async fn config_is_downloaded_over_http_with_the_clients_that_are_made_by_default() {
    let pipeline = world().await;
    let (image, digest, config) = Manifest::labelled("linux/amd64", &labels("https://x"), &Value::Null);
    pipeline.aws.ecr().seed_layer(ACCOUNT, REPOSITORY, &digest, config.clone());
    let id = ImageId {
        account: ACCOUNT.to_owned(),
        region: "eu-west-1".to_owned(),
        repository: REPOSITORY.to_owned(),
        digest: image.digest().try_into().unwrap(),
    };
    pipeline.aws.ecr().seed_image(SeedImage {
        registry: ACCOUNT.to_owned(),
        repository: REPOSITORY.to_owned(),
        digest: image.digest(),
        manifest: Some(image.body),
        ..SeedImage::default()
    });
    let (address, server) = pipeline.aws.serve("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let mut outside = pipeline.aws.sdk_config().await.to_builder().endpoint_url(format!("http://{address}"));
    outside.set_http_client(None::<aws_sdk_ecr::config::SharedHttpClient>);
    let blobs = Blobs::new(aws_sdk_ecr::Client::new(&outside.build()));
    let blob = Blob { digest: digest.try_into().unwrap(), size: config.len() as u64 };
    assert_eq!(blobs.get(&id, &blob).await.unwrap(), Some(config.into_bytes()));
    assert_eq!(pipeline.aws.calls()[DOWNLOAD], 1);
    pipeline.aws.faults().inject(DOWNLOAD, Fault::Denied, Nth::Times(1));
    let error = with_causes(&blobs.get(&id, &blob).await.unwrap_err());
    assert!(error.ends_with("the URL of the blob was answered with the status 403"), "{error}");
    server.abort();
}

/// Each call, in each way in which it can fail: the same verdict, the same alert but for the labels, no message that comes
/// back, and nothing is asked for until the pause is over.
#[tokio::test]
async fn labels_that_cannot_be_read_hold_nothing_back() {
    let mut calm = world().await;
    let image = shop(&calm);
    let expected = told(&mut calm, &image).await;
    for action in [MANIFEST, URL, DOWNLOAD] {
        for fault in [
            Fault::Denied,
            Fault::Throttle,
            Fault::ServerError,
            Fault::ResponseLost,
            Fault::Slow(Duration::from_mins(1)),
        ] {
            let when = format!("{action} {fault:?}");
            let mut pipeline = world().await;
            let image = shop(&pipeline);
            // The SDK tries again where that may help, but no download. What enforcement asks for is left in peace.
            let tries = match fault {
                Fault::Throttle | Fault::ServerError | Fault::ResponseLost if action != DOWNLOAD => 3,
                _ => 1,
            };
            pipeline.aws.faults().inject(action, fault, Nth::Times(tries));
            let outcome = told(&mut pipeline, &image).await;
            pipeline.aws.faults().clear();
            assert_eq!(outcome.images[0].verdict, expected.images[0].verdict, "{when}");
            assert_eq!(text(&outcome), text(&expected).replace(LINES, "\n"), "{when}");
            assert_eq!((outcome.alerts.len(), outcome.events.dead), (1, 0), "{when}");
            assert_eq!(pipeline.most_receives(), calm.most_receives(), "{when}");
            let before = asked(&pipeline);
            let soon = told_again(&mut pipeline, &image, 5).await;
            assert_eq!((soon.alerts.len(), asked(&pipeline)), (2, before), "{when}: asked in the pause");
            assert!(!text(&soon).contains("Source"), "{when}");
            let later = told_again(&mut pipeline, &image, 60).await;
            assert!(text(&later).contains(LINES), "{when}: {}", text(&later));
        }
    }
}
