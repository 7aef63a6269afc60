//! Putting images and tags through the real ECR client.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod account;

use account::{ACCOUNT, NOW, OCI_INDEX, OCI_MANIFEST, RecordedAccount, account, digest_of, index, manifest};
use aws_sdk_ecr::Client;
use aws_sdk_ecr::operation::put_image::PutImageError;
use aws_sdk_ecr::types::{
    ImageTagMutability, ImageTagMutabilityExclusionFilter, ImageTagMutabilityExclusionFilterType,
};
use serde_json::Value;
use sim_aws::{ImageStatus, Mutability, STAND_IN_ANNOTATION, SeedImage};

async fn registry(mutability: Mutability) -> (RecordedAccount, Client) {
    let aws = account();
    aws.ecr().create_repository(ACCOUNT, "app", mutability);
    let client = Client::new(&aws.sdk_config().await);
    (aws, client)
}

async fn put(client: &Client, manifest: &str, tag: Option<&str>) -> Result<String, PutImageError> {
    let response = client
        .put_image()
        .repository_name("app")
        .image_manifest(manifest)
        .set_image_tag(tag.map(str::to_owned))
        .send()
        .await
        .map_err(aws_sdk_ecr::error::SdkError::into_service_error)?;
    let image = response.image.unwrap();
    assert_eq!(image.image_manifest(), Some(manifest));
    Ok(image.image_id.unwrap().image_digest.unwrap())
}

#[tokio::test]
async fn digest_is_computed_from_the_bytes_as_sent() {
    let (aws, client) = registry(Mutability::Mutable).await;
    let spaced = manifest("a").replace(':', " : ");
    assert_eq!(put(&client, &spaced, Some("1.0")).await.unwrap(), digest_of(&spaced));
    let view = &aws.ecr().images()[0];
    assert_eq!((view.manifest.as_str(), view.media_type.as_str()), (spaced.as_str(), OCI_MANIFEST));
    assert_eq!((view.pushed_at, view.status), (NOW, ImageStatus::Active));
}

#[tokio::test]
async fn moved_tag_leaves_the_old_image_untagged() {
    let (aws, client) = registry(Mutability::Mutable).await;
    let old = put(&client, &manifest("old"), Some("latest")).await.unwrap();
    let new = put(&client, &manifest("new"), Some("latest")).await.unwrap();
    let images = aws.ecr().images();
    let tags = |digest: &str| images.iter().find(|image| image.digest == digest).unwrap().tags.clone();
    assert_eq!(tags(&old), Vec::<String>::new());
    assert_eq!(tags(&new), ["latest"]);
}

#[tokio::test]
async fn immutable_tag_does_not_move_but_a_new_tag_is_accepted() {
    let (aws, client) = registry(Mutability::Immutable).await;
    put(&client, &manifest("old"), Some("1.0")).await.unwrap();
    let error = put(&client, &manifest("new"), Some("1.0")).await.unwrap_err();
    assert!(matches!(error, PutImageError::ImageTagAlreadyExistsException(_)), "{error:?}");
    put(&client, &manifest("old"), Some("quarantine-1")).await.unwrap();
    assert_eq!(aws.ecr().images()[0].tags, ["1.0", "quarantine-1"]);
}

#[tokio::test]
async fn tags_that_match_an_exclusion_filter_follow_the_opposite_rule() {
    let (aws, client) = registry(Mutability::Mutable).await;
    let filter = ImageTagMutabilityExclusionFilter::builder()
        .filter_type(ImageTagMutabilityExclusionFilterType::Wildcard)
        .filter("dev-*")
        .build()
        .unwrap();
    for (mutability, moves, stays) in [
        (ImageTagMutability::ImmutableWithExclusion, "dev-1", "prod"),
        (ImageTagMutability::MutableWithExclusion, "prod-2", "dev-2"),
    ] {
        let request =
            client.put_image_tag_mutability().repository_name("app").image_tag_mutability(mutability);
        request.image_tag_mutability_exclusion_filters(filter.clone()).send().await.unwrap();
        put(&client, &manifest("old"), Some(moves)).await.unwrap();
        put(&client, &manifest("new"), Some(moves)).await.unwrap();
        put(&client, &manifest("old"), Some(stays)).await.unwrap();
        let error = put(&client, &manifest("new"), Some(stays)).await.unwrap_err();
        assert!(matches!(error, PutImageError::ImageTagAlreadyExistsException(_)), "{error:?}");
    }
    let described = client.describe_repositories().send().await.unwrap().repositories.unwrap();
    assert_eq!(described[0].image_tag_mutability, Some(ImageTagMutability::MutableWithExclusion));
    assert_eq!(described[0].image_tag_mutability_exclusion_filters().len(), 1);
    drop(aws);
}

#[tokio::test]
async fn putting_an_existing_image_is_refused() {
    for mutability in [Mutability::Mutable, Mutability::Immutable] {
        let (_aws, client) = registry(mutability).await;
        put(&client, &manifest("a"), Some("1.0")).await.unwrap();
        for tag in [Some("1.0"), None] {
            let error = put(&client, &manifest("a"), tag).await.unwrap_err();
            assert!(matches!(error, PutImageError::ImageAlreadyExistsException(_)), "{error:?}");
        }
    }
}

