//! The parts of AWS that ecr-warden talks to, inside the process.
//!
//! The real SDK clients reach it: in process through [`LocalAws::sdk_config`], or over HTTP on the loopback
//! interface through [`LocalAws::serve`]. It keeps the rules that ecr-warden's design rests on (ECR's tags and
//! digests, Inspector's filters and limits, the size limits of SNS, `CloudWatch`, `EventBridge` and `DynamoDB`) and it
//! goes wrong on demand ([`Faults`]). Nothing in it is random and nothing reads the wall clock, so that a run
//! can be repeated. What it does not know, it refuses by name.

mod answer;
mod call;
mod clock;
mod connector;
mod dispatch;
mod ecr;
mod emissions;
mod event_bus;
mod faults;
mod guarded;
mod inspector;
mod metrics;
mod paging;
mod parameters;
mod server;
mod tables;
mod topics;

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

pub use clock::Clock;
pub use ecr::{
    BasicFinding, BasicScan, Ecr, ImageStatus, ImageView, Mutability, STAND_IN_ANNOTATION, ScanStatus,
    SeedImage,
};
pub use emissions::Emitted;
pub use event_bus::EventBus;
pub use faults::{Fault, Faults, Nth};
pub use inspector::{Cisa, Details, ExploitObserved, Inspector};
pub use metrics::{Datum, Metrics};
pub use tables::Tables;
pub use topics::{Published, Topics};

use connector::InProcess;
use dispatch::Dispatcher;
use emissions::{Emissions, Home};
use guarded::Guarded;

const ATTEMPTS: u32 = 3;
/// Long enough to be a retry, short enough not to be waited for.
const BACKOFF: Duration = Duration::from_millis(1);

/// One account in one region. Clones are the same account.
#[derive(Clone)]
pub struct LocalAws {
    home: Home,
    emissions: Emissions,
    dispatcher: Arc<Dispatcher>,
}

impl LocalAws {
    /// An account in which there is nothing yet.
    pub fn new(account: &str, region: &str, clock: Clock) -> Self {
        let home = Home::new(account, region, clock);
        let emissions = Emissions::new(home.clone());
        let inspector = Inspector::default();
        let dispatcher = Dispatcher {
            ecr: Ecr::new(home.clone(), emissions.clone(), inspector.clone()),
            inspector,
            topics: Topics::new(home.clone()),
            metrics: Metrics::new(home.clone()),
            event_bus: EventBus::new(home.clone(), emissions.clone()),
            tables: Tables::new(home.clone()),
            faults: Faults::default(),
            calls: Guarded::default(),
        };
        Self { home, emissions, dispatcher: Arc::new(dispatcher) }
    }

    /// The configuration for SDK clients whose requests end in here.
    ///
    /// It reads neither the environment nor `~/.aws` nor the instance metadata, and opens no socket.
    /// Failed calls are tried three times in all, with next to no wait between.
    #[allow(clippy::unused_async)] // As `aws_config::load`, for which it stands in.
    pub async fn sdk_config(&self) -> SdkConfig {
        let credentials = Credentials::new("AKIDLOCAL", "local", None, None, "local-aws");
        let retries = RetryConfig::standard()
            .with_max_attempts(ATTEMPTS)
            .with_initial_backoff(BACKOFF)
            .with_max_backoff(BACKOFF);
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(self.home.region.clone()))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .retry_config(retries)
            // It measures throughput against the wall clock, and there is none to protect in memory.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .http_client(InProcess(Arc::clone(&self.dispatcher)))
            .build()
    }

    /// The image registry.
    pub fn ecr(&self) -> &Ecr {
        &self.dispatcher.ecr
    }

    /// The findings.
    pub fn inspector(&self) -> &Inspector {
        &self.dispatcher.inspector
    }

    /// The SNS topics.
    pub fn topics(&self) -> &Topics {
        &self.dispatcher.topics
    }

    /// The `CloudWatch` metrics.
    pub fn metrics(&self) -> &Metrics {
        &self.dispatcher.metrics
    }

    /// The `EventBridge` buses.
    pub fn event_bus(&self) -> &EventBus {
        &self.dispatcher.event_bus
    }

    /// The `DynamoDB` tables.
    pub fn tables(&self) -> &Tables {
        &self.dispatcher.tables
    }

    /// Creates a `DynamoDB` table on demand with one string hash key. One of that name that is there already stays.
    pub async fn create_table(&self, name: &str, key: &str) {
        self.dispatcher.tables.create(name, key).await;
    }

    /// Takes the events that were emitted since the last time, oldest first.
    pub fn take_events(&self) -> Vec<Emitted> {
        self.emissions.take()
    }

    /// How often each operation was called, by IAM action such as `ecr:PutImage`. Every attempt of the SDK
    /// counts, also those that a fault kept from happening.
    pub fn calls(&self) -> BTreeMap<String, u64> {
        let mut sums = BTreeMap::new();
        for ((_, action), count) in self.calls_by_caller() {
            *sums.entry(action).or_default() += count;
        }
        sums
    }

    /// The same by caller and action. A caller names itself with the SDK's `app_name`; the others are "".
    pub fn calls_by_caller(&self) -> BTreeMap<(String, String), u64> {
        self.dispatcher.calls.with(|calls| calls.clone())
    }

    /// What goes wrong.
    pub fn faults(&self) -> &Faults {
        &self.dispatcher.faults
    }

    /// Serves HTTP/1.1 on a loopback address (port 0 picks a free one), for `AWS_ENDPOINT_URL`. Answers the
    /// address and the task; aborting the task ends the service and its connections.
    ///
    /// # Errors
    /// `InvalidInput` for an address that other machines could reach; otherwise what binding it says.
    pub async fn serve(&self, addr: SocketAddr) -> io::Result<(SocketAddr, JoinHandle<()>)> {
        server::listen(Arc::clone(&self.dispatcher), addr).await
    }
}
