use serde_json::{Value, json};

use super::*;
use crate::alert::alerts;
use crate::samples::{assessment, in_repository, reason, with};

fn now() -> Timestamp {
    "2031-03-01T08:02:00Z".parse().unwrap()
}

fn written(alert: &Alert, mode: Mode, may_repeat: bool) -> Notification {
    notification(alert, &Circumstances { mode, untagged: true, may_repeat, now: now() })
}

fn only(batch: &[Assessment]) -> Alert {
    let mut alerts = alerts(batch);
    assert_eq!(alerts.len(), 1);
    alerts.remove(0)
}

fn exploited_first_scan() -> Alert {
    let exploited = with(
        reason("CVE-2031-1000"),
        &json!({
            "/rules": ["exploited-in-the-wild", "fixable-critical"],
            "/known_exploited": { "added": "2031-02-27T00:00:00Z", "due": "2031-03-20T00:00:00Z" },
            "/overrides": {
                "vulnerability": "CVE-2031-1000", "severity": "CRITICAL",
                "reason": "not reachable, SHOP-12", "owner": "team-shop", "expires": "2031-06-30"
            }
        }),
    );
    let unfixed = with(
        reason("CVE-2031-2000"),
        &json!({
            "/severity": "HIGH", "/score": 7.5, "/epss": null, "/fix": "no",
            "/packages": [{ "name": "libxml2", "version": "2.9" }], "/then": ["alert"], "/quarantine_from": null,
            "/rules": ["high"]
        }),
    );
    let fields = json!({
        "/image/tags": ["2.7", "latest"],
        "/open": { "CRITICAL": 1, "HIGH": 3, "LOW": 7 },
        "/waived": 1,
        "/excused": [{
            "vulnerability": "CVE-2030-9", "severity": "HIGH", "reason": "only in the test stage",
            "owner": "team-shop", "expires": "2031-04-30"
        }]
    });
    only(&[assessment("pending", "quarantine", vec![exploited, unfixed], &fields)])
}

fn in_grace() -> Alert {
    let grace = with(reason("CVE-2031-1000"), &json!({ "/quarantine_from": "2031-03-03T08:00:00Z" }));
    only(&[assessment("clear", "clear", vec![grace], &json!({}))])
}

fn spread() -> Alert {
    let hit = |repository, verdict| {
        in_repository(repository, assessment("clear", verdict, vec![reason("CVE-2031-1000")], &json!({})))
    };
    only(&[hit("prod/cart", "quarantine"), hit("prod/shop", "quarantine"), hit("test/cart", "clear")])
}

fn released() -> Alert {
    let still = with(
        reason("CVE-2031-2000"),
        &json!({ "/change": null, "/severity": "HIGH", "/score": 7.5, "/then": ["alert"], "/quarantine_from": null, "/rules": ["high"] }),
    );
    only(&[assessment("quarantine", "clear", vec![still], &json!({ "/open": { "HIGH": 1 } }))])
}

fn text(alert: &Alert) -> String {
    let Notification { subject, text, .. } = written(alert, Mode::Tag, false);
    format!("{subject}\n\n{text}")
}

