//! Amazon `DynamoDB`: winterbaume's tables, with the limits of AWS that winterbaume does not enforce.
//! `DynamoDB` developer guide, "Quotas" and "Item sizes and formats".

mod backend;
mod batch;
mod capacity;
mod item_size;
mod query;
mod reserved;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use winterbaume_core::{MockRequest, MockResponse, MockService as _};
use winterbaume_dynamodb::DynamoDbService;

pub use capacity::Capacity;

use crate::account::Account;
use crate::shared::Shared;
use crate::wire::error::ApiError;
use crate::wire::protocol::{Protocol, json_response};

#[derive(Clone)]
pub struct DynamoDb {
    account: Account,
    service: Arc<DynamoDbService>,
    /// winterbaume checks a condition and then writes, and another call may write in between. In DynamoDB the two are one.
    one_at_a_time: Arc<Mutex<()>>,
    incomplete_batches: Shared<u64>,
    /// Of a `Query`; `None` is AWS's own.
    page_bytes: Shared<Option<usize>>,
    consumed: Shared<Capacity>,
    /// A transaction is checked and written in two steps, between which nobody else may write.
    writes: Arc<Mutex<()>>,
}

impl DynamoDb {
    pub(crate) fn new(account: Account) -> Self {
        Self {
            account,
            service: Arc::new(DynamoDbService::with_backend(Arc::new(backend::Tables::new()))),
            one_at_a_time: Arc::default(),
            incomplete_batches: Shared::default(),
            page_bytes: Shared::default(),
            consumed: Shared::default(),
            writes: Arc::default(),
        }
    }

    /// Makes the next so many `BatchGetItem` and `BatchWriteItem` calls process only the first half of their
    /// items (rounded down) and return the others as unprocessed.
    pub fn leave_unprocessed(&self, calls: u64) {
        self.incomplete_batches.with(|remaining| *remaining = calls);
    }

    /// Makes the pages of a `Query` end after so many bytes instead of a megabyte, and after one item at the least.
    pub fn limit_pages(&self, bytes: usize) {
        self.page_bytes.with(|limit| *limit = Some(bytes));
    }

    /// What calls have consumed so far. Of indexes it is not counted.
    pub fn consumed(&self) -> Capacity {
        self.consumed.with(|consumed| *consumed)
    }

