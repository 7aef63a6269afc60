//! Amazon SNS: topics that keep the messages published to them, and their subscriptions. SNS API reference, `Publish` and
//! `ListSubscriptionsByTopic`.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use winterbaume_core::{MockResponse, xml_escape};

use crate::account::Account;
use crate::shared::Shared;
use crate::wire::error::ApiError;
use crate::wire::pagination::page;

const MESSAGE_BYTES: usize = 262_144;
const SUBJECT_CHARACTERS: usize = 100;
const SUBSCRIPTIONS_PER_PAGE: usize = 100;
const XML_NAMESPACE: &str = "http://sns.amazonaws.com/doc/2010-03-31/";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedMessage {
    /// The topic's ARN.
    pub topic: String,
    pub subject: Option<String>,
    /// As it was sent: with the structure `json`, the whole JSON object.
    pub message: String,
    /// The `MessageStructure` of the request: `json`, or none.
    pub structure: Option<String>,
    /// Binary values in base64.
    pub attributes: BTreeMap<String, String>,
    pub message_id: String,
}

/// Who gets what is published to a topic. Nothing is delivered here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeedSubscription {
    /// Such as `email`.
    pub protocol: String,
    pub endpoint: String,
    /// Whether the endpoint has agreed.
    pub confirmed: bool,
}

#[derive(Default)]
struct State {
    topics: BTreeSet<String>,
    /// By topic.
    subscriptions: BTreeMap<String, Vec<SeedSubscription>>,
    published: Vec<PublishedMessage>,
}

#[derive(Clone)]
pub struct Sns {
    account: Account,
    state: Shared<State>,
}

impl Sns {
    pub(crate) fn new(account: Account) -> Self {
        Self { account, state: Shared::default() }
    }

    /// Publishing to a topic that was not created is refused.
    pub fn create_topic(&self, arn: &str) {
        self.state.with(|state| state.topics.insert(arn.to_owned()));
    }

    /// Adds a subscription to a topic.
    pub fn seed_subscription(&self, topic: &str, subscription: SeedSubscription) {
        self.state.with(|state| state.subscriptions.entry(topic.to_owned()).or_default().push(subscription));
    }

    /// All published messages, oldest first.
    pub fn published(&self) -> Vec<PublishedMessage> {
        self.state.with(|state| state.published.clone())
    }

    pub(crate) fn handle(&self, operation: &str, body: &[u8]) -> Result<MockResponse, ApiError> {
        let form: BTreeMap<String, String> = form_urlencoded::parse(body).into_owned().collect();
        let result = match operation {
            "Publish" => format!("<MessageId>{}</MessageId>", self.publish(&form)?),
            "ListSubscriptionsByTopic" => self.list_subscriptions(&form)?,
            _ => return Err(ApiError::unknown_operation(&format!("sns:{operation}"))),
        };
        let request_id = self.account.next_identifier();
        Ok(MockResponse::xml(
            200,
            format!(
                "<{operation}Response xmlns=\"{XML_NAMESPACE}\"><{operation}Result>{result}</{operation}Result>\
                 <ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{operation}Response>"
            ),
        ))
    }

    /// One that is not confirmed has no ARN; the word `PendingConfirmation` stands in its place.
    fn list_subscriptions(&self, form: &BTreeMap<String, String>) -> Result<String, ApiError> {
        let topic =
            form.get("TopicArn").ok_or_else(|| invalid("TopicArn", "no value for required parameter"))?;
        let subscriptions = self.state.with(|state| {
            let subscriptions = || state.subscriptions.get(topic).cloned().unwrap_or_default();
            state.topics.contains(topic).then(subscriptions)
        });
        let subscriptions = subscriptions.ok_or_else(no_topic)?;
        let listing =
            subscriptions.iter().enumerate().map(|(number, one)| (format!("{number:08}"), (number, one)));
        let page = page(listing, form.get("NextToken").map(String::as_str), SUBSCRIPTIONS_PER_PAGE)
            .ok_or_else(|| invalid("NextToken", "not a token of this listing"))?;
        let members: String =
            page.items.iter().map(|(number, one)| self.member(topic, *number, one)).collect();
        let token =
            page.next_token.map(|token| format!("<NextToken>{token}</NextToken>")).unwrap_or_default();
        Ok(format!("<Subscriptions>{members}</Subscriptions>{token}"))
    }

    fn member(&self, topic: &str, number: usize, subscription: &SeedSubscription) -> String {
        let SeedSubscription { protocol, endpoint, confirmed } = subscription;
        let arn = if *confirmed {
            format!("{topic}:00000000-0000-4000-8000-{number:012x}")
        } else {
            "PendingConfirmation".to_owned()
        };
        let members = [
            ("TopicArn", topic),
            ("Protocol", protocol),
            ("SubscriptionArn", &arn),
            ("Owner", &self.account.id),
            ("Endpoint", endpoint),
        ];
        let members = members.map(|(name, value)| format!("<{name}>{}</{name}>", xml_escape(value)));
        format!("<member>{}</member>", members.concat())
    }

