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
        About::RestoredByOthers { image: image() },
        About::TagsLeftOn { image: image(), mode: Mode::Untag, tags, more_tags: 0, because },
    ] {
        let sent = notification(&notice(about), false);
        assert!(sent.subject.len() <= SUBJECT && sent.text.contains(&image().uri()), "{sent:?}");
        assert!(sent.text.contains("To do    "), "{}", sent.text);
    }
}