    /// Creates a table with on-demand capacity and one string hash key. An existing table of that name stays.
    pub async fn create_table(&self, name: &str, key: &str) {
        let definition = json!({
            "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": key, "KeyType": "HASH"}],
        });
        self.create_table_as(name, &definition).await;
    }

    /// Creates a table with on-demand capacity and with the keys and indexes that the definition has in the form of
    /// `CreateTable`. An existing table of that name stays.
    pub async fn create_table_as(&self, name: &str, definition: &Value) {
        let mut body = definition.clone();
        body["TableName"] = json!(name);
        body["BillingMode"] = json!("PAY_PER_REQUEST");
        self.ask("DynamoDB_20120810.CreateTable", &body).await;
    }

    pub(crate) async fn handle(
        &self,
        operation: &str,
        request: MockRequest,
    ) -> Result<MockResponse, ApiError> {
        let body: Value =
            serde_json::from_slice(&request.body).map_err(|error| ApiError::unreadable_body(&error))?;
        item_size::check(operation, &body)?;
        reserved::check(&body)?;
        let response = self.perform(operation, request, &body).await?;
        self.count(operation, &body, &response).await;
        Ok(response)
    }

    /// Counts what a call consumed.
    async fn count(&self, operation: &str, body: &Value, response: &MockResponse) {
        let mut consumed = Capacity::of_request(operation, body);
        if operation == "UpdateItem" {
            let item = self.existing_item(body).await;
            consumed += Capacity::of_update(&item.unwrap_or_default());
        }
        if response.status == 200
            && ["GetItem", "BatchGetItem", "Query"].contains(&operation)
            && let Ok(response) = serde_json::from_slice(&response.body)
        {
            consumed += Capacity::of_response(operation, body, &response);
        }
        self.consumed.with(|sum| *sum += consumed);
    }

    async fn perform(
        &self,
        operation: &str,
        request: MockRequest,
        body: &Value,
    ) -> Result<MockResponse, ApiError> {
        let _alone =
            if operation.contains("Write") || ["PutItem", "UpdateItem", "DeleteItem"].contains(&operation) {
                Some(self.writes.lock().await)
            } else {
                None
            };
        match operation {
            "BatchGetItem" => batch::check_size(body, batch::KEYS_PER_GET)?,
            "BatchWriteItem" => batch::check_size(body, batch::REQUESTS_PER_WRITE)?,
            "PutItem" | "UpdateItem" | "DeleteItem" => return Ok(self.write(request, body).await),
            "Query" => return self.query(request, body).await,
            _ => return Ok(self.forward(request, body).await),
        }
        let incomplete = self.incomplete_batches.with(|remaining| {
            let incomplete = *remaining > 0;
            *remaining = remaining.saturating_sub(1);
            incomplete
        });
        if incomplete {
            self.process_half(request, body, operation).await
        } else {
            Ok(self.forward(request, body).await)
        }
    }

    /// Writes one item. Adds the existing item to a failed condition check if the request asks for it
    /// (`ReturnValuesOnConditionCheckFailure`), because winterbaume leaves it out.
    async fn write(&self, request: MockRequest, body: &Value) -> MockResponse {
        let mut response = self.forward(request, body).await;
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
            && let Some(item) = self.existing_item(body).await
        {
            error["Item"] = item;
            response.body = error.to_string().into();
        }
        response
    }

    async fn existing_item(&self, body: &Value) -> Option<Value> {
        let table = body.get("TableName")?;
        let key = match body.get("Key") {
            Some(key) => key.clone(),
            None => self.key_of(table, body.get("Item")?).await?,
        };
        let request = json!({"TableName": table, "Key": key, "ConsistentRead": true});
        self.ask("DynamoDB_20120810.GetItem", &request).await?.get("Item").cloned()
    }

    /// The attributes of the item that form the table's key.
    async fn key_of(&self, table: &Value, item: &Value) -> Option<Value> {
        let description = self.ask("DynamoDB_20120810.DescribeTable", &json!({"TableName": table})).await?;
        let schema = description.pointer("/Table/KeySchema")?.as_array()?;
        let names = schema.iter().filter_map(|part| part.get("AttributeName")?.as_str());
        names.map(|name| Some((name.to_owned(), item.get(name)?.clone()))).collect()
    }

    /// Answers a query, a page at a time: winterbaume ends no page on its own, loses items with equal range keys between
    /// two pages, and returns what an index does not have.
    async fn query(&self, request: MockRequest, body: &Value) -> Result<MockResponse, ApiError> {
        if body.get("FilterExpression").is_some() {
            return Err(ApiError::validation("FilterExpression is not simulated"));
        }
        let mut whole = body.clone();
        for paging in ["Limit", "ExclusiveStartKey"] {
            whole.as_object_mut().map(|whole| whole.remove(paging));
        }
        let response = self.forward(request, &whole).await;
        let table = json!({"TableName": body["TableName"]});
        let description = self.ask("DynamoDB_20120810.DescribeTable", &table).await;
        let Some(schema) = description.and_then(|described| query::Schema::of(&described["Table"], body))
        else {
            return Ok(response);
        };
        if response.status != 200 {
            return Ok(response);
        }
        let found: Value =
            serde_json::from_slice(&response.body).map_err(|error| ApiError::unreadable_body(&error))?;
        let items = found["Items"].as_array().cloned().unwrap_or_default();
        let limit = self.page_bytes.with(|limit| limit.unwrap_or(query::PAGE_BYTES));
        Ok(json_response(Protocol::Json10, 200, &schema.page(items, body, limit)))
    }

    async fn process_half(
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
        let mut response = if first.is_empty() {
            empty
        } else {
            let mut body = body.clone();
            body["RequestItems"] = Value::Object(first);
            let response = self.forward(request, &body).await;
            if response.status != 200 {
                return Ok(response);
            }
            serde_json::from_slice(&response.body).map_err(|error| ApiError::unreadable_body(&error))?
        };
        response[unprocessed] = Value::Object(second);
        Ok(json_response(Protocol::Json10, 200, &response))
    }

    /// Forwards a request to winterbaume, signed for the account's region: winterbaume keeps tables by the
    /// region of the signature.
    async fn forward(&self, mut request: MockRequest, body: &Value) -> MockResponse {
        let scope = format!(
            "AWS4-HMAC-SHA256 Credential=LOCAL/20260101/{}/dynamodb/aws4_request",
            self.account.region
        );
        if let Ok(scope) = HeaderValue::from_str(&scope) {
            request.headers.insert("authorization", scope);
        }
        request.body = body.to_string().into();
        let _alone = self.one_at_a_time.lock().await;
        self.service.handle(request).await
    }

    /// Sends a request of its own. Returns `None` for an error.
    async fn ask(&self, target: &'static str, body: &Value) -> Option<Value> {
        let mut headers = HeaderMap::new();
        headers.insert("x-amz-target", HeaderValue::from_static(target));
        let request =
            MockRequest { method: "POST".to_owned(), uri: "/".to_owned(), headers, body: Bytes::new() };
        let response = self.forward(request, body).await;
        (response.status == 200).then(|| serde_json::from_slice(&response.body).ok())?
    }
}