    fn publish(&self, form: &BTreeMap<String, String>) -> Result<String, ApiError> {
        let topic =
            form.get("TopicArn").ok_or_else(|| invalid("TopicArn", "no value for required parameter"))?;
        let message = form.get("Message").filter(|message| !message.is_empty());
        let message = message.ok_or_else(|| invalid("Message", "Empty message"))?;
        let subject = form.get("Subject");
        if let Some(subject) = subject {
            check_subject(subject)?;
        }
        let structure = form.get("MessageStructure");
        if let Some(structure) = structure {
            check_structure(structure, message)?;
        }
        let attributes = attributes(form)?;
        if message.len() + attributes.bytes > MESSAGE_BYTES {
            return Err(invalid("Message", "Message too long"));
        }
        self.state.with(|state| {
            if !state.topics.contains(topic) {
                return Err(no_topic());
            }
            let message_id = self.account.next_identifier();
            state.published.push(PublishedMessage {
                topic: topic.clone(),
                subject: subject.cloned(),
                message: message.clone(),
                structure: structure.cloned(),
                attributes: attributes.values,
                message_id: message_id.clone(),
            });
            Ok(message_id)
        })
    }
}

/// A subject is printable ASCII without line breaks, does not begin with a space, and is shorter than
/// 100 characters.
fn check_subject(subject: &str) -> Result<(), ApiError> {
    let starts_well = subject.bytes().next().is_some_and(|first| first.is_ascii_graphic());
    let printable = subject.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    if starts_well && printable && subject.len() < SUBJECT_CHARACTERS {
        return Ok(());
    }
    Err(invalid("Subject", "must be printable ASCII on one line and shorter than 100 characters"))
}

fn check_structure(structure: &str, message: &str) -> Result<(), ApiError> {
    if structure != "json" {
        return Err(invalid("MessageStructure", "must be json"));
    }
    let parsed: Value = serde_json::from_str(message)
        .map_err(|_| invalid("Message Structure", "JSON message body failed to parse"))?;
    match parsed.get("default") {
        Some(Value::String(_)) => Ok(()),
        _ => Err(invalid("Message Structure", "No default entry in JSON message body")),
    }
}

struct Attributes {
    values: BTreeMap<String, String>,
    /// Names, types and values all count towards the size limit of a message.
    bytes: usize,
}

/// Reads `MessageAttributes.entry.N.Name`, `….Value.DataType` and the value itself.
fn attributes(form: &BTreeMap<String, String>) -> Result<Attributes, ApiError> {
    let mut attributes = Attributes { values: BTreeMap::new(), bytes: 0 };
    for number in 1.. {
        let prefix = format!("MessageAttributes.entry.{number}");
        let Some(name) = form.get(&format!("{prefix}.Name")) else {
            break;
        };
        let field = |field: &str| form.get(&format!("{prefix}.Value.{field}")).cloned().unwrap_or_default();
        let data_type = field("DataType");
        let binary = data_type == "Binary" || data_type.starts_with("Binary.");
        let value = if binary { field("BinaryValue") } else { field("StringValue") };
        let bytes = check_attribute(name, &data_type, &value)?;
        attributes.bytes += name.len() + data_type.len() + bytes;
        attributes.values.insert(name.clone(), value);
    }
    Ok(attributes)
}

/// Checks the value against its type, which may have a suffix (`String.custom`), and returns its size in bytes.
fn check_attribute(name: &str, data_type: &str, value: &str) -> Result<usize, ApiError> {
    let wrong = |why: &str| invalid("MessageAttributes", &format!("the attribute '{name}' {why}"));
    if value.is_empty() {
        return Err(wrong("must have a value"));
    }
    match data_type.split('.').next() {
        _ if data_type == "String.Array" => match serde_json::from_str::<Value>(value) {
            Ok(Value::Array(items)) if items.iter().all(|item| !item.is_array() && !item.is_object()) => {
                Ok(value.len())
            }
            _ => Err(wrong("is not a JSON array of strings, numbers, booleans and nulls")),
        },
        Some("String") => Ok(value.len()),
        Some("Number") if value.parse::<f64>().is_ok_and(f64::is_finite) => Ok(value.len()),
        Some("Number") => Err(wrong("is not a number")),
        Some("Binary") => STANDARD.decode(value).map(|bytes| bytes.len()).map_err(|_| wrong("is not base64")),
        _ => Err(wrong("has a type that is not String, String.Array, Number or Binary")),
    }
}

fn no_topic() -> ApiError {
    ApiError { status: 404, ..ApiError::refused("NotFound", "Topic does not exist") }
}

fn invalid(parameter: &str, reason: &str) -> ApiError {
    ApiError::refused("InvalidParameter", format!("Invalid parameter: {parameter} Reason: {reason}"))
}
