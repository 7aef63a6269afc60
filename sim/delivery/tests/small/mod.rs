//! A template with one queue and one function, small enough to be changed by a test.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sim_delivery::{Pseudo, Stack, TemplateError};

pub const TEMPLATE: &str = r"
Parameters:
  Source: { Type: String, Default: shop, AllowedValues: [shop, test] }
Conditions:
  IsTest: !Equals [!Ref Source, test]
Globals:
  Function:
    Timeout: 10
    Environment: { Variables: { STOCK: !Ref Stock } }
Resources:
  Stock:
    Type: AWS::DynamoDB::Table
    Properties:
      AttributeDefinitions: [{ AttributeName: id, AttributeType: S }, { AttributeName: shelf, AttributeType: S }]
      KeySchema: [{ AttributeName: id, KeyType: HASH }]
      GlobalSecondaryIndexes:
        - IndexName: shelves
          KeySchema: [{ AttributeName: shelf, KeyType: HASH }, { AttributeName: id, KeyType: RANGE }]
          Projection: { ProjectionType: INCLUDE, NonKeyAttributes: [price] }
  Sale:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/record-sale/
      Environment: { Variables: { PLACE: !Sub '${AWS::Region}/${Stock.Arn}', IS_TEST: !If [IsTest, 'yes', !Ref AWS::NoValue] } }
  Dead: { Type: AWS::SQS::Queue }
  Sales:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: 60
      RedrivePolicy: { deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 3 }
  SalesPolicy:
    Type: AWS::SQS::QueuePolicy
    Properties:
      Queues: [!Ref Sales]
      PolicyDocument:
        Statement:
          - Effect: Allow
            Principal: { Service: events.amazonaws.com }
            Action: sqs:SendMessage
            Resource: !GetAtt Sales.Arn
            Condition: { ArnEquals: { aws:SourceArn: !GetAtt Sold.Arn } }
  Sold:
    Type: AWS::Events::Rule
    Properties:
      EventPattern: { source: [!Ref Source] }
      Targets: [{ Id: Sales, Arn: !GetAtt Sales.Arn }]
  SaleEvents:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      FunctionName: !Ref Sale
      EventSourceArn: !GetAtt Sales.Arn
      BatchSize: 4
      MaximumBatchingWindowInSeconds: 5
      FunctionResponseTypes: [ReportBatchItemFailures]
";

pub fn load(text: &str) -> Result<Stack, TemplateError> {
    load_with(text, &[])
}

pub fn load_with(text: &str, overrides: &[(&str, &str)]) -> Result<Stack, TemplateError> {
    let overrides: BTreeMap<String, String> =
        overrides.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let pseudo = Pseudo {
        account: "123456789012".to_owned(),
        region: "eu-central-1".to_owned(),
        stack_name: "small".to_owned(),
    };
    Stack::load(text, &overrides, &pseudo)
}

/// The template with `from`, which must be in it, replaced by `to`.
pub fn changed(from: &str, to: &str) -> String {
    assert!(TEMPLATE.contains(from), "{from}");
    TEMPLATE.replace(from, to)
}

pub fn sale(number: u64) -> Value {
    json!({"source": "shop", "detail": {"number": number}})
}
