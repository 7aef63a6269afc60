//! What nobody sends but an attacker or an accident.

use super::*;

#[test]
fn truncated_json_is_an_error_at_every_length() {
    for fixture in ALL {
        let whole = fixture.trim_end();
        for end in 0..whole.len() {
            assert!(matches!(Event::parse(&whole[..end]), Err(EventError::Json(_))), "cut at {end}");
        }
    }
}

#[test]
fn the_order_of_keys_does_not_matter() {
    for fixture in ALL {
        let alphabetical: Value = serde_json::from_str(fixture).unwrap();
        assert_eq!(Event::parse(&alphabetical.to_string()).unwrap(), Event::parse(fixture).unwrap());
    }
}

/// AWS writes the type first, and a finding is then read at once.
#[test]
fn whatever_is_wrong_with_a_finding_the_order_of_keys_does_not_matter() {
    fn pointers(value: &Value, at: &str, all: &mut Vec<String>) {
        all.push(at.to_owned());
        match value {
            Value::Object(object) => {
                object.iter().for_each(|(key, value)| pointers(value, &format!("{at}/{key}"), all));
            }
            Value::Array(array) => {
                array.iter().enumerate().for_each(|(n, value)| pointers(value, &format!("{at}/{n}"), all));
            }
            _ => {}
        }
    }
    let event: Value = serde_json::from_str(FINDING).unwrap();
    let mut all = Vec::new();
    pointers(&event["detail"], "/detail", &mut all);
    assert!(all.len() > 40, "{all:?}");
    for (pointer, wrong) in all.iter().flat_map(|pointer| {
        [json!(null), json!(1), json!(-1e300), json!("x"), json!([]), json!({})].map(|wrong| (pointer, wrong))
    }) {
        let mut alphabetical = event.clone();
        *alphabetical.pointer_mut(pointer).unwrap() = wrong.clone();
        let written = edited(FINDING, |event| *event.pointer_mut(pointer).unwrap() = wrong.clone());
        let [one, other] =
            [alphabetical.to_string(), written].map(|json| format!("{:?}", Event::parse(&json)));
        assert_eq!(one, other, "{pointer} {wrong}");
    }
}

