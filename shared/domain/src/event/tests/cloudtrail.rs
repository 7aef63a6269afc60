//! CloudTrail's records of calls.

use super::*;

#[test]
fn put_image_says_who_pushed_and_who_vouched() {
    let PutImage { image, tag, media_type, pusher, from, at: pushed } = put(PUT_IMAGE);
    assert_eq!(image, cart());
    assert_eq!(tag.as_deref(), Some("2.7"));
    assert_eq!(media_type.as_deref(), Some("application/vnd.oci.image.manifest.v1+json"));
    assert_eq!(pusher.arn, "arn:aws:sts::111122223333:assumed-role/shop-ci/run-42");
    assert_eq!(from, Origin::default());
    assert_eq!(pusher.provider.as_deref(), Some("ci.example.com"));
    // The time of the call, and not of its delivery.
    assert_eq!(pushed, at("2031-03-03T07:00:00Z"));
}

#[test]
fn put_image_of_a_user_has_no_provider_and_of_nobody_an_unknown_pusher() {
    let user = with(
        PUT_IMAGE,
        "/detail/userIdentity",
        json!({ "type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/Mary" }),
    );
    let arn = "arn:aws:iam::111122223333:user/Mary".to_owned();
    assert_eq!(put(&user).pusher, Pusher { arn, provider: None, service: None });
    let nobody = without(PUT_IMAGE, &["/detail/userIdentity"]);
    assert_eq!(put(&nobody).pusher, Pusher::unknown());
    assert_eq!(
        put(&with(PUT_IMAGE, "/detail/userIdentity", json!({ "type": "Unknown" }))).pusher,
        Pusher::unknown()
    );
}

#[test]
fn each_kind_of_identity_names_whom_it_can() {
    for (identity, words) in [
        (
            json!({ "type": "Root", "arn": "arn:aws:iam::111122223333:root" }),
            "the root user of account 111122223333",
        ),
        (
            json!({ "type": "FederatedUser", "arn": "arn:aws:sts::111122223333:federated-user/Bob", "principalId": "111122223333:Bob" }),
            "the federated user Bob",
        ),
        (
            json!({ "type": "AWSService", "invokedBy": "replication.ecr.amazonaws.com" }),
            "the AWS service replication.ecr.amazonaws.com",
        ),
        (
            json!({ "accountId": "111122223333", "invokedBy": "AWS Internal" }),
            "somebody whom CloudTrail does not name",
        ),
        (
            json!({ "type": "AWSAccount", "principalId": "AROAMADEUP:deploy", "accountId": "444455556666" }),
            "AROAMADEUP:deploy",
        ),
        (
            json!({
                "type": "SAMLUser", "principalId": "AROAMADEUP:Bob", "userName": "Bob",
                "identityProvider": "arn:aws:iam::111122223333:saml-provider/Corporate",
            }),
            "AROAMADEUP:Bob",
        ),
        // Docker pushes through ECR, whoever it is that pushes.
        (
            json!({ "type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/Mary", "invokedBy": "ecr.amazonaws.com" }),
            "the IAM user Mary",
        ),
    ] {
        let pusher = put(&with(PUT_IMAGE, "/detail/userIdentity", identity)).pusher;
        assert_eq!(pusher.who().to_string(), words);
        assert_eq!(pusher.provider.as_deref(), (words == "AROAMADEUP:Bob").then_some("Corporate"));
    }
}

#[test]
fn deletion_names_each_image_once_with_what_was_taken_of_it() {
    let Deletion { removals, actor } = deletion(DELETION);
    let tags = |names: [&str; 2]| BTreeSet::from(names.map(str::to_owned));
    let other: ImageId = ImageId { digest: removals[0].image.digest.clone(), ..cart() };
    assert_eq!(
        other.digest.as_str(),
        "sha256:1111111111111111222222222222222233333333333333334444444444444444"
    );
    assert_eq!(
        removals,
        [
            Removal { image: other, tags: tags(["1.9", "old"]), whole: true },
            Removal { image: cart(), tags: tags(["2.6", "2.7"]), whole: false },
        ]
    );
    assert_eq!(actor.who.who().to_string(), "the IAM user Mary");
    assert_eq!(actor.from.address.as_deref(), Some("198.51.100.7"));
    assert_eq!(actor.from.agent.as_deref(), Some("aws-cli/2.31.0"));
    assert_eq!(actor.at, at("2031-03-04T09:30:00Z"));
    assert_eq!(Event::parse(DELETION).unwrap().images().count(), 2);
}

