//! The one door to all services: it counts a request, lets faults strike, and hands it on.

use std::collections::BTreeMap;

use serde_json::Value;
use winterbaume_core::{MockRequest, MockResponse};

use crate::answer::{ApiError, Protocol, json_answer};
use crate::call::{Call, Service};
use crate::ecr::Ecr;
use crate::event_bus::EventBus;
use crate::faults::{Fault, Faults, failed, throttled};
use crate::guarded::Guarded;
use crate::inspector::Inspector;
use crate::metrics::Metrics;
use crate::tables::Tables;
use crate::topics::Topics;

/// What the caller sees of its request.
pub(crate) enum Outcome {
    Answer(MockResponse),
    /// The connection breaks instead of an answer.
    ConnectionLost,
}

/// The services, and what is known of the calls to them.
pub(crate) struct Dispatcher {
    pub(crate) ecr: Ecr,
    pub(crate) inspector: Inspector,
    pub(crate) topics: Topics,
    pub(crate) metrics: Metrics,
    pub(crate) event_bus: EventBus,
    pub(crate) tables: Tables,
    pub(crate) faults: Faults,
    /// How often each caller called each action.
    pub(crate) calls: Guarded<BTreeMap<(String, String), u64>>,
}

impl Dispatcher {
    pub(crate) async fn handle(&self, request: MockRequest) -> Outcome {
        let call = match Call::identify(request) {
            Ok(call) => call,
            Err(refusal) => return Outcome::Answer(refusal.on_the_wire(Protocol::Json11)),
        };
        let action = call.action();
        let fault = self.faults.strike(&action);
        self.calls.with(|calls| *calls.entry((call.caller(), action)).or_default() += 1);
        let protocol = call.service.protocol();
        match fault {
            None => Outcome::Answer(self.perform(call).await),
            Some(Fault::Throttle) => Outcome::Answer(throttled(call.service).on_the_wire(protocol)),
            Some(Fault::ServerError) => Outcome::Answer(failed(call.service).on_the_wire(protocol)),
            Some(Fault::Slow(delay)) => {
                tokio::time::sleep(delay).await;
                Outcome::Answer(self.perform(call).await)
            }
            Some(Fault::AnswerLost) => {
                self.perform(call).await;
                Outcome::ConnectionLost
            }
            Some(Fault::Crash) => {
                self.perform(call).await;
                self.faults.announce_crash();
                std::future::pending().await
            }
        }
    }

    async fn perform(&self, call: Call) -> MockResponse {
        let protocol = call.service.protocol();
        let answer = match call.service {
            Service::DynamoDb => self.tables.answer(call.request).await,
            Service::Sns => self.topics.answer(&call.operation, &call.request.body),
            Service::CloudWatch => self.metrics.answer(&call.operation, &call.request.body, call.sent_bytes),
            Service::Ecr => json(&call, |body| self.ecr.answer(&call.operation, body)),
            Service::EventBridge => json(&call, |body| self.event_bus.answer(&call.operation, body)),
            Service::Inspector => json(&call, |body| self.inspector.answer(&call.operation, body)),
        };
        answer.unwrap_or_else(|refusal| refusal.on_the_wire(protocol))
    }
}

fn json(
    call: &Call,
    perform: impl FnOnce(&Value) -> Result<Value, ApiError>,
) -> Result<MockResponse, ApiError> {
    let body = if call.request.body.is_empty() {
        Value::Object(serde_json::Map::new())
    } else {
        serde_json::from_slice(&call.request.body)
            .map_err(|error| ApiError::refused("SerializationException", error.to_string()))?
    };
    perform(&body).map(|answer| json_answer(call.service.protocol(), 200, &answer))
}
