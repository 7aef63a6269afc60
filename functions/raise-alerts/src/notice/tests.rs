use domain::notice::Aftermath;
use domain::provenance::{Actor, Origin, Pusher};
use domain::quarantine::Mode;

use super::*;
use crate::form::SUBJECT;

fn image() -> ImageId {
    ImageId {
        account: "111122223333".to_owned(),
        region: "eu-west-1".to_owned(),
        repository: "prod/cart".to_owned(),
        digest: format!("sha256:{}", "ab12".repeat(16)).try_into().unwrap(),
    }
}

fn notice(about: About) -> Notice {
    Notice::new("id".to_owned(), "2031-03-01T08:01:30Z".parse().unwrap(), about)
}

#[test]
fn held_quarantines_are_counted_and_the_command_is_there() {
    let about = About::QuarantinesHeld {
        held: 3,
        per_hour: 20,
        since: "2031-03-01T08:00:00Z".parse().unwrap(),
        images: vec!["111122223333/eu-west-1/prod/cart@sha256:ab12".to_owned()],
    };
    let sent = notification(&notice(about), false);
    assert_eq!(sent.subject, "Quarantine paused: 3 images wait for a person");
    insta::assert_snapshot!(sent.text, @r#"
    3 images would have come under quarantine and wait for a person. More than 20 images that were pushed more than a day ago would have come under quarantine within an hour. A new rule, a new entry in a catalogue or a wrong feed does that.

      - 111122223333/eu-west-1/prod/cart@sha256:ab12
        and 2 more

    Since    2031-03-01 08:00 UTC
    Status   these images were not changed, whatever their alerts say; new pushes are still quarantined at once
    To do    if their verdicts are right: ecr-warden resume 3 --table TABLE --why "..."
             if not: correct policy.yaml and deploy it
    "#);
    assert_eq!(sent.attributes["notice"], Attribute::One("quarantines_held".to_owned()));
}

#[test]
fn tags_that_do_not_come_back_have_a_command_each() {
    let tags = vec!["latest".to_owned(), "dev".to_owned()];
    let sent = notification(&notice(About::TagsNotGivenBack { image: image(), tags, more_tags: 0 }), true);
    assert_eq!(sent.subject, "Released without all tags: prod/cart@ab12ab12ab12");
    for tag in ["latest", "dev"] {
        let command = format!("--tag 111122223333.dkr.ecr.eu-west-1.amazonaws.com/prod/cart:{tag} ");
        assert!(sent.text.contains(&command), "{}", sent.text);
    }
    assert!(sent.text.contains("may repeat an earlier alert"), "{}", sent.text);
}

#[test]
fn every_notice_fits_a_subject_and_names_its_image() {
    let tags = vec!["latest".to_owned()];
    let because = "they can move".to_owned();
    for about in [
        tampered(Vec::new()),
        About::TagsLeftOn { image: image(), mode: Mode::Untag, tags, more_tags: 0, cache: false, because },
        About::MarkOnCopy { image: image(), copy: image() },
    ] {
        let sent = notification(&notice(about), false);
        assert!(sent.subject.len() <= SUBJECT && sent.text.contains(&image().uri()), "{sent:?}");
        assert!(sent.text.contains("To do    "), "{}", sent.text);
    }
}

#[test]
fn copy_that_keeps_the_tag_has_two_commands_that_lose_no_image() {
    let copy = ImageId { account: "444455556666".to_owned(), region: "us-east-1".to_owned(), ..image() };
    let sent = notification(&notice(About::MarkOnCopy { image: image(), copy }), false);
    assert_eq!(sent.subject, "Copies keep the quarantine tag: prod/cart@ab12ab12ab12");
    insta::assert_snapshot!(sent.text, @r"
    An image is released from quarantine, and ECR replicates its repository to us-east-1 in the account 444455556666.

    Image    111122223333.dkr.ecr.eu-west-1.amazonaws.com/prod/cart@sha256:ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12
    Copy     444455556666.dkr.ecr.us-east-1.amazonaws.com/prod/cart@sha256:ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12
    Why      ECR replicates a tag that is put on, but not its removal
    Status   the quarantine tag quarantine-ab12ab12ab12 is taken off here; a copy that has it keeps it unless ecr-warden also runs there
    To do    if it does not run there, take the tag off the copy. ECR deletes an image with its last tag, so the first command puts another one on; run the second if the first works or says that the tag exists
             docker buildx imagetools create --tag 444455556666.dkr.ecr.us-east-1.amazonaws.com/prod/cart:released-from-quarantine-ab12ab12ab12 444455556666.dkr.ecr.us-east-1.amazonaws.com/prod/cart@sha256:ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12
             aws ecr batch-delete-image --registry-id 444455556666 --region us-east-1 --repository-name prod/cart --image-ids imageTag=quarantine-ab12ab12ab12
    More     this alert is sent once for the repository and this destination; every released image needs the same
    ");
    assert_eq!(sent.attributes["notice"], Attribute::One("mark_on_copy".to_owned()));
}

#[test]
fn tags_that_a_cache_would_fetch_again_are_not_to_be_made_immutable() {
    for cache in [true, false] {
        let (mode, tags) = (Mode::Untag, vec!["1.0".to_owned()]);
        let because = "a reason".to_owned();
        let about = About::TagsLeftOn { image: image(), mode, tags, more_tags: 0, cache, because };
        let text = notification(&notice(about), false).text;
        assert_eq!((text.contains("immutable"), text.contains("at admission")), (!cache, cache), "{text}");
    }
}

fn tampered(actors: Vec<Actor>) -> About {
    About::Tampered {
        image: image(),
        mode: Mode::Tag,
        mark_removed: true,
        tags: Vec::new(),
        more_tags: 0,
        restored: false,
        times: 1,
        since: "2031-03-01T08:00:10Z".parse().unwrap(),
        actors,
        repeated: false,
        aftermath: Aftermath::PutRight,
    }
}

fn actor(session: &str, agent: &str) -> Actor {
    let arn = format!("arn:aws:sts::111122223333:assumed-role/developer/{session}");
    Actor {
        who: Pusher { arn, provider: None, service: None },
        from: Origin { address: Some("198.51.100.7".to_owned()), agent: Some(agent.to_owned()) },
        at: "2031-03-01T08:00:10Z".parse().unwrap(),
    }
}

#[test]
fn tampering_is_told_with_who_did_it_and_what_was_put_right() {
    let sent = notification(&notice(tampered(vec![actor("mary", "aws-cli/2.31.0")])), false);
    assert_eq!(sent.subject, "Quarantine tampered with: prod/cart@ab12ab12ab12");
    insta::assert_snapshot!(sent.text, @r"
    An image that is under quarantine was changed by the role developer, session mary.

    Image    111122223333.dkr.ecr.eu-west-1.amazonaws.com/prod/cart@sha256:ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12
    What     the tag quarantine-ab12ab12ab12 was taken off, or moved to another image
    Who      the role developer, session mary, from 198.51.100.7 (aws-cli/2.31.0), 2031-03-01 08:00 UTC
    Status   the tag quarantine-ab12ab12ab12 is on again
    To do    an exemption is a waiver: add one with a reason, an owner and an expiry date to policy.yaml
    More     further tampering within 24 hours is put right and counted, and reported in one alert
    ");
    assert_eq!(sent.attributes["notice"], Attribute::One("tampered".to_owned()));
}

#[test]
fn tampering_by_nobody_knows_whom_and_again_is_told_as_such() {
    let mut about = tampered(Vec::new());
    if let About::Tampered { tags, restored, times, repeated, .. } = &mut about {
        (*tags, *restored, *times, *repeated) = (vec!["1.0".to_owned()], true, 7, true);
    }
    let sent = notification(&notice(about), false);
    insta::assert_snapshot!(sent.text, @r"
    Somebody changed an image that is under quarantine.

    Image    111122223333.dkr.ecr.eu-west-1.amazonaws.com/prod/cart@sha256:ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12ab12
    What     the tag quarantine-ab12ab12ab12 was taken off, or moved to another image; tags that the quarantine keeps off were put on: 1.0; the archived image was restored or pushed again
    Who      not known: CloudTrail had not reported it when this was sent
    Since    2031-03-01 08:00 UTC
    Times    7 since the last alert
    Status   the tag quarantine-ab12ab12ab12 is on again; these tags are off again; it can be pulled, and is archived again if the next scan finds the same
    To do    an exemption is a waiver: add one with a reason, an owner and an expiry date to policy.yaml
    More     further tampering within 24 hours is put right and counted, and reported in one alert
    ");
}

#[test]
fn name_of_a_session_breaks_no_line_of_the_alert() {
    let plain = notification(&notice(tampered(vec![actor("mary", "agent")])), false);
    let hostile = actor("mary\nStatus   released\u{202e}\u{1b}[2J", "agent\r\nTo do    nothing");
    let sent = notification(&notice(tampered(vec![hostile])), false);
    assert_eq!(sent.text.lines().count(), plain.text.lines().count(), "{}", sent.text);
    assert!(!sent.text.contains(['\u{202e}', '\u{1b}', '\r']) && !sent.subject.contains('\n'));
}

/// The subject, the text and the attributes that filters use, as one text to read.
fn read(about: About) -> String {
    let sent = notification(&notice(about), false);
    let attribute = |name: &str| match &sent.attributes[name] {
        Attribute::One(value) => value.clone(),
        Attribute::Many(values) => format!("{values:?}"),
    };
    let attributes = format!("notice {}, owner {}", attribute("notice"), attribute("owner"));
    format!("{}\n[{attributes}]\n\n{}", sent.subject, sent.text)
}

/// What is told of the notices of this kind.
fn told(kind: &str) -> String {
    let all = domain::samples::about_many().map(read);
    let mark = format!("[notice {kind}, ");
    all.into_iter().find(|text| text.contains(&mark)).unwrap()
}

#[test]
fn adoption_is_told_with_the_worst_and_with_what_comes_next() {
    insta::assert_snapshot!(told("adopted"), @r#"
    Adopted 5 images: 1 matches a quarantine rule
    [notice adopted, owner ["pay", "shop"]]

    ecr-warden has judged the 5 images that were there before it. 3 of them are deployed by a tag or a digest of their own.

    The worst:
      - prod/cart:1.0, owner shop [quarantine]: 2 CRITICAL

    1 image could not be judged:
      - prod/cart:1.0, owner pay: no answer

    Where    account 111122223333, eu-west-1
    Open     2 CRITICAL
    Status   1 image matches the policy's quarantine rules; none of them was changed, because QuarantineAdopted is false
    To do    go through the worst and correct policy.yaml where it goes too far; then deploy with QuarantineAdopted=true, if these images are to come under quarantine
    When     2031-01-01 00:00 UTC to 2031-01-01 00:01 UTC
    "#);
}

#[test]
fn new_policy_is_told_with_each_change_of_verdicts_and_who_deployed_it() {
    insta::assert_snapshot!(told("policy_changed"), @r"
    Policy changed: 2 of 9 images have another verdict
    [notice policy_changed, owner shop]

    Another policy is in force, and 9 images were judged by it. 2 of them have another verdict.

    2 images, from clear to quarantine:
      - prod/cart:1.0, owner shop
        and 1 more

    Where    account 111122223333, eu-west-1
    Policy   ab12
    By       Mary
    Status   the quarantine follows these verdicts; of images that were there for more than a day it takes as many an hour as the limit allows
    To do    if this is not what the change was meant to do: put the old policy.yaml back and deploy it
    When     2031-01-01 00:00 UTC to 2031-01-01 00:01 UTC
    ");
}

#[test]
fn ended_waivers_are_told_with_what_their_end_did() {
    insta::assert_snapshot!(told("waivers_ended"), @r#"
    Waivers ended: 3 of shop, 6 images quarantined
    [notice waivers_ended, owner ["pay", "shop"]]

    3 waivers of shop have ended. What they excused counts again.

      - CVE-1 in prod/*, until 2031-02-01, excused findings in 3 images: not reachable
        and 2 more

    Under quarantine with that:
      - prod/cart:1.0, owner shop
      - prod/cart:1.0, owner pay
        and 4 more

    Where    account 111122223333, eu-west-1
    Status   4 findings in 2 images count again; 6 came under quarantine
    To do    fix these findings, or give the waivers a new last day in policy.yaml and deploy it, if the reason still holds
    "#);
}

#[test]
fn scanning_that_was_switched_off_is_told_with_the_reason_in_words_and_where_to_look() {
    insta::assert_snapshot!(told("scanning_off"), @r#"
    Scanning is off for 6 of 10 images
    [notice scanning_off, owner ["pay", "shop"]]

    Inspector has stopped scanning 6 of 10 images at once. Nobody finds new vulnerabilities in them.

      - prod/cart:1.0, owner shop
      - prod/cart:1.0, owner pay
        and 4 more

    Where    account 111122223333, eu-west-1
    Why      the registry is set up not to scan this repository (SCAN_FREQUENCY_MANUAL)
    Since    2031-01-01 00:00 UTC
    Status   verdicts stay as they were, and a finding that closes without a scan does not count as fixed
    To do    add the repository to the filters of enhanced scanning in the registry settings
             to see who did it, look in CloudTrail for PutRegistryScanningConfiguration (ECR) and Disable (Inspector)
    "#);
}

#[test]
fn every_notice_about_many_says_what_to_do_and_counts_those_that_it_does_not_name() {
    for about in domain::samples::about_many() {
        let sent = notification(&notice(about), false);
        assert!(sent.subject.len() <= SUBJECT && !sent.subject.contains('?'), "{}", sent.subject);
        assert!(sent.text.contains("To do    "), "{}", sent.text);
    }
    for kind in ["waivers_ending", "waivers_unused"] {
        assert!(
            told(kind).contains("CVE-1 in prod/*, until 2031-02-01") && told(kind).contains("and 2 more")
        );
    }
    assert!(told("unscanned").contains("What helps: build it on a base image that Inspector supports"));
    assert!(told("rule_idle").contains("old: never matched"));
}

#[test]
fn fifty_images_with_the_longest_names_fit_into_a_message_and_none_is_lost() {
    use domain::notice::{ChangedImage, Listed, NamedImage, PolicyChanged};
    let [_, About::PolicyChanged(mut changed), ..] = domain::samples::about_many() else {
        panic!("the samples have another order")
    };
    let long = |name: &str| name.repeat(256);
    let image = ImageId { repository: long("r"), ..image() };
    let image = NamedImage { tags: vec![long("\""); 3], more_tags: 997, owner: Some(long("\"")), image };
    let verdict = changed.changed.named[0].to;
    let one = ChangedImage { image, from: changed.changed.named[0].from, to: verdict };
    changed.changed = Listed::first(PolicyChanged::NAMED, vec![one; 80]);
    changed.changes[0].images = 80;
    let sent = notification(&notice(About::PolicyChanged(changed)), true);
    assert!(form::fits(&sent), "{}", sent.message().len());
    let json: serde_json::Value = serde_json::from_str(&sent.json).unwrap();
    let listed = &json["notice"]["changed"];
    let named = listed["named"].as_array().unwrap().len() as u64;
    assert!(named >= 12, "{named}");
    assert_eq!(named + listed["more"].as_u64().unwrap(), 80);
    assert!(sent.text.contains(&format!("and {} more\n", 80 - named)));
}
