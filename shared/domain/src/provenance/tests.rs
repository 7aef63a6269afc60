use serde_json::json;

use super::*;

fn pusher(arn: &str, provider: Option<&str>) -> Pusher {
    Pusher { arn: arn.to_owned(), provider: provider.map(str::to_owned), service: None }
}

fn said(arn: &str, provider: Option<&str>) -> String {
    pusher(arn, provider).who().to_string()
}

#[test]
fn each_kind_of_principal_is_said_in_words() {
    const STS: &str = "arn:aws:sts::111122223333:assumed-role";
    for (arn, provider, words, kind) in [
        ("arn:aws:iam::111122223333:user/shop/Mary_Major", None, "the IAM user Mary_Major", "user"),
        ("arn:aws:sts::111122223333:federated-user/Bob", None, "the federated user Bob", "federated_user"),
        ("arn:aws-cn:iam::111122223333:root", None, "the root user of account 111122223333", "root"),
        (&format!("{STS}/ci-push/run-42"), None, "the role ci-push, session run-42", "role"),
        (
            &format!("{STS}/ci-push/run-42"),
            Some("ci.example.com"),
            "the role ci-push, session run-42, signed in with ci.example.com",
            "identity_provider",
        ),
        (
            &format!("{STS}/ci-push/gha-1296269-8123456789"),
            Some("token.actions.githubusercontent.com"),
            "GitHub Actions, run 8123456789 of the repository with the id 1296269 (role ci-push)",
            "github_actions",
        ),
        (
            &format!("{STS}/ci-push/gha@octo-org@shop@8123456789"),
            Some("token.actions.githubusercontent.com"),
            "GitHub Actions, run 8123456789 of octo-org/shop (role ci-push)",
            "github_actions",
        ),
        (
            &format!("{STS}/ci-push/GitHubActions"),
            Some("token.actions.githubusercontent.com"),
            "GitHub Actions (role ci-push, session GitHubActions)",
            "github_actions",
        ),
        (
            &format!("{STS}/build-role/AWSCodeBuild-8bf1f3a2-6f0a-4a4e-9a7b-0f6f3b0f5c11"),
            None,
            "CodeBuild, build 8bf1f3a2-6f0a-4a4e-9a7b-0f6f3b0f5c11 (role build-role)",
            "codebuild",
        ),
        (
            &format!("{STS}/AWSReservedSSO_Dev_Access_0123456789abcdef/mary@example.com"),
            None,
            "mary@example.com (IAM Identity Center, Dev_Access)",
            "identity_center",
        ),
        (
            &format!("{STS}/AWSServiceRoleForECRReplication/x"),
            None,
            "the AWS service AWSServiceRoleForECRReplication",
            "service",
        ),
        ("AROAMADEUP:run-42", None, "AROAMADEUP:run-42", "other"),
        ("unknown", None, "somebody whom CloudTrail does not name", "unknown"),
    ] {
        assert_eq!(said(arn, provider), words);
        assert_eq!(serde_json::to_value(pusher(arn, provider)).unwrap()["kind"], kind, "{arn}");
    }
}

#[test]
fn session_is_named_after_github_by_nobody_but_github() {
    let arn = "arn:aws:sts::111122223333:assumed-role/ci-push/gha-1-2";
    assert_eq!(said(arn, None), "the role ci-push, session gha-1-2");
    for name in ["gha-1", "gha-x-2", "gha-1-", "gha--2", "gha-1-2-3", "gha-99999999999999999999999-1", ""] {
        let arn = format!("arn:aws:sts::111122223333:assumed-role/ci-push/{name}");
        assert!(said(&arn, Some(GITHUB_ACTIONS)).starts_with("GitHub Actions (role ci-push"), "{name}");
    }
}

#[test]
fn broken_arns_are_shown_as_they_are() {
    for arn in ["", "arn", "arn:aws:iam::1", "arn:aws:iam::1:user", "arn:aws:iam::1:group/x", ":::::"] {
        assert_eq!(said(arn, None), arn);
    }
}

#[test]
fn pusher_is_stored_with_what_follows_and_read_without() {
    let pusher = pusher("arn:aws:sts::111122223333:assumed-role/ci-push/gha-12-34", Some(GITHUB_ACTIONS));
    let stored = serde_json::to_value(&pusher).unwrap();
    let expected = json!({
        "kind": "github_actions",
        "arn": "arn:aws:sts::111122223333:assumed-role/ci-push/gha-12-34",
        "provider": "token.actions.githubusercontent.com",
        "github": {"repository_id": 12, "run_id": 34},
    });
    assert_eq!(stored, expected);
    assert_eq!(serde_json::from_value::<Pusher>(stored).unwrap(), pusher);
    // From before there were kinds, and with one that does not follow.
    let old = json!({"arn": pusher.arn, "provider": pusher.provider, "kind": "root", "github": 7});
    assert_eq!(serde_json::from_str::<Pusher>(&old.to_string()).unwrap(), pusher);
}

#[test]
fn announcement_has_the_page_of_the_run_only_where_github_vouched_for_the_session() {
    let arn = "arn:aws:sts::111122223333:assumed-role/ci-push/gha@octo-org@shop@34";
    let written = serde_json::to_value(pusher(arn, Some(GITHUB_ACTIONS))).unwrap();
    let url = "https://github.com/octo-org/shop/actions/runs/34";
    assert_eq!(written["github"], json!({"repository": "octo-org/shop", "run_id": 34, "url": url}));
    for provider in [None, Some("ci.example.com"), Some("token.actions.githubusercontent.com.example.com")] {
        assert!(serde_json::to_value(pusher(arn, provider)).unwrap().get("github").is_none(), "{provider:?}");
    }
}