#[test]
fn first_scan_that_quarantines_says_what_where_why_who_and_the_cure() {
    insta::assert_snapshot!(text(&exploited_first_scan()), @r#"
    QUARANTINE: prod/cart:2.7 (+1 tag) - CVE-2031-1000 CRITICAL EXPLOITED +1 more

    prod/cart:2.7 (+1 tag) is quarantined: its findings match the policy's quarantine rules.

     1. CVE-2031-1000  CRITICAL 9.8, EXPLOITED IN THE WILD (CISA, 2031-02-27), EPSS 12.3%
        openssl 3.0.1-2: fixed in 3.0.1-5
        rule exploited-in-the-wild, fixable-critical; overrides "not reachable, SHOP-12"
     2. CVE-2031-2000  HIGH 7.5
        libxml2 2.9: no fix yet
        rule high

    Image    111122223333.dkr.ecr.eu-west-1.amazonaws.com/prod/cart@sha256:ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12
    Tags     2.7, latest
    Pushed   2031-03-01 08:00 UTC by the role shop-ci, session run-42, signed in with ci.example.com
    Owner    team-shop
    Runs in  production
    Open     1 CRITICAL, 3 HIGH, 7 LOW; 1 of these excused
    Excused  CVE-2030-9 HIGH: only in the test stage (team-shop), until 2031-04-30
    Status   gets the tag quarantine-ab12ab12ab12, keeps its other tags and can still be pulled
    To do    update what has a fix (1 of 2), rebuild and push; for the rest remove the package, or add a waiver with a reason, an owner and an expiry date to policy.yaml
    Until    no quarantine rule matches any more; a rebuilt image is judged on its own
    "#);
}

#[test]
fn alert_within_a_grace_says_until_when() {
    insta::assert_snapshot!(text(&in_grace()), @r"
    Alert: prod/cart:2.7 - CVE-2031-1000 CRITICAL

    prod/cart:2.7 has findings that the policy alerts on.

     1. CVE-2031-1000  CRITICAL 9.8, EPSS 12.3%
        openssl 3.0.1-2: fixed in 3.0.1-5
        rule fixable-critical; quarantine from 2031-03-03 08:00 UTC

    Image    111122223333.dkr.ecr.eu-west-1.amazonaws.com/prod/cart@sha256:ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12
    Tags     2.7
    Pushed   2031-03-01 08:00 UTC by the role shop-ci, session run-42, signed in with ci.example.com
    Owner    team-shop
    Runs in  production
    Open     1 CRITICAL, 7 LOW
    Status   not changed
    To do    update the packages, rebuild and push; the new image is judged on push
    Until    2031-03-03 08:00 UTC; within 15 minutes after that the image is quarantined
    ");
}

#[test]
fn quarantine_at_the_end_of_a_grace_names_what_quarantines() {
    let due = with(
        reason("CVE-2031-1000"),
        &json!({ "/change": null, "/quarantine_from": "2031-03-01T08:01:30Z" }),
    );
    let new = with(
        reason("CVE-2031-2000"),
        &json!({ "/severity": "HIGH", "/score": 7.5, "/then": ["alert"], "/quarantine_from": null, "/rules": ["high"] }),
    );
    let alert = only(&[assessment("clear", "quarantine", vec![new, due], &json!({}))]);
    insta::assert_snapshot!(text(&alert).lines().take(10).collect::<Vec<_>>().join("\n"), @r"
    QUARANTINE: prod/cart:2.7 - CVE-2031-1000 CRITICAL +1 more

    prod/cart:2.7 is quarantined: its findings match the policy's quarantine rules.

     1. CVE-2031-1000  CRITICAL 9.8, EPSS 12.3%
        openssl 3.0.1-2: fixed in 3.0.1-5
        rule fixable-critical
     2. CVE-2031-2000  HIGH 7.5, EPSS 12.3%
        openssl 3.0.1-2: fixed in 3.0.1-5
        rule high
    ");
    let told = written(&alert, Mode::Tag, false);
    assert_eq!(told.attributes["severity"], Attribute::One("CRITICAL".to_owned()));
    let form: Value = serde_json::from_str(&told.json).unwrap();
    assert_eq!(
        (&form["severity"], &form["reasons"][0]["vulnerability"]),
        (&json!("CRITICAL"), &json!("CVE-2031-1000"))
    );
}

#[test]
fn spread_names_the_vulnerability_once_and_every_image() {
    insta::assert_snapshot!(text(&spread()), @r"
    QUARANTINE: 3 images - CVE-2031-1000 CRITICAL

    2 of 3 images are quarantined: their findings match the policy's quarantine rules.

     1. CVE-2031-1000  CRITICAL 9.8, EPSS 12.3%
        openssl 3.0.1-2: fixed in 3.0.1-5
        rule fixable-critical

      - prod/cart:2.7 [quarantine], owner team-shop
      - prod/shop:2.7 [quarantine], owner team-shop
      - test/cart:2.7 [clear], owner team-shop

    Status   quarantined images get the tag quarantine-<digest>, keep their other tags and can still be pulled
    To do    update the packages, rebuild and push; the new image is judged on push
    ");
}

#[test]
fn release_does_not_take_what_still_matches_for_a_cause() {
    insta::assert_snapshot!(text(&released()), @r"
    Released: prod/cart:2.7

    prod/cart:2.7 is released from quarantine.

    These findings still match a rule, but none that quarantines:
     1. CVE-2031-2000  HIGH 7.5, EPSS 12.3%
        openssl 3.0.1-2: fixed in 3.0.1-5
        rule high

    Image    111122223333.dkr.ecr.eu-west-1.amazonaws.com/prod/cart@sha256:ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12
    Tags     2.7
    Pushed   2031-03-01 08:00 UTC by the role shop-ci, session run-42, signed in with ci.example.com
    Owner    team-shop
    Runs in  production
    Open     1 HIGH
    Status   loses the tag quarantine-ab12ab12ab12 and gets released-from-quarantine-ab12ab12ab12
    To do    nothing; the image may be deployed again
    ");
}

#[test]
fn observing_says_that_nothing_was_changed() {
    let text = written(&exploited_first_scan(), Mode::Observe, false).text;
    assert!(text.contains("would be quarantined"), "{text}");
    assert!(text.contains(
        "would get the tag quarantine-ab12ab12ab12; nothing was changed, because the quarantine mode is observe"
    ));
    let text = written(&released(), Mode::Observe, false).text;
    assert!(
        text.contains(
            "would lose the tag quarantine-ab12ab12ab12 and get released-from-quarantine-ab12ab12ab12; nothing was changed"
        ),
        "{text}"
    );
}

#[test]
fn alert_after_a_crash_says_that_it_may_repeat_one() {
    let sure = written(&in_grace(), Mode::Tag, false);
    let unsure = written(&in_grace(), Mode::Tag, true);
    assert!(!sure.text.contains("may repeat") && !sure.attributes.contains_key("may_repeat"));
    assert!(unsure.text.contains("may repeat"));
    assert_eq!(unsure.attributes["may_repeat"], Attribute::One("true".to_owned()));
}

#[test]
fn image_that_cannot_be_scanned_is_not_said_to_have_no_findings() {
    let batch = [assessment("pending", "unscannable", vec![], &json!({ "/open": {} }))];
    let told = written(&only(&batch), Mode::Tag, false);
    assert_eq!(told.subject, "Scan failed: prod/cart:2.7");
    assert!(told.text.contains("Open     unknown"), "{}", told.text);
    assert!(told.text.contains("not known to be clear"), "{}", told.text);
}

#[test]
fn platform_that_nothing_scans_is_told_with_the_reason_in_words_and_what_helps() {
    let platform = |name: &str, verdict: &str, unscanned: Option<&str>| {
        let digest = format!("sha256:{}", "ab12".repeat(16));
        json!({ "platform": name, "digest": digest, "verdict": verdict, "unscanned": unscanned })
    };
    let platforms = json!([
        platform("linux/amd64", "clear", None),
        platform("linux/riscv64", "unscannable", Some("UNSUPPORTED_OS")),
        platform("windows/amd64", "unscannable", Some("UNSUPPORTED_OS")),
    ]);
    let fields = json!({ "/open": {}, "/image/platforms": platforms });
    let text =
        written(&only(&[assessment("pending", "unscannable", vec![], &fields)]), Mode::Tag, false).text;
    let told: Vec<&str> =
        text.lines().filter(|line| line.contains("scan") || line.contains("support")).collect();
    insta::assert_snapshot!(told.join("\n"), @"
    prod/cart:2.7 could not be scanned on every platform, so not all vulnerabilities are known.
    Platform linux/riscv64: not scanned: Inspector does not support its operating system, architecture or manifest type (UNSUPPORTED_OS)
             windows/amd64: not scanned: Inspector does not support its operating system, architecture or manifest type (UNSUPPORTED_OS)
    To do    build it on a base image that Inspector supports, and replace a release that has reached its end of life; or take the platform out of the build
    ");
}

#[test]
fn subject_is_one_short_line_of_ascii_whatever_the_names_are() {
    for hostile in ["x".repeat(300), "ü\n\r\u{7}\u{202e}".repeat(75), "\n".repeat(300)] {
        let reason = with(reason(&hostile), &json!({ "/severity": hostile }));
        let fields = json!({ "/image/repository": hostile, "/image/tags": [hostile, "b"] });
        for (before, verdict) in
            [("pending", "quarantine"), ("clear", "clear"), ("quarantine", "clear"), ("clear", "unscannable")]
        {
            let batch = [assessment(before, verdict, vec![reason.clone()], &fields)];
            let subject = written(&only(&batch), Mode::Tag, false).subject;
            assert!(!subject.is_empty() && subject.len() < 100, "{subject}");
            assert!(subject.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{subject}");
            assert!(subject.as_bytes()[0].is_ascii_alphabetic());
        }
    }
}

fn bytes(notification: &Notification) -> usize {
    let attribute = |(name, attribute): (&String, &Attribute)| {
        name.len()
            + "String.Array".len()
            + match attribute {
                Attribute::One(value) => value.len(),
                // Each with its quotes and comma, and the brackets.
                Attribute::Many(values) => values.iter().map(|value| value.len() + 3).sum::<usize>() + 1,
            }
    };
    notification.message().len() + notification.attributes.iter().map(attribute).sum::<usize>()
}

#[test]
fn hundred_images_with_five_hundred_reasons_fit_into_a_message() {
    for tags in [1, 1_000] {
        let reasons: Vec<Value> = (0..500).map(|n| reason(&format!("CVE-2031-{n}"))).collect();
        let tags: Vec<String> = (0..tags).map(|n| format!("{n:0128}")).collect();
        let template = assessment("clear", "quarantine", reasons, &json!({ "/image/tags": tags }));
        let batch: Vec<Assessment> = (0..100)
            .map(|n| {
                let mut one = in_repository(&format!("{n:0256}"), template.clone());
                one.image.owner = Some(format!("{n:0300}"));
                one.image.environment = Some(format!("{n:0300}"));
                one
            })
            .collect();
        let alert = only(&batch);
        assert_eq!(alert.kind, Kind::Spread);
        let told = written(&alert, Mode::Tag, true);
        assert!(bytes(&told) <= 262_144, "{} bytes", bytes(&told));
        let form: Value = serde_json::from_str(&told.json).unwrap();
        let counted = |listed: &str, more: &str| {
            form[listed].as_array().unwrap().len() as u64 + form[more].as_u64().unwrap()
        };
        assert_eq!(counted("images", "more_images"), 100);
        assert_eq!(counted("reasons", "more_reasons"), 50_000);
    }
}

#[test]
fn text_names_ten_tags_and_counts_the_rest() {
    let tags: Vec<String> = (10..30).map(|n| n.to_string()).collect();
    let batch = [assessment("pending", "quarantine", vec![reason("CVE-1")], &json!({ "/image/tags": tags }))];
    let text = written(&only(&batch), Mode::Tag, false).text;
    assert!(text.contains("Tags     10, 11, 12, 13, 14, 15, 16, 17, 18, 19 and 10 more\n"), "{text}");
}

#[test]
fn json_form_says_all_that_a_program_needs() {
    let told = written(&exploited_first_scan(), Mode::Tag, false);
    let form: Value = serde_json::from_str(&told.json).unwrap();
    assert_eq!(form["schema"], 1);
    assert_eq!(form["kind"], "first_scan");
    assert_eq!(form["subject"], told.subject);
    assert_eq!((&form["verdict"], &form["severity"]), (&json!("quarantine"), &json!("CRITICAL")));
    assert_eq!(form["images"][0]["repository"], "prod/cart");
    assert_eq!(form["images"][0]["previous"], "pending");
    assert_eq!(form["reasons"][0]["vulnerability"], "CVE-2031-1000");
    assert_eq!((&form["more_images"], &form["more_reasons"]), (&json!(0), &json!(0)));
    // Every protocol gets its form.
    let message: Value = serde_json::from_str(&told.message()).unwrap();
    assert_eq!(message["default"], told.text);
    for protocol in ["sqs", "lambda", "https"] {
        assert_eq!(message[protocol], told.json);
    }
}

#[test]
fn attributes_are_for_filters_and_never_empty() {
    let one = written(&in_grace(), Mode::Tag, false).attributes;
    let text = |value: &str| Attribute::One(value.to_owned());
    assert_eq!(one["severity"], text("CRITICAL"));
    assert_eq!(one["verdict"], text("clear"));
    assert_eq!(one["repository"], text("prod/cart"));
    assert_eq!((&one["environment"], &one["owner"]), (&text("production"), &text("team-shop")));
    let many = written(&spread(), Mode::Tag, false).attributes;
    let repositories = ["prod/cart", "prod/shop", "test/cart"].map(str::to_owned).to_vec();
    assert_eq!(many["repository"], Attribute::Many(repositories));
    assert_eq!(many["owner"], text("team-shop"));
    let fields = json!({ "/image/owner": "", "/image/environment": null });
    let nobody =
        written(&only(&[assessment("pending", "unscannable", vec![], &fields)]), Mode::Tag, false).attributes;
    assert_eq!((&nobody["owner"], &nobody["environment"]), (&text("none"), &text("none")));
    assert_eq!(nobody["severity"], text("NONE"));
}

#[test]
fn image_that_was_there_before_may_be_held_and_a_new_one_may_not() {
    let said = |pushed: &str, verdict: &str| {
        text(&only(&[assessment(
            "clear",
            verdict,
            vec![reason("CVE-2031-1")],
            &json!({ "/image/pushed_at": pushed }),
        )]))
    };
    let old = said("2031-02-01T08:00:00Z", "quarantine");
    assert!(
        old.contains("can still be pulled; unless the hourly limit holds it back; a notice then says so\n"),
        "{old}"
    );
    let new = said("2031-03-01T08:00:00Z", "quarantine");
    assert!(new.contains("can still be pulled\n"), "{new}");
}

#[test]
fn untagged_image_has_a_tag_of_ours_alone() {
    let untagged = |before, now, reasons| {
        text(&only(&[assessment(before, now, reasons, &json!({ "/image/tags": [] }))]))
    };
    let text = untagged("quarantine", "clear", vec![]);
    assert!(
        text.contains(
            "loses the tag quarantine-ab12ab12ab12 and gets released-from-quarantine-ab12ab12ab12\n"
        ),
        "it would be deleted with its last tag: {text}"
    );
    let text = untagged("pending", "quarantine", vec![reason("CVE-2031-1")]);
    assert!(text.contains("gets the tag quarantine-ab12ab12ab12 as its only tag"), "{text}");
}

#[test]
fn alert_says_what_runs_an_image_where_that_is_known() {
    let said = |in_use: Value| {
        let hit =
            assessment("clear", "quarantine", vec![reason("CVE-1")], &json!({ "/image/in_use": in_use }));
        let text = written(&only(&[hit]), Mode::Tag, false).text;
        text.lines().find(|line| line.starts_with("In use")).map(str::to_owned)
    };
    let (as_of, last_at) = ("2031-03-01T08:01:00Z", "2031-02-27T23:10:00Z");
    assert_eq!(said(Value::Null), None);
    for (in_use, line) in [
        (
            json!({ "count": 3, "last_at": last_at, "as_of": as_of }),
            "by 3 tasks and pods, last seen on 2031-02-27",
        ),
        (json!({ "count": 1, "as_of": as_of }), "by 1 task or pod, last seen on 2031-03-01"),
        (
            json!({ "count": 0, "last_at": last_at, "as_of": as_of }),
            "no task or pod runs it; one last did on 2031-02-27",
        ),
        (json!({ "count": 0, "as_of": as_of }), "no task or pod runs it (as of 2031-03-01)"),
    ] {
        assert_eq!(said(in_use), Some(format!("In use   {line}")));
    }
}

#[test]
fn alert_links_to_the_run_that_pushed_where_the_session_names_it() {
    let of = |session: &str| {
        let pusher = json!({
            "arn": format!("arn:aws:sts::111122223333:assumed-role/ci/{session}"),
            "provider": "token.actions.githubusercontent.com",
        });
        let fields = json!({ "/image/pusher": pusher });
        let alert = only(&[assessment("pending", "quarantine", vec![reason("CVE-2031-1000")], &fields)]);
        written(&alert, Mode::Tag, false)
    };
    let url = "https://github.com/octo-org/shop/actions/runs/34";
    let named = of("gha@octo-org@shop@34");
    assert!(named.text.contains(&format!("\nRun      {url}\n")), "{}", named.text);
    let form: Value = serde_json::from_str(&named.json).unwrap();
    assert_eq!(form.pointer("/images/0/pusher/github/url").unwrap(), url);
    for hostile in ["gha-12-34", "gha@evil.example@x@1", "gha@a@..@1", "run-42"] {
        let said = of(hostile);
        assert!(!said.text.contains("\nRun "), "{}", said.text);
        assert!(!said.json.contains("https://github.com"), "{}", said.json);
    }
}

#[test]
fn image_that_says_where_it_is_from_is_told_with_that() {
    let lines = |labels: Value| {
        let fields = json!({ "/image/labels": labels });
        let alert = only(&[assessment("pending", "quarantine", vec![reason("CVE-2031-1000")], &fields)]);
        let text = written(&alert, Mode::Tag, false).text;
        let from_push = text.lines().skip_while(|line| !line.starts_with("Pushed")).skip(1);
        from_push.take_while(|line| !line.starts_with("Owner")).map(str::to_owned).collect::<Vec<_>>()
    };
    let digest = format!("sha256:{}", "cd34".repeat(16));
    let all = json!({
        "source": "https://github.com/acme/shop", "revision": "3f2a91c5d0c1e7b2a4f6089d3e5c7b1a2f4d6e80",
        "base_name": "docker.io/library/debian:13-slim", "base_digest": digest, "created": "2031-03-01T07:58:00Z",
    });
    assert_eq!(
        lines(all),
        [
            "Source   https://github.com/acme/shop @ 3f2a91c",
            "Base     docker.io/library/debian:13-slim @ cd34cd34cd34",
            "Built    2031-03-01 07:58 UTC",
        ]
    );
    assert_eq!(
        lines(json!({ "revision": "v1.4", "base_digest": digest })),
        ["Source   revision v1.4", "Base     digest cd34cd34cd34"]
    );
    assert_eq!(lines(json!({ "source": "git@example.com:a" })), ["Source   git@example.com:a"]);
    assert_eq!(lines(json!({})), [""; 0]);
}