#[tokio::test]
async fn digest_that_does_not_match_is_refused() {
    let (aws, client) = registry(Mutability::Mutable).await;
    let request = client.put_image().repository_name("app").image_manifest(manifest("a"));
    let error = request.clone().image_digest(digest_of("b")).send().await.unwrap_err().into_service_error();
    assert!(matches!(error, PutImageError::ImageDigestDoesNotMatchException(_)), "{error:?}");
    assert!(aws.ecr().images().is_empty());
    request.image_digest(digest_of(&manifest("a"))).send().await.unwrap();
}

#[tokio::test]
async fn malformed_puts_are_refused() {
    let (aws, client) = registry(Mutability::Mutable).await;
    let untyped = r#"{"schemaVersion":2}"#;
    let huge = format!("{{\"mediaType\":\"{OCI_MANIFEST}\",\"pad\":\"{}\"}}", "x".repeat(4 * 1024 * 1024));
    let long_tag = "x".repeat(301);
    for (manifest, tag) in [
        (untyped, "1.0"),
        ("not json", "1.0"),
        (huge.as_str(), "1.0"),
        (&manifest("a"), "-1.0"),
        (&manifest("a"), "a b"),
        (&manifest("a"), ""),
        (&manifest("a"), &long_tag),
    ] {
        let error = put(&client, manifest, Some(tag)).await.unwrap_err();
        assert!(matches!(error, PutImageError::InvalidParameterException(_)), "{tag}: {error:?}");
    }
    assert!(aws.ecr().images().is_empty() && aws.take_events().is_empty());
    let request = client.put_image().repository_name("app").image_manifest(untyped);
    request.image_manifest_media_type(OCI_MANIFEST).send().await.unwrap();
    let request = client.put_image().repository_name("nowhere").image_manifest(manifest("a"));
    let error = request.send().await.unwrap_err().into_service_error();
    assert!(matches!(error, PutImageError::RepositoryNotFoundException(_)), "{error:?}");
}

#[tokio::test]
async fn index_needs_its_children() {
    let (_aws, client) = registry(Mutability::Mutable).await;
    let child = manifest("child");
    let index = index(&[&digest_of(&child)]);
    let error = put(&client, &index, Some("1.0")).await.unwrap_err();
    assert!(matches!(error, PutImageError::ReferencedImagesNotFoundException(_)), "{error:?}");
    put(&client, &child, None).await.unwrap();
    assert_eq!(put(&client, &index, Some("1.0")).await.unwrap(), digest_of(&index));
}

#[tokio::test]
async fn push_emits_events_of_the_registry_and_of_the_trail() {
    let (aws, client) = registry(Mutability::Mutable).await;
    let child = put(&client, &manifest("child"), None).await.unwrap();
    let digest = put(&client, &index(&[&child]), Some("1.0")).await.unwrap();
    let events = aws.take_events();
    assert!(aws.take_events().is_empty());
    assert!(events.iter().all(|emitted| emitted.bus == "default" && emitted.event["source"] == "aws.ecr"));
    let types: Vec<_> = events.iter().map(|emitted| emitted.event["detail-type"].as_str().unwrap()).collect();
    let pair = ["ECR Image Action", "AWS API Call via CloudTrail"];
    assert_eq!(types, [pair, pair].concat());

    let expected = serde_json::json!({
        "result": "SUCCESS",
        "repository-name": "app",
        "image-digest": child,
        "action-type": "PUSH",
        "image-tag": "",
        "manifest-media-type": OCI_MANIFEST,
        "artifact-media-type": "application/vnd.oci.image.config.v1+json",
    });
    assert_eq!(events[0].event["detail"], expected);
    let event = &events[2].event;
    assert_eq!((&event["time"], &event["account"]), (&"2026-11-21T11:17:00Z".into(), &ACCOUNT.into()));
    let expected = serde_json::json!({
        "result": "SUCCESS",
        "repository-name": "app",
        "image-digest": digest,
        "action-type": "PUSH",
        "image-tag": "1.0",
        "manifest-media-type": OCI_INDEX,
    });
    assert_eq!(event["detail"], expected);

    let detail = &events[3].event["detail"];
    assert_eq!(detail["eventName"], "PutImage");
    assert_eq!(
        detail["userIdentity"]["arn"],
        format!("arn:aws:sts::{ACCOUNT}:assumed-role/ecr-warden/local")
    );
    assert_eq!(detail["responseElements"]["image"]["imageId"]["imageDigest"], digest);
    assert_eq!(detail["requestParameters"]["imageTag"], "1.0");
    let mut ids: Vec<_> = events.iter().map(|emitted| emitted.event["id"].to_string()).collect();
    ids.dedup();
    assert_eq!(ids.len(), 4);
}

