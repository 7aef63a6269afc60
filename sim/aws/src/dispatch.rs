//! Every call passes here: it is counted, struck by a fault or handed to its service, and recorded.

use std::collections::BTreeMap;

use http::Uri;
use serde_json::Value;
use winterbaume_core::{MockRequest, MockResponse};

use crate::cloudwatch::CloudWatch;
use crate::dynamodb::DynamoDb;
use crate::ecr::Ecr;
use crate::eventbridge::EventBridge;
use crate::exchanges::Recorder;
use crate::faults::{Fault, Faults};
use crate::inspector::Inspector;
use crate::quotas::Quotas;
use crate::shared::Shared;
use crate::sns::Sns;
use crate::sqs::Sqs;
use crate::wire::call::Call;
use crate::wire::error::ApiError;
use crate::wire::protocol::{Protocol, json_response};
use crate::wire::service::Service;

pub(crate) enum Outcome {
    Response(MockResponse),
    /// The connection breaks before a response.
    ConnectionLost,
}

pub(crate) struct Dispatcher {
    pub(crate) cloudwatch: CloudWatch,
    pub(crate) dynamodb: DynamoDb,
    pub(crate) ecr: Ecr,
    pub(crate) eventbridge: EventBridge,
    pub(crate) inspector: Inspector,
    pub(crate) sns: Sns,
    pub(crate) sqs: Sqs,
    pub(crate) faults: Faults,
    pub(crate) quotas: Quotas,
    pub(crate) recorder: Recorder,
    /// The number of calls by caller and IAM action.
    pub(crate) calls: Shared<BTreeMap<(String, String), u64>>,
}

impl Dispatcher {
    pub(crate) async fn handle(&self, request: MockRequest) -> Outcome {
        if let Some(uri) = Ecr::downloaded(&request) {
            return self.download(&uri).await;
        }
        let call = match Call::identify(request) {
            Ok(call) => call,
            Err(error) => return Outcome::Response(error.response(Protocol::Json11)),
        };
        let fault = self.begin(call.caller(), call.action());
        let protocol = call.service.protocol();
        let response = match fault {
            Some(Fault::Throttle) => call.service.throttling().response(protocol),
            Some(Fault::Denied) => call.service.denial(&call.action()).response(protocol),
            Some(Fault::ServerError) => call.service.failure().response(protocol),
            Some(Fault::Slow(delay)) => {
                tokio::time::sleep(delay).await;
                self.perform(&call).await
            }
            Some(Fault::ResponseLost | Fault::Crash) | None => self.perform(&call).await,
        };
        self.recorder.record(&call, &response);
        self.end(fault, response).await
    }

    /// A download by a pre-signed URL. Nobody signs the request, and it is not recorded: S3's model is not the caller's
    /// business.
    async fn download(&self, uri: &Uri) -> Outcome {
        let fault = self.begin(String::new(), "s3:GetObject".to_owned());
        if let Some(Fault::Slow(delay)) = fault {
            tokio::time::sleep(delay).await;
        }
        self.end(fault, self.ecr.download(uri, fault)).await
    }

    /// Counts a call, and lets others act before it. Returns what goes wrong with it.
    fn begin(&self, caller: String, action: String) -> Option<Fault> {
        let fault =
            self.faults.strike(&action).or_else(|| (!self.quotas.admit(&action)).then_some(Fault::Throttle));
        self.faults.interfere(&action);
        self.calls.with(|calls| *calls.entry((caller, action)).or_default() += 1);
        fault
    }

    async fn end(&self, fault: Option<Fault>, response: MockResponse) -> Outcome {
        match fault {
            Some(Fault::ResponseLost) => Outcome::ConnectionLost,
            Some(Fault::Crash) => {
                self.faults.announce_crash();
                std::future::pending().await
            }
            _ => Outcome::Response(response),
        }
    }

    async fn perform(&self, call: &Call) -> MockResponse {
        let (operation, body) = (call.operation.as_str(), &call.request.body);
        let result = match call.service {
            Service::CloudWatch => self.cloudwatch.handle(operation, body, call.sent_bytes),
            Service::DynamoDb => self.dynamodb.handle(operation, call.request.clone()).await,
            Service::Ecr => {
                json(call, |body| self.ecr.handle(&call.caller(), &call.origin(), operation, body))
            }
            Service::EventBridge => json(call, |body| self.eventbridge.handle(operation, body)),
            Service::Inspector => json(call, |body| self.inspector.handle(operation, body)),
            Service::Sns => self.sns.handle(operation, body),
            Service::Sqs => json(call, |body| self.sqs.handle(operation, body)),
            Service::Tagging => json(call, |body| self.ecr.handle_tagging(operation, body)),
        };
        result.unwrap_or_else(|error| error.response(call.service.protocol()))
    }
}

fn json(
    call: &Call,
    perform: impl FnOnce(&Value) -> Result<Value, ApiError>,
) -> Result<MockResponse, ApiError> {
    let body = if call.request.body.is_empty() {
        Value::Object(serde_json::Map::new())
    } else {
        serde_json::from_slice(&call.request.body).map_err(|error| ApiError::unreadable_body(&error))?
    };
    perform(&body).map(|response| json_response(call.service.protocol(), 200, &response))
}
