//! Amazon `DynamoDB`: winterbaume's tables, behind the limits of AWS that it does not keep.
//! `DynamoDB` developer guide, "Quotas" and "Item sizes and formats".

mod batch;
mod size;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};
use winterbaume_core::{MockRequest, MockResponse, MockService as _};
use winterbaume_dynamodb::DynamoDbService;

use crate::answer::{ApiError, Protocol, json_answer};
use crate::emissions::Home;
use crate::guarded::Guarded;

/// The tables of the account.
#[derive(Clone)]
pub struct Tables {
    home: Home,
    service: Arc<DynamoDbService>,
    incomplete_batches: Guarded<u64>,
}

impl Tables {
    pub(crate) fn new(home: Home) -> Self {
        Self { home, service: Arc::new(DynamoDbService::new()), incomplete_batches: Guarded::default() }
    }

    /// Lets the next so many `BatchGetItem` and `BatchWriteItem` calls do only the first half of their work
    /// (rounded down) and give the second half back as unprocessed.
    pub fn unprocessed(&self, calls: u64) {
        self.incomplete_batches.with(|remaining| *remaining = calls);
    }

    /// Creates a table on demand with one string hash key. One of that name that is there already stays.
    pub(crate) async fn create(&self, name: &str, key: &str) {
        let body = json!({
            "TableName": name,
            "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": key, "KeyType": "HASH"}],
            "BillingMode": "PAY_PER_REQUEST",
        });
        self.ask("DynamoDB_20120810.CreateTable", &body).await;
    }

    pub(crate) async fn answer(&self, request: MockRequest) -> Result<MockResponse, ApiError> {
        let target = request.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
        let operation = target.and_then(|target| target.rsplit('.').next()).unwrap_or_default().to_owned();
        let body: Value = serde_json::from_slice(&request.body)
            .map_err(|error| ApiError::refused("SerializationException", error.to_string()))?;
        size::check_sizes(&operation, &body)?;
        match operation.as_str() {
            "BatchGetItem" => batch::check_size(&body, batch::KEYS_PER_GET)?,
            "BatchWriteItem" => batch::check_size(&body, batch::REQUESTS_PER_WRITE)?,
            "PutItem" | "UpdateItem" | "DeleteItem" => return Ok(self.write(request, &body).await),
            _ => return Ok(self.pass(request, &body).await),
        }
        let incomplete = self.incomplete_batches.with(|remaining| {
            let incomplete = *remaining > 0;
            *remaining = remaining.saturating_sub(1);
            incomplete
        });
        if incomplete {
            self.half(request, &body, &operation).await
        } else {
            Ok(self.pass(request, &body).await)
        }
    }

    /// Writes one item. If a condition refuses it and the request asks for the item that stands in the way
    /// (`ReturnValuesOnConditionCheckFailure`), adds that item, which winterbaume leaves out.
    async fn write(&self, request: MockRequest, body: &Value) -> MockResponse {
        let mut response = self.pass(request, body).await;
        let wanted =
            body.get("ReturnValuesOnConditionCheckFailure").and_then(Value::as_str) == Some("ALL_OLD");
        if response.status == 200 || !wanted {
            return response;
        }
        let Ok(mut error) = serde_json::from_slice::<Value>(&response.body) else {
            return response;
        };
        let code = error.get("__type").and_then(Value::as_str).unwrap_or_default();
        if code.ends_with("ConditionalCheckFailedException")
            && let Some(item) = self.item_in_the_way(body).await
        {
            error["Item"] = item;
            response.body = error.to_string().into();
        }
        response
    }

    async fn item_in_the_way(&self, body: &Value) -> Option<Value> {
        let table = body.get("TableName")?;
        let key = match body.get("Key") {
            Some(key) => key.clone(),
            None => self.key_of(table, body.get("Item")?).await?,
        };
        let request = json!({"TableName": table, "Key": key, "ConsistentRead": true});
        self.ask("DynamoDB_20120810.GetItem", &request).await?.get("Item").cloned()
    }

    /// The attributes of the item that are the table's key.
    async fn key_of(&self, table: &Value, item: &Value) -> Option<Value> {
        let description = self.ask("DynamoDB_20120810.DescribeTable", &json!({"TableName": table})).await?;
        let schema = description.pointer("/Table/KeySchema")?.as_array()?;
        let names = schema.iter().filter_map(|part| part.get("AttributeName")?.as_str());
        names.map(|name| Some((name.to_owned(), item.get(name)?.clone()))).collect()
    }

    /// Does the first half of a batch.
    async fn half(
        &self,
        request: MockRequest,
        body: &Value,
        operation: &str,
    ) -> Result<MockResponse, ApiError> {
        let (first, second) = batch::split(body);
        let (unprocessed, empty) = if operation == "BatchGetItem" {
            ("UnprocessedKeys", json!({"Responses": {}}))
        } else {
            ("UnprocessedItems", json!({}))
        };
        let mut answer = if first.is_empty() {
            empty
        } else {
            let mut body = body.clone();
            body["RequestItems"] = Value::Object(first);
            let response = self.pass(request, &body).await;
            if response.status != 200 {
                return Ok(response);
            }
            serde_json::from_slice(&response.body)
                .map_err(|error| ApiError::refused("SerializationException", error.to_string()))?
        };
        answer[unprocessed] = Value::Object(second);
        Ok(json_answer(Protocol::Json10, 200, &answer))
    }

    /// Hands a request on, in the one region that there is: winterbaume keeps tables by the region of the signature.
    async fn pass(&self, mut request: MockRequest, body: &Value) -> MockResponse {
        let scope =
            format!("AWS4-HMAC-SHA256 Credential=LOCAL/20260101/{}/dynamodb/aws4_request", self.home.region);
        if let Ok(scope) = HeaderValue::from_str(&scope) {
            request.headers.insert("authorization", scope);
        }
        request.body = body.to_string().into();
        self.service.handle(request).await
    }

    /// Asks on its own account; none if the answer is an error.
    async fn ask(&self, target: &'static str, body: &Value) -> Option<Value> {
        let mut headers = HeaderMap::new();
        headers.insert("x-amz-target", HeaderValue::from_static(target));
        let request =
            MockRequest { method: "POST".to_owned(), uri: "/".to_owned(), headers, body: Bytes::new() };
        let response = self.pass(request, body).await;
        (response.status == 200).then(|| serde_json::from_slice(&response.body).ok())?
    }
}

fn invalid(message: String) -> ApiError {
    ApiError::refused("ValidationException", message)
}