#[test]
fn a_key_that_is_escaped_is_the_same_key_and_one_that_comes_twice_is_refused() {
    let escaped = FINDING.replacen("\"detail-type\"", r#""detail\u002dtype""#, 1);
    assert_ne!(escaped, FINDING);
    assert_eq!(finding(&escaped), finding(FINDING));
    for (name, value) in [
        ("id", "\"1\""),
        ("account", "\"210987654321\""),
        ("region", "\"eu-west-1\""),
        ("time", "\"2026-01-01T00:00:00Z\""),
        ("detail-type", "\"Inspector2 Finding\""),
        ("resources", "[]"),
        ("detail", "{}"),
    ] {
        let twice = FINDING.replacen('{', &format!("{{\"{name}\":{value},"), 1);
        let error = Event::parse(&twice).unwrap_err().to_string();
        assert!(error.contains(&format!("duplicate field `{name}`")), "{error}");
    }
}

#[test]
fn texts_that_are_escaped_are_read_like_others() {
    let escaped = FINDING.replace("CVE-", r"\u0043VE-");
    assert_ne!(escaped, FINDING);
    assert_eq!(finding(&escaped), finding(FINDING));
}

#[test]
fn what_is_no_object_is_no_event() {
    for json in ["[]", "null", "1", "\"event\"", r#"["0","1","Inspector2 Finding"]"#] {
        assert!(matches!(Event::parse(json), Err(EventError::Json(_))), "{json}");
    }
    assert!(matches!(Event::parse(&format!("{FINDING} {{}}")), Err(EventError::Json(_))));
}

#[test]
fn event_of_ten_megabytes_is_read_and_not_kept() {
    let json = with(FINDING, "/detail/description", json!("x".repeat(10_000_000)));
    assert_eq!(finding(&json), finding(FINDING));
    let json =
        with(FINDING, "/detail/packageVulnerabilityDetails/vulnerabilityId", json!("x".repeat(10_000_000)));
    assert_eq!(finding(&json).finding.vulnerability.len(), 256);
}

#[test]
fn hostile_digests_are_refused_wherever_they_stand() {
    for (fixture, pointer, named) in [
        (
            FINDING,
            "/detail/resources/0/details/awsEcrContainerImage/imageHash",
            "detail.resources.details.awsEcrContainerImage.imageHash",
        ),
        (SCAN, "/detail/image-digest", "detail.image-digest"),
        (BASIC_SCAN, "/detail/image-digest", "detail.image-digest"),
        (ACTION, "/detail/image-digest", "detail.image-digest"),
        (
            PUT_IMAGE,
            "/detail/responseElements/image/imageId/imageDigest",
            "detail.responseElements.image.imageId.imageDigest",
        ),
        (
            DELETION,
            "/detail/responseElements/imageIds/3/imageDigest",
            "detail.responseElements.imageIds.imageDigest",
        ),
        (
            RESTORE,
            "/detail/responseElements/image/imageId/imageDigest",
            "detail.responseElements.image.imageId.imageDigest",
        ),
    ] {
        for hostile in ["", "latest", "sha256:", "sha256:../../../etc", "sha256:aa\n", "SHA256:aa"] {
            assert_eq!(refused(&with(fixture, pointer, json!(hostile))).1, named, "{hostile:?}");
        }
        let endless = json!(format!("sha256:{}", "a".repeat(100_000)));
        let (_, field, reason) = refused(&with(fixture, pointer, endless));
        assert_eq!(field, named);
        assert!(reason.len() < 200, "the reason must not repeat all of it");
    }
}

#[test]
fn arn_of_no_repository_is_refused() {
    assert_eq!(
        refused(&with(SCAN, "/detail/repository-name", json!("arn:aws:s3:::bucket"))).1,
        "detail.repository-name"
    );
}

/// Reads every event of a folder of recorded ones that a developer may keep beside the workspace.
#[test]
fn names_that_aws_gives_to_nothing_are_refused_and_not_taken_for_another_image() {
    for name in
        ["shop/cart\u{202e}", "shop/\u{200b}cart", "shop/cart\u{2028}", "shop/c\u{430}rt", "shop cart", ""]
    {
        let container = "/detail/resources/0/details/awsEcrContainerImage/repositoryName";
        let put = "/detail/responseElements/image/repositoryName";
        for (fixture, pointer) in [
            (ACTION, "/detail/repository-name"),
            (BASIC_SCAN, "/detail/repository-name"),
            (FINDING, container),
            (PUT_IMAGE, put),
            (DELETION, "/detail/requestParameters/repositoryName"),
            (RESTORED, "/detail/repository-name"),
        ] {
            let (_, field, reason) = refused(&with(fixture, pointer, json!(name)));
            assert_eq!(field, "detail", "{pointer}");
            assert!(reason.starts_with("not an image"), "{reason}");
            assert!(reason.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' '), "{reason}");
        }
    }
    for pointer in ["/account", "/region"] {
        refused(&with(ACTION, pointer, json!("eu-west\u{2069}-1")));
    }
}

#[test]
fn what_an_event_quotes_is_made_safe_to_show() {
    let hostile = "1\u{202e}.0\u{2028}";
    assert_eq!(action(&with(ACTION, "/detail/image-tag", json!(hostile))).tag.as_deref(), Some("1.0"));
    assert_eq!(action(&with(ACTION, "/detail/image-tag", json!("\u{200b}"))).tag, None);
    let typed = with(ACTION, "/detail/manifest-media-type", json!(hostile));
    assert_eq!(action(&typed).media_type.as_deref(), Some("1.0"));
    let typed = with(PUT_IMAGE, "/detail/requestParameters/imageManifestMediaType", json!(hostile));
    assert_eq!(put(&typed).media_type.as_deref(), Some("1.0"));
    let error = Event::parse(&with(
        &with(SCAN, "/id", json!(hostile)),
        "/detail/finding-severity-counts",
        json!({ hostile: hostile }),
    ));
    let text = error.unwrap_err().to_string();
    assert!(text.contains("1.0") && !text.contains(['\u{202e}', '\u{2028}']), "{text}");
}
