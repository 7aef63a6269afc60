//! The names and ARNs that resources get, which are what `Ref` and `Fn::GetAtt` return.
//!
//! Source: the section "Return values" of each resource type in
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-template-resource-type-ref.html>.
//! Where `CloudFormation` appends random characters to a generated name, this appends none, so that one
//! template always gives the same names.

use serde_json::Value;

use crate::parameter::text_of;
use crate::template::{Resource, Template};

/// The longest chain of names that are made from one another; a longer one is a circle.
const DEEPEST: usize = 16;

/// The name of a resource that the template leaves to `CloudFormation`: which property would set it.
fn name_property(kind: &str) -> Option<&'static str> {
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

impl Template {
    fn kind(&self, logical_id: &str) -> Result<&Resource, String> {
        self.resource(logical_id).ok_or_else(|| format!("there is no resource or parameter {logical_id}"))
    }

    /// The physical name of a resource.
    pub(crate) fn physical_name(&self, logical_id: &str) -> Result<String, String> {
        let resource = self.kind(logical_id)?;
        // A name may be made from the names of other resources, and those from it again.
        let depth = self.naming_depth.get();
        if depth > DEEPEST {
            return Err(format!("the name of {logical_id} is made from itself"));
        }
        self.naming_depth.set(depth + 1);
        let name = self.make_name(logical_id, resource);
        self.naming_depth.set(depth);
        name
    }

    fn make_name(&self, logical_id: &str, resource: &Resource) -> Result<String, String> {
        let property = name_property(&resource.kind)
            .ok_or_else(|| format!("the name of {logical_id}, a {}, is not known", resource.kind))?;
        match self.property(logical_id, property).map_err(|error| error.to_string())? {
            None => Ok(format!("{}-{logical_id}", self.pseudo.stack_name)),
            Some(name) => text_of(&name).ok_or_else(|| format!("{property} of {logical_id} is not text")),
        }
    }

    /// The ARN of a resource.
    pub(crate) fn arn(&self, logical_id: &str) -> Result<String, String> {
        let resource = self.kind(logical_id)?;
        let name = self.physical_name(logical_id)?;
        let (service, path) = match resource.kind.as_str() {
            "AWS::SQS::Queue" => ("sqs", name),
            "AWS::SNS::Topic" => ("sns", name),
            "AWS::DynamoDB::Table" => ("dynamodb", format!("table/{name}")),
            "AWS::Events::EventBus" => ("events", format!("event-bus/{name}")),
            "AWS::Serverless::Function" => ("lambda", format!("function:{name}")),
            "AWS::Serverless::LayerVersion" => ("lambda", format!("layer:{name}:1")),
            "AWS::Logs::LogGroup" => ("logs", format!("log-group:{name}:*")),
            "AWS::Events::Rule" => {
                let bus = self.property(logical_id, "EventBusName").map_err(|error| error.to_string())?;
                match bus.as_ref().and_then(Value::as_str).map(bus_name) {
                    None | Some("default") => ("events", format!("rule/{name}")),
                    Some(bus) => ("events", format!("rule/{bus}/{name}")),
                }
            }
            "AWS::IAM::Role" => {
                return Ok(format!("arn:aws:iam::{}:role/{name}", self.pseudo.account));
            }
            kind => return Err(format!("the ARN of {logical_id}, a {kind}, is not known")),
        };
        Ok(format!("arn:aws:{service}:{}:{}:{path}", self.pseudo.region, self.pseudo.account))
    }

    /// What `Ref` returns for a resource.
    pub(crate) fn returned_by_ref(&self, logical_id: &str) -> Result<String, String> {
        match self.kind(logical_id)?.kind.as_str() {
            "AWS::SNS::Topic" | "AWS::Serverless::LayerVersion" => self.arn(logical_id),
            "AWS::SQS::Queue" => Ok(format!(
                "https://sqs.{}.amazonaws.com/{}/{}",
                self.pseudo.region,
                self.pseudo.account,
                self.physical_name(logical_id)?
            )),
            _ => self.physical_name(logical_id),
        }
    }

    /// What `Fn::GetAtt` returns for an attribute of a resource.
    pub(crate) fn attribute(&self, logical_id: &str, attribute: &str) -> Result<String, String> {
        let resource = self.kind(logical_id)?;
        match (resource.kind.as_str(), attribute) {
            ("AWS::SNS::Topic", "TopicArn") | (_, "Arn") => self.arn(logical_id),
            ("AWS::SQS::Queue", "QueueName")
            | ("AWS::SNS::Topic", "TopicName")
            | ("AWS::Events::EventBus", "Name") => self.physical_name(logical_id),
            ("AWS::SQS::Queue", "QueueUrl") => self.returned_by_ref(logical_id),
            (kind, _) => Err(format!("{logical_id}, a {kind}, has no known attribute {attribute}")),
        }
    }
}

/// The name of an event bus that is given by name or by ARN.
pub(crate) fn bus_name(bus: &str) -> &str {
    bus.rsplit_once('/').map_or(bus, |(_, name)| name)
}