#[test]
fn deletion_of_an_untagged_image_has_no_tags_and_a_deletion_of_nothing_is_foreign() {
    let digest = cart().digest.to_string();
    let untagged = with(DELETION, "/detail/requestParameters/imageIds", json!([{ "imageDigest": digest }]));
    let untagged = with(&untagged, "/detail/responseElements/imageIds", json!([{ "imageDigest": digest }]));
    let removals = deletion(&untagged).removals;
    assert_eq!(removals, [Removal { image: cart(), tags: BTreeSet::new(), whole: true }]);
    assert!(is_foreign(&with(DELETION, "/detail/responseElements/imageIds", json!([]))));
    assert!(is_foreign(&with(DELETION, "/detail/errorCode", json!("RepositoryNotFoundException"))));
}

#[test]
fn change_of_the_storage_class_is_read_from_the_call_and_from_its_end() {
    let asked = storage_change(RESTORE);
    assert_eq!((&asked.image, asked.class, asked.activated_at), (&cart(), StorageClass::Standard, None));
    assert_eq!(
        asked.actor.unwrap().who.who().to_string(),
        "mary@example.com (IAM Identity Center, Developer)"
    );
    let done = storage_change(RESTORED);
    assert_eq!((&done.image, done.class, done.actor), (&cart(), StorageClass::Standard, None));
    assert_eq!(done.activated_at, Some(at("2031-03-04T10:11:58.74Z")));
    let archived = without(RESTORED, &["/detail/last-activated-at"]);
    let archived = with(&archived, "/detail/target-storage-class", json!("ARCHIVE"));
    assert_eq!(storage_change(&archived).class, StorageClass::Archive);
    // The API has the members of the image in the response itself.
    let flat = edited(RESTORE, |event| {
        event["detail"]["responseElements"] = event["detail"]["responseElements"]["image"].clone();
    });
    assert_eq!(storage_change(&flat), storage_change(RESTORE));
}

#[test]
fn unknown_storage_class_is_an_error_that_names_it() {
    for (fixture, pointer, named) in [
        (RESTORED, "/detail/target-storage-class", "detail.target-storage-class"),
        (
            RESTORE,
            "/detail/requestParameters/targetStorageClass",
            "detail.requestParameters.targetStorageClass",
        ),
    ] {
        let (_, field, reason) = refused(&with(fixture, pointer, json!("GLACIER")));
        assert_eq!((field.as_str(), reason.as_str()), (named, "unknown storage class \"GLACIER\""));
    }
    assert_eq!(refused(&without(RESTORED, &["/detail/target-storage-class"])).2, "missing");
}

#[test]
fn federation_attributes_of_any_shape_are_ignored() {
    let pointer = "/detail/userIdentity/sessionContext/webIdFederationData/attributes";
    for attributes in [json!({}), json!("text"), json!(null), json!({ "sub": ["a"] })] {
        assert_eq!(put(&with(PUT_IMAGE, pointer, attributes)), put(PUT_IMAGE));
    }
}

#[test]
fn stated_media_type_counts_more_than_the_manifest_and_an_unreadable_manifest_says_nothing() {
    let stated = with(PUT_IMAGE, "/detail/requestParameters/imageManifestMediaType", json!("stated/type"));
    assert_eq!(put(&stated).media_type.as_deref(), Some("stated/type"));
    let broken = with(PUT_IMAGE, "/detail/requestParameters/imageManifest", json!("{not json"));
    assert_eq!(put(&broken).media_type, None);
}

#[test]
fn refused_put_image_and_other_calls_are_foreign() {
    let refused = edited(PUT_IMAGE, |event| {
        event["detail"]["errorCode"] = json!("ImageAlreadyExistsException");
        event["detail"]["responseElements"] = Value::Null;
    });
    assert!(is_foreign(&refused));
    assert!(is_foreign(&with(PUT_IMAGE, "/detail/eventName", json!("BatchGetImage"))));
}

#[test]
fn put_image_that_succeeded_without_a_result_is_an_error() {
    let (_, field, _) = refused(&with(PUT_IMAGE, "/detail/responseElements", Value::Null));
    assert_eq!(field, "detail.responseElements.image");
}

#[test]
fn bare_cloudtrail_record_is_foreign() {
    let event: Value = serde_json::from_str(PUT_IMAGE).unwrap();
    assert!(is_foreign(&event["detail"].to_string()));
}
