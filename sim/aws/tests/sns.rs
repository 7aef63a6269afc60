//! Messages through the real SNS client.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod account;

use account::account;
use aws_sdk_sns::operation::publish::PublishError;
use aws_sdk_sns::types::MessageAttributeValue;
use sim_aws::SeedSubscription;

const TOPIC: &str = "arn:aws:sns:eu-central-1:123456789012:alerts";

#[tokio::test]
async fn message_is_kept_with_subject_and_attributes() {
    let aws = account();
    aws.sns().create_topic(TOPIC);
    let client = aws_sdk_sns::Client::new(&aws.sdk_config().await);
    let attribute = |data_type: &str, value: &str| {
        MessageAttributeValue::builder().data_type(data_type).string_value(value).build().unwrap()
    };
    let message = r#"{"default":"ü & <b>","email":"text"}"#;
    let response = client
        .publish()
        .topic_arn(TOPIC)
        .subject("CRITICAL: app + more")
        .message_structure("json")
        .message(message)
        .message_attributes("severity", attribute("String", "CRITICAL"))
        .message_attributes("count", attribute("Number", "3"))
        .message_attributes("rules", attribute("String.Array", r#"["a","b"]"#))
        .send()
        .await
        .unwrap();
    let published = aws.sns().published();
    assert_eq!(published.len(), 1);
    assert_eq!(response.message_id(), Some(published[0].message_id.as_str()));
    assert_eq!((published[0].topic.as_str(), published[0].message.as_str()), (TOPIC, message));
    assert_eq!(published[0].subject.as_deref(), Some("CRITICAL: app + more"));
    assert_eq!(published[0].structure.as_deref(), Some("json"));
    let attributes: Vec<_> =
        published[0].attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(attributes, [("count", "3"), ("rules", r#"["a","b"]"#), ("severity", "CRITICAL")]);
}

#[tokio::test]
async fn messages_that_sns_refuses_are_refused() {
    let aws = account();
    aws.sns().create_topic(TOPIC);
    let client = aws_sdk_sns::Client::new(&aws.sdk_config().await);
    let publish = || client.publish().topic_arn(TOPIC).message("text");
    for subject in
        ["x".repeat(100), "two\nlines".to_owned(), " leading".to_owned(), "Größe".to_owned(), String::new()]
    {
        let error = publish().subject(&subject).send().await.unwrap_err().into_service_error();
        assert!(matches!(error, PublishError::InvalidParameterException(_)), "{subject:?}: {error:?}");
    }
    let attribute = |data_type: &str, value: &str| {
        MessageAttributeValue::builder().data_type(data_type).string_value(value).build().unwrap()
    };
    let at_limit = "x".repeat(262_144);
    for request in [
        publish().message_structure("json"),
        publish().message_structure("json").message("{}"),
        publish().message_structure("json").message(r#"{"default":1}"#),
        publish().message(&at_limit).message_attributes("a", attribute("String", "b")),
        publish().message(format!("{at_limit}x")),
        publish().message(""),
        publish().message_attributes("a", attribute("Number", "three")),
        publish().message_attributes("a", attribute("String.Array", "[[1]]")),
        publish().message_attributes("a", attribute("Text", "b")),
        publish().message_attributes("a", attribute("String", "")),
    ] {
        let error = request.send().await.unwrap_err().into_service_error();
        assert!(matches!(error, PublishError::InvalidParameterException(_)), "{error:?}");
    }
    let error = publish().topic_arn("arn:aws:sns:eu-central-1:123456789012:other").send().await.unwrap_err();
    assert!(matches!(error.into_service_error(), PublishError::NotFoundException(_)));
    assert!(aws.sns().published().is_empty());
    publish().message(at_limit).subject("x".repeat(99)).send().await.unwrap();
    assert_eq!(aws.sns().published().len(), 1);
}

#[tokio::test]
async fn subscriptions_are_listed_in_pages_with_whether_they_are_confirmed() {
    let aws = account();
    aws.sns().create_topic(TOPIC);
    let client = aws_sdk_sns::Client::new(&aws.sdk_config().await);
    let list = || client.list_subscriptions_by_topic().topic_arn(TOPIC);
    assert_eq!(list().send().await.unwrap().subscriptions(), []);
    for number in 0..101 {
        let subscription = SeedSubscription {
            protocol: "https".to_owned(),
            endpoint: format!("https://example.com/?a=1&b={number}"),
            confirmed: number > 0,
        };
        aws.sns().seed_subscription(TOPIC, subscription);
    }
    let first = list().send().await.unwrap();
    assert_eq!(first.subscriptions().len(), 100);
    let pending = &first.subscriptions()[0];
    assert_eq!(pending.subscription_arn(), Some("PendingConfirmation"));
    assert_eq!((pending.topic_arn(), pending.owner()), (Some(TOPIC), Some(account::ACCOUNT)));
    let confirmed = &first.subscriptions()[1];
    assert!(confirmed.subscription_arn().unwrap().starts_with(TOPIC));
    assert_eq!(
        (confirmed.protocol(), confirmed.endpoint()),
        (Some("https"), Some("https://example.com/?a=1&b=1"))
    );
    let second = list().next_token(first.next_token().unwrap()).send().await.unwrap();
    assert_eq!((second.subscriptions().len(), second.next_token()), (1, None));
    assert!(list().next_token("nonsense").send().await.is_err());
    let other = client.list_subscriptions_by_topic().topic_arn("arn:aws:sns:eu-central-1:123456789012:other");
    assert!(other.send().await.unwrap_err().into_service_error().is_not_found_exception());
}
