//! The parts of AWS that ecr-warden calls, simulated in the process.
//!
//! The real SDK clients reach it: in process through [`SimulatedAws::sdk_config`], or over HTTP on the loopback
//! interface through [`SimulatedAws::serve`]. It keeps the rules that ecr-warden's design depends on (ECR's tags and
//! digests, Inspector's filters and limits, the size limits of SNS, SQS, `CloudWatch`, `EventBridge` and `DynamoDB`) and
//! injects faults and enforces quotas on demand ([`Faults`], [`Quotas`]). Nothing in it is random and nothing reads the wall clock, so that a run
//! can be repeated. It refuses operations that it does not implement, and says which.

mod account;
mod cloudwatch;
mod dispatch;
mod dynamodb;
mod ecr;
mod eventbridge;
mod exchanges;
mod faults;
mod inspector;
mod quotas;
mod shared;
mod sns;
mod sqs;
mod transport;
mod wire;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use tokio::task::JoinHandle;

pub use account::events::EmittedEvent;
pub use account::time::TimeSource;
pub use cloudwatch::{CloudWatch, MetricDatum};
pub use dynamodb::{Capacity, DynamoDb};
pub use ecr::{
    Ecr, ImageStatus, ImageView, Mutability, STAND_IN_ANNOTATION, ScanStatus, SeedImage, SeedReplicationRule,
    SeedScan, SeedScanFinding, SeedScanning,
};
pub use eventbridge::EventBridge;
pub use exchanges::{Exchange, RecordedRequest, RecordedResponse};
pub use faults::{Fault, Faults, Nth};
pub use inspector::{CisaData, ExploitObserved, FindingDetails, Inspector, SeedUsage};
pub use quotas::{Quota, Quotas};
pub use sns::{PublishedMessage, SeedSubscription, Sns};
pub use sqs::{MessageAttribute, QueueDepth, SentMessage, Sqs};

use account::Account;
use account::events::EventLog;
use account::principals::Principals;
use dispatch::Dispatcher;
use exchanges::Recorder;
use shared::Shared;
use transport::http::listen;
use transport::in_process::InProcess;

const ATTEMPTS: u32 = 3;
/// Short, because nobody should wait for a retry here.
const BACKOFF: Duration = Duration::from_millis(1);

/// One account in one region. Clones are the same account.
#[derive(Clone)]
pub struct SimulatedAws {
    account: Account,
    events: EventLog,
    principals: Principals,
    dispatcher: Arc<Dispatcher>,
}

impl SimulatedAws {
    /// An empty account.
    pub fn new(account_id: &str, region: &str, time: TimeSource) -> Self {
        let account = Account::new(account_id, region, time);
        let events = EventLog::new(account.clone());
        let inspector = Inspector::default();
        let principals = Principals::default();
        let dispatcher = Dispatcher {
            cloudwatch: CloudWatch::new(account.clone()),
            dynamodb: DynamoDb::new(account.clone()),
            ecr: Ecr::new(account.clone(), events.clone(), inspector.clone(), principals.clone()),
            eventbridge: EventBridge::new(account.clone(), events.clone()),
            inspector,
            sns: Sns::new(account.clone()),
            sqs: Sqs::new(account.clone()),
            faults: Faults::default(),
            quotas: Quotas::new(account.clone()),
            recorder: Recorder::default(),
            calls: Shared::default(),
        };
        Self { account, events, principals, dispatcher: Arc::new(dispatcher) }
    }

    /// The configuration for SDK clients that call this account.
    ///
    /// It reads neither the environment nor `~/.aws` nor the instance metadata, and opens no socket.
    /// Failed calls are attempted three times in all, with almost no wait in between.
    #[allow(clippy::unused_async)] // Like `aws_config::load`, which it replaces.
    pub async fn sdk_config(&self) -> SdkConfig {
        self.sdk_config_with(RetryConfig::standard().with_initial_backoff(BACKOFF).with_max_backoff(BACKOFF))
    }

    /// The same for clients that wait between attempts as the SDK does by default, but always for as long as it does at
    /// most. For callers on whose clock that takes no time.
    #[allow(clippy::unused_async)] // As above.
    pub async fn waiting_sdk_config(&self) -> SdkConfig {
        self.sdk_config_with(RetryConfig::standard().with_use_static_exponential_base(true))
    }

    fn sdk_config_with(&self, retries: RetryConfig) -> SdkConfig {
        let credentials = Credentials::new("AKIDSIMULATED", "simulated", None, None, "simulated-aws");
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(self.account.region.clone()))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .retry_config(retries.with_max_attempts(ATTEMPTS))
            // It measures throughput against the wall clock, which means nothing in memory.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .http_client(InProcess(Arc::clone(&self.dispatcher)))
            .build()
    }

    pub fn cloudwatch(&self) -> &CloudWatch {
        &self.dispatcher.cloudwatch
    }

    pub fn dynamodb(&self) -> &DynamoDb {
        &self.dispatcher.dynamodb
    }

    pub fn ecr(&self) -> &Ecr {
        &self.dispatcher.ecr
    }

    pub fn eventbridge(&self) -> &EventBridge {
        &self.dispatcher.eventbridge
    }

    pub fn inspector(&self) -> &Inspector {
        &self.dispatcher.inspector
    }

    pub fn quotas(&self) -> &Quotas {
        &self.dispatcher.quotas
    }

    pub fn sns(&self) -> &Sns {
        &self.dispatcher.sns
    }

    pub fn sqs(&self) -> &Sqs {
        &self.dispatcher.sqs
    }

    pub fn faults(&self) -> &Faults {
        &self.dispatcher.faults
    }

    /// Says as whom a caller acts, which CloudTrail's records state: a session of a role. A caller is the `app_name` of
    /// its SDK configuration. One of whom nothing was said acts in a role of its own name, and one without a name as
    /// `ecr-warden/local`.
    pub fn let_assume(&self, caller: &str, role: &str, session: &str) {
        self.principals.let_assume(caller, role, session);
    }

    /// Returns the events emitted since the last time, oldest first.
    pub fn take_events(&self) -> Vec<EmittedEvent> {
        self.dispatcher.ecr.pass_time();
        self.events.take()
    }

    /// The number of calls by IAM action such as `ecr:PutImage`. Every attempt of the SDK counts, even if a
    /// fault kept it from having an effect.
    pub fn calls(&self) -> BTreeMap<String, u64> {
        let mut sums = BTreeMap::new();
        for ((_, action), count) in self.calls_by_caller() {
            *sums.entry(action).or_default() += count;
        }
        sums
    }

    /// The number of calls by caller and IAM action. A caller is the `app_name` of its SDK configuration, or "".
    pub fn calls_by_caller(&self) -> BTreeMap<(String, String), u64> {
        self.dispatcher.calls.with(|calls| calls.clone())
    }

    /// Starts recording requests and responses, so that they can be checked against AWS's API models.
    pub fn record_exchanges(&self) {
        self.dispatcher.recorder.start();
    }

    /// Returns the exchanges recorded since the last time, oldest first.
    pub fn take_exchanges(&self) -> Vec<Exchange> {
        self.dispatcher.recorder.take()
    }

    /// Serves HTTP/1.1 on a loopback address (port 0 picks a free one), for `AWS_ENDPOINT_URL`. Returns the
    /// address and the task. Aborting the task closes the listener and its connections.
    ///
    /// # Errors
    /// `InvalidInput` for an address that other machines could reach, or the error of binding the address.
    pub async fn serve(&self, address: SocketAddr) -> io::Result<(SocketAddr, JoinHandle<()>)> {
        listen(Arc::clone(&self.dispatcher), address).await
    }
}
