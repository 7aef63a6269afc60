//! What `Ref` and `Fn::GetAtt` return for each type of resource, and how names and ARNs are made.
//!
//! Source: the section "Return values" of each resource type in
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-template-resource-type-ref.html>.

use super::document::Pseudo;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReturnValue {
    Name,
    Arn,
    QueueUrl,
}

pub(super) fn of_ref(kind: &str) -> ReturnValue {
    match kind {
        "AWS::SNS::Topic" | "AWS::Serverless::LayerVersion" => ReturnValue::Arn,
        "AWS::SQS::Queue" => ReturnValue::QueueUrl,
        _ => ReturnValue::Name,
    }
}

/// `None` where the attribute is not known.
pub(super) fn of_attribute(kind: &str, attribute: &str) -> Option<ReturnValue> {
    match (kind, attribute) {
        ("AWS::SNS::Topic", "TopicArn") | (_, "Arn") => Some(ReturnValue::Arn),
        ("AWS::SQS::Queue", "QueueName")
        | ("AWS::SNS::Topic", "TopicName")
        | ("AWS::Events::EventBus", "Name") => Some(ReturnValue::Name),
        ("AWS::SQS::Queue", "QueueUrl") => Some(ReturnValue::QueueUrl),
        _ => None,
    }
}

/// The property that sets the name of a resource; without it `CloudFormation` makes one.
pub(super) fn name_property(kind: &str) -> Option<&'static str> {
    match kind {
        "AWS::SQS::Queue" => Some("QueueName"),
        "AWS::SNS::Topic" => Some("TopicName"),
        "AWS::DynamoDB::Table" => Some("TableName"),
        "AWS::Events::Rule" | "AWS::Events::EventBus" => Some("Name"),
        "AWS::Serverless::Function" => Some("FunctionName"),
        "AWS::Serverless::LayerVersion" => Some("LayerName"),
        "AWS::Logs::LogGroup" => Some("LogGroupName"),
        "AWS::IAM::Role" => Some("RoleName"),
        _ => None,
    }
}

/// The ARN of a resource; `None` where its form is not known. `bus` is the bus of a rule.
pub(super) fn arn(kind: &str, name: &str, bus: Option<&str>, pseudo: &Pseudo) -> Option<String> {
    let (service, path) = match kind {
        "AWS::SQS::Queue" => ("sqs", name.to_owned()),
        "AWS::SNS::Topic" => ("sns", name.to_owned()),
        "AWS::DynamoDB::Table" => ("dynamodb", format!("table/{name}")),
        "AWS::Events::EventBus" => ("events", format!("event-bus/{name}")),
        "AWS::Serverless::Function" => ("lambda", format!("function:{name}")),
        "AWS::Serverless::LayerVersion" => ("lambda", format!("layer:{name}:1")),
        "AWS::Logs::LogGroup" => ("logs", format!("log-group:{name}:*")),
        "AWS::Events::Rule" => match bus.map(bus_name) {
            None | Some("default") => ("events", format!("rule/{name}")),
            Some(bus) => ("events", format!("rule/{bus}/{name}")),
        },
        "AWS::IAM::Role" => return Some(format!("arn:aws:iam::{}:role/{name}", pseudo.account)),
        _ => return None,
    };
    Some(format!("arn:aws:{service}:{}:{}:{path}", pseudo.region, pseudo.account))
}

pub(super) fn queue_url(name: &str, pseudo: &Pseudo) -> String {
    format!("https://sqs.{}.amazonaws.com/{}/{name}", pseudo.region, pseudo.account)
}

/// The name of an event bus that is given by name or by ARN.
pub(crate) fn bus_name(bus: &str) -> &str {
    bus.rsplit_once('/').map_or(bus, |(_, name)| name)
}
