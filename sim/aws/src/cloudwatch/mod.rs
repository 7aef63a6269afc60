//! Amazon `CloudWatch`: metric data, kept as it was put. `CloudWatch` API reference, `PutMetricData`; the protocol
//! is Smithy's RPC v2 CBOR, which the Rust SDK uses.

mod put_metric_data;

use ciborium::Value as Cbor;
use winterbaume_core::MockResponse;

pub use put_metric_data::MetricDatum;

use crate::account::Account;
use crate::shared::Shared;
use crate::wire::error::ApiError;
use crate::wire::protocol::cbor_response;

const REQUEST_BYTES: usize = 1024 * 1024;

#[derive(Clone)]
pub struct CloudWatch {
    account: Account,
    metric_data: Shared<Vec<MetricDatum>>,
}

impl CloudWatch {
    pub(crate) fn new(account: Account) -> Self {
        Self { account, metric_data: Shared::default() }
    }

    /// All metric data that was put, oldest first.
    pub fn metric_data(&self) -> Vec<MetricDatum> {
        self.metric_data.with(|metric_data| metric_data.clone())
    }

    /// Accepts all data of a request, or none of it.
    pub(crate) fn handle(
        &self,
        operation: &str,
        body: &[u8],
        sent_bytes: usize,
    ) -> Result<MockResponse, ApiError> {
        if operation != "PutMetricData" {
            return Err(ApiError::unknown_operation(&format!("cloudwatch:{operation}")));
        }
        if sent_bytes > REQUEST_BYTES {
            let message =
                format!("The request has {sent_bytes} bytes, and at most {REQUEST_BYTES} are allowed");
            return Err(ApiError { status: 413, ..ApiError::refused("RequestEntityTooLarge", message) });
        }
        let request: Cbor = ciborium::from_reader(body).map_err(|error| ApiError::unreadable_body(&error))?;
        let data = put_metric_data::read_request(&request, self.account.now())?;
        self.metric_data.with(|metric_data| metric_data.extend(data));
        Ok(cbor_response(200, &Cbor::Map(Vec::new())))
    }
}
