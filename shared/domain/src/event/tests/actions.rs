//! ECR's own events of pushes and deletions.

use super::*;

#[test]
fn push_is_read_with_tag_and_time() {
    assert_eq!(
        action(ACTION),
        ImageAction {
            image: cart(),
            action: ActionType::Push,
            tag: Some("2.7".to_owned()),
            media_type: None,
            artifact_media_type: None,
            at: at("2031-03-03T07:00:00Z"),
        }
    );
    let delete = with(ACTION, "/detail/action-type", json!("DELETE"));
    assert_eq!(action(&delete).action, ActionType::Delete);
}

#[test]
fn absent_tag_and_empty_tag_are_no_tag() {
    assert_eq!(action(&without(ACTION, &["/detail/image-tag"])).tag, None);
    assert_eq!(action(&with(ACTION, "/detail/image-tag", json!(""))).tag, None);
    assert_eq!(put(&with(PUT_IMAGE, "/detail/responseElements/image/imageId/imageTag", json!(""))).tag, None);
}

#[test]
fn media_type_of_a_push_is_read_where_it_is_stated() {
    let json = with(ACTION, "/detail/manifest-media-type", json!("application/vnd.oci.image.index.v1+json"));
    assert_eq!(action(&json).media_type.as_deref(), Some("application/vnd.oci.image.index.v1+json"));
    assert_eq!(action(&json).artifact_media_type, None);
    let json = with(ACTION, "/detail/artifact-media-type", json!("application/vnd.cncf.notary.signature"));
    assert_eq!(action(&json).artifact_media_type.as_deref(), Some("application/vnd.cncf.notary.signature"));
}

#[test]
fn unknown_and_failed_actions_are_foreign() {
    assert!(is_foreign(&with(ACTION, "/detail/action-type", json!("SOMETHING_NEW"))));
    assert!(is_foreign(&with(RESTORED, "/detail/result", json!("FAILURE"))));
    assert!(is_foreign(&with(ACTION, "/detail/result", json!("FAILURE"))));
}
