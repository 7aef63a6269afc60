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