#[tokio::test]
async fn pushing_an_archived_image_again_restores_it() {
    let (aws, client) = registry(Mutability::Immutable).await;
    let digest = put(&client, &manifest("a"), Some("1.0")).await.unwrap();
    aws.ecr().set_image_status(ACCOUNT, "app", &digest, ImageStatus::Archived);
    put(&client, &manifest("a"), Some("1.0")).await.unwrap();
    assert_eq!(aws.ecr().images()[0].status, ImageStatus::Active);
}

#[tokio::test]
async fn put_of_a_stand_in_is_accepted_as_its_digest() {
    let (aws, client) = registry(Mutability::Mutable).await;
    let digest = digest_of("an image that nobody has the bytes of");
    let seed = SeedImage {
        registry: ACCOUNT.to_owned(),
        repository: "app".to_owned(),
        digest: digest.clone(),
        tags: vec!["1.0".to_owned()],
        pushed_at: 5,
        ..SeedImage::default()
    };
    aws.ecr().seed_image(seed.clone());
    aws.ecr().seed_image(seed);
    let images = aws.ecr().images();
    assert_eq!((images.len(), images[0].digest.as_str(), images[0].pushed_at), (1, digest.as_str(), 5));
    let stand_in = &images[0].manifest;
    let parsed: Value = serde_json::from_str(stand_in).unwrap();
    assert_eq!(parsed["annotations"][STAND_IN_ANNOTATION], digest.as_str());

    let request = client.put_image().repository_name("app").image_digest(&digest).image_tag("quarantine-1");
    let error = request.clone().image_manifest(format!("{stand_in} ")).send().await.unwrap_err();
    assert!(matches!(error.into_service_error(), PutImageError::ImageDigestDoesNotMatchException(_)));
    request.image_manifest(stand_in).send().await.unwrap();
    assert_eq!(aws.ecr().images()[0].tags, ["1.0", "quarantine-1"]);
    assert_eq!(aws.ecr().images().len(), 1);
}

#[tokio::test]
async fn seeding_moves_tags_and_emits_no_event() {
    let (aws, _client) = registry(Mutability::Immutable).await;
    let ecr = aws.ecr();
    for name in ["old", "new"] {
        ecr.seed_image(SeedImage {
            registry: ACCOUNT.to_owned(),
            repository: "elsewhere".to_owned(),
            manifest: Some(manifest(name)),
            digest: digest_of(&manifest(name)),
            tags: vec!["latest".to_owned()],
            ..SeedImage::default()
        });
    }
    let tags = |name: &str| {
        let digest = digest_of(&manifest(name));
        ecr.images().into_iter().find(|image| image.digest == digest).map(|image| image.tags)
    };
    assert_eq!((tags("old"), tags("new")), (Some(vec![]), Some(vec!["latest".to_owned()])));
    assert_eq!(ecr.images()[0].media_type, OCI_MANIFEST);
    ecr.seed_untag(ACCOUNT, "elsewhere", "latest");
    assert_eq!(tags("new"), Some(vec![]));
    ecr.seed_delete(ACCOUNT, "elsewhere", &digest_of(&manifest("new")));
    assert_eq!(tags("new"), None);
    assert!(aws.take_events().is_empty());
}

#[tokio::test]
async fn stand_in_of_an_index_keeps_its_children() {
    let (aws, client) = registry(Mutability::Mutable).await;
    let child = put(&client, &manifest("child"), None).await.unwrap();
    let digest = digest_of("an index whose bytes were lost on the way");
    aws.ecr().seed_image(SeedImage {
        registry: ACCOUNT.to_owned(),
        repository: "app".to_owned(),
        manifest: Some(index(&[&child])),
        digest: digest.clone(),
        ..SeedImage::default()
    });
    let view = aws.ecr().images().into_iter().find(|image| image.digest == digest).unwrap();
    assert_eq!(view.media_type, OCI_INDEX);
    let parsed: Value = serde_json::from_str(&view.manifest).unwrap();
    assert_eq!(parsed["manifests"][0]["digest"], child.as_str());
    let id = aws_sdk_ecr::types::ImageIdentifier::builder().image_digest(child).build();
    let response = client.batch_delete_image().repository_name("app").image_ids(id).send().await.unwrap();
    assert_eq!(response.failures().len(), 1);
}

#[tokio::test]
async fn repositories_are_created_once() {
    let (_aws, client) = registry(Mutability::Mutable).await;
    let create = client.create_repository().repository_name("team/web");
    let create = create.image_tag_mutability(ImageTagMutability::Immutable);
    let repository = create.clone().send().await.unwrap().repository.unwrap();
    let arn = format!("arn:aws:ecr:eu-central-1:{ACCOUNT}:repository/team/web");
    assert_eq!(repository.repository_arn(), Some(arn.as_str()));
    assert_eq!(repository.created_at().unwrap().to_millis().unwrap(), NOW);
    let error = create.send().await.unwrap_err().into_service_error();
    assert!(error.is_repository_already_exists_exception());
    let described = client.describe_repositories().repository_names("team/web").send().await.unwrap();
    assert_eq!(described.repositories()[0].image_tag_mutability, Some(ImageTagMutability::Immutable));
    let error = client.describe_repositories().repository_names("none").send().await.unwrap_err();
    assert!(error.into_service_error().is_repository_not_found_exception());
}
