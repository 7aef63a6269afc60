//! A template that AWS would refuse, or that is not understood, is refused with the resource's name.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

#[allow(dead_code, reason = "each test file uses its own part")]
mod small;

use small::{TEMPLATE, changed, load, load_with};

#[test]
fn the_small_template_is_understood() {
    let stack = load_with(TEMPLATE, &[("Source", "test")]).unwrap();
    let function = stack.functions().next().unwrap();
    assert_eq!((function.name.as_str(), function.timeout_seconds), ("record-sale", 10));
    assert_eq!(function.environment["STOCK"], "small-Stock");
    assert_eq!(
        function.environment["PLACE"],
        "eu-central-1/arn:aws:dynamodb:eu-central-1:123456789012:table/small-Stock"
    );
    assert_eq!(function.environment["IS_TEST"], "yes");
    let table = &stack.tables()[0];
    assert_eq!(table.definition["KeySchema"][0]["AttributeName"], "id");
    assert_eq!(table.definition["GlobalSecondaryIndexes"][0]["Projection"]["NonKeyAttributes"][0], "price");
    let stack = load(TEMPLATE).unwrap();
    assert!(!stack.functions().next().unwrap().environment.contains_key("IS_TEST"));
}

#[test]
fn every_refusal_names_the_resource_and_the_reason() {
    let cases = [
        ("source: [!Ref Source]", "source: [{ cidr: 10.0.0.0/8 }]", "resource `Sold`", "cidr"),
        ("source: [!Ref Source]", "source: [!Ref Nothing]", "resource `Sold`", "Nothing"),
        ("source: [!Ref Source]", "source: [!Base64 x]", "resource `Sold`", "Fn::Base64"),
        ("Arn: !GetAtt Sales.Arn }]", "Arn: !GetAtt Stock.Arn }]", "resource `Sold`", "expected a queue"),
        ("Arn: !GetAtt Sales.Arn }]", "Arn: !GetAtt Sales.Colour }]", "resource `Sold`", "Colour"),
        ("Arn: !GetAtt Sales.Arn }]", "Arn: !GetAtt Sales.Arn, Input: x }]", "resource `Sold`", "Input"),
        ("source: [!Ref Source]", "source: !Split ['', a]", "resource `Sold`", "Fn::Split"),
        ("source: [!Ref Source]", "source: !Split [',', [a]]", "resource `Sold`", "expected text"),
        ("Effect: Allow", "Effect: Deny", "resource `Sold`", "QueuePolicy"),
        (
            "aws:SourceArn: !GetAtt Sold.Arn",
            "aws:SourceArn: !GetAtt Sales.Arn",
            "resource `Sold`",
            "QueuePolicy",
        ),
        (
            "VisibilityTimeout: 60",
            "VisibilityTimeout: 9",
            "resource `SaleEvents`",
            "shorter than the Timeout",
        ),
        ("VisibilityTimeout: 60", "VisibilityTimeout: soon", "resource `Sales`", "VisibilityTimeout"),
        ("VisibilityTimeout: 60", "FifoQueue: true", "resource `Sales`", "FifoQueue"),
        ("maxReceiveCount: 3", "maxReceiveCount: 0", "resource `Sales`", "maxReceiveCount"),
        (
            "deadLetterTargetArn: !GetAtt Dead.Arn",
            "deadLetterTargetArn: nowhere",
            "resource `Sales`",
            "nowhere",
        ),
        ("BatchSize: 4", "BatchSize: 10001", "resource `SaleEvents`", "BatchSize"),
        (
            "BatchSize: 4\n      MaximumBatchingWindowInSeconds: 5",
            "BatchSize: 11",
            "resource `SaleEvents`",
            "MaximumBatchingWindowInSeconds",
        ),
        ("WindowInSeconds: 5", "WindowInSeconds: 301", "resource `SaleEvents`", "0 to 300"),
        ("FunctionName: !Ref Sale", "FunctionName: other", "resource `SaleEvents`", "expected a function"),
        (
            "EventSourceArn: !GetAtt Sales.Arn",
            "EventSourceArn: other",
            "resource `SaleEvents`",
            "expected a queue",
        ),
        ("CodeUri: functions/record-sale/", "Handler: bootstrap", "resource `Sale`", "CodeUri"),
        (
            "CodeUri: functions/record-sale/",
            "CodeUri: x\n      Events: { A: {} }",
            "resource `Sale`",
            "Events",
        ),
        ("PLACE: !Sub '${AWS::Region}", "PLACE: !Sub '${AWS::Region", "resource `Sale`", "AWS::Region"),
        ("!If [IsTest,", "!If [IsMissing,", "resource `Sale`", "IsMissing"),
        (
            "KeySchema: [{ AttributeName: id, KeyType: HASH }]",
            "KeySchema: [{ AttributeName: id, KeyType: RANGE }]",
            "resource `Stock`",
            "hash key",
        ),
        ("AttributeName: shelf, KeyType: HASH", "AttributeName: shelf", "resource `Stock`", "hash key"),
        (
            "AttributeName: shelf, KeyType",
            "AttributeName: floor, KeyType",
            "resource `Stock`",
            "AttributeDefinitions",
        ),
        ("shelf, AttributeType: S", "shelf, AttributeType: N", "resource `Stock`", "'N'"),
        ("ProjectionType: INCLUDE, ", "ProjectionType: ALL, ", "resource `Stock`", "INCLUDE"),
        (", NonKeyAttributes: [price]", "", "resource `Stock`", "INCLUDE"),
        ("GlobalSecondaryIndexes:", "LocalSecondaryIndexes:", "resource `Stock`", "LocalSecondaryIndexes"),
        ("Dead: { Type: AWS::SQS::Queue }", "Dead: { Kind: Queue }", "resource `Dead`", "`Type`"),
        (
            "Dead: { Type: AWS::SQS::Queue }",
            "Dead: { Type: AWS::SQS::Queue, Properties: { QueueName: !Sub 'x${Dead.QueueName}' } }",
            "resource `Dead`",
            "made from itself",
        ),
        (
            "Dead: { Type: AWS::SQS::Queue }",
            "Dead: { Type: AWS::SQS::Queue, Condition: No }",
            "resource `Dead`",
            "Condition",
        ),
        ("!Equals [!Ref Source, test]", "!Equals [!Ref Nothing, test]", "condition `IsTest`", "Nothing"),
        ("!Equals [!Ref Source, test]", "!Not [!Condition IsTest]", "condition `IsTest`", "circle"),
        ("Default: shop", "Default: other", "parameter `Source`", "allowed"),
        ("Default: shop, ", "", "parameter `Source`", "expected a value"),
    ];
    for (from, to, place, reason) in cases {
        let error = load(&changed(from, to)).unwrap_err().to_string();
        assert!(error.starts_with(place) && error.contains(reason), "{from} -> {to}: {error}");
    }
}

#[test]
fn what_is_no_template_is_refused() {
    assert!(load("").is_err());
    assert!(load("[]").is_err());
    assert!(load("Resources: [").unwrap_err().to_string().contains("line 1"));
    assert!(load("Resources: {}").is_err());
    assert!(load("Resources: 5").is_err());
    let error = load_with(TEMPLATE, &[("Sauce", "x")]).unwrap_err().to_string();
    assert!(error.starts_with("parameter `Sauce`"), "{error}");
}
