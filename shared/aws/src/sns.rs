//! An SNS topic.
//! <https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>

use std::collections::BTreeMap;

use aws_sdk_sns::Client;
use aws_sdk_sns::operation::publish::builders::PublishFluentBuilder;
use aws_sdk_sns::types::MessageAttributeValue;

use crate::AwsError;

const ACTION: &str = "sns:Publish";

/// A message attribute, for a subscription's filter policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attribute {
    One(String),
    /// Several values; a filter matches if any of them does.
    Many(Vec<String>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// Under 100 printable ASCII characters.
    pub subject: String,
    /// The form for people.
    pub text: String,
    /// The form for programs: SQS, Lambda and HTTPS subscriptions get it.
    pub json: String,
    pub attributes: BTreeMap<String, Attribute>,
}

impl Notification {
    /// SNS's limit for message and attributes together, in bytes.
    pub const LARGEST: usize = 262_144;

    /// The message in the form that SNS expects: one text per protocol. `default` is for the other protocols, email and
    /// SMS among them.
    pub fn message(&self) -> String {
        let Self { text, json, .. } = self;
        serde_json::json!({ "default": text, "sqs": json, "lambda": json, "https": json }).to_string()
    }
}

#[derive(Debug, Clone)]
pub struct Topic {
    client: Client,
    arn: String,
}

impl Topic {
    pub fn new(client: Client, arn: String) -> Self {
        Self { client, arn }
    }

    /// Whether anybody gets what is published: a subscription that was confirmed has an ARN, and another one a word in its
    /// place.
    /// <https://docs.aws.amazon.com/sns/latest/api/API_ListSubscriptionsByTopic.html>
    pub async fn has_subscriber(&self) -> Result<bool, AwsError> {
        let mut subscriptions =
            self.client.list_subscriptions_by_topic().topic_arn(&self.arn).into_paginator().items().send();
        while let Some(subscription) = subscriptions.next().await {
            let subscription =
                subscription.map_err(|error| AwsError::of("sns:ListSubscriptionsByTopic", error))?;
            if subscription.subscription_arn().is_some_and(|arn| arn.starts_with("arn:")) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub async fn publish(&self, notification: &Notification) -> Result<(), AwsError> {
        let request = self.request(notification)?.message_structure("json").message(notification.message());
        request.send().await.map_err(|error| AwsError::of(ACTION, error))?;
        Ok(())
    }

    /// Publishes another form of a notification, alike for all protocols, with the same subject and attributes.
    pub async fn publish_alike(&self, message: &str, notification: &Notification) -> Result<(), AwsError> {
        let request = self.request(notification)?.message(message);
        request.send().await.map_err(|error| AwsError::of(ACTION, error))?;
        Ok(())
    }

    fn request(&self, notification: &Notification) -> Result<PublishFluentBuilder, AwsError> {
        let Notification { subject, attributes, .. } = notification;
        let attributes = attributes
            .iter()
            .map(|(name, value)| Ok((name.clone(), attribute(value)?)))
            .collect::<Result<_, AwsError>>()?;
        let request = self.client.publish().topic_arn(&self.arn).subject(subject);
        Ok(request.set_message_attributes(Some(attributes)))
    }
}

fn attribute(value: &Attribute) -> Result<MessageAttributeValue, AwsError> {
    let (kind, text) = match value {
        Attribute::One(text) => ("String", text.clone()),
        Attribute::Many(texts) => ("String.Array", serde_json::json!(texts).to_string()),
    };
    MessageAttributeValue::builder()
        .data_type(kind)
        .string_value(text)
        .build()
        .map_err(|error| AwsError::answer(ACTION, error.to_string(), false))
}
