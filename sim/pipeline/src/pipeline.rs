//! The pipeline: an AWS inside the process, the stack of template.yaml, and the functions.

use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use aws_config::{AppName, SdkConfig};
use aws_lambda_events::event::sqs::SqsEvent;
use domain::image::ImageId;
use domain::policy::Policy;
use domain::text::sanitize;
use jiff::Timestamp;
use lambda::batch::Report;
use lambda::clock::Clock;
use lambda::deadline::Deadline;
use lambda::environment::Environment;
use sim_aws::SimulatedAws;
use sim_delivery::{Attribute, Batch, Failed, Stack};
use tokio::time::Instant;

use crate::deployment::{Deployment, Setting};
use crate::error::PipelineError;
use crate::function::Function;
use crate::implied;
use crate::input::{Delivery, Unreadable, is_passing, stretches};

/// After how many delivered events the functions get their turn, so that a long stream needs no long queue.
const EVENTS_AT_ONCE: usize = 2_000;
/// The functions that events from outside reach; the others get what these announce.
const OUTER: [&str; 2] = ["assess-image", "record-push"];

/// What became of the events that came in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many took effect, or had taken it before.
    pub handled: u64,
    /// How many were not for us: no rule matched, or a function skipped them. By reason.
    pub skipped: BTreeMap<String, u64>,
    /// Those that ended in a dead-letter queue or could not be delivered at all: where from, and why.
    pub dead: Vec<(String, String)>,
}

/// A pipeline that runs.
pub struct Pipeline {
    /// The AWS inside the process.
    pub aws: SimulatedAws,
    pub(crate) policy: Policy,
    pub(crate) tally: Tally,
    pub(crate) clock: Clock,
    /// The images that the streams spoke of.
    pub(crate) images: BTreeSet<ImageId>,
    time: Arc<AtomicI64>,
    config: SdkConfig,
    setting: Setting,
    stack: Stack,
    functions: BTreeMap<String, Function>,
    /// Why a message failed last, by message id.
    reasons: BTreeMap<String, String>,
    crashed: bool,
    /// Whether time passes while a function waits.
    waits: bool,
    /// By function, how long so many of its next invocations may take. All others take as long as they need.
    limits: BTreeMap<String, (usize, Duration)>,
    most_receives: u32,
}

impl Pipeline {
    /// Builds the stack of the template in an empty account and starts the functions.
    pub async fn start(setting: Setting) -> Result<Self, PipelineError> {
        Self::deploy(Deployment::read(setting)?).await
    }

    /// Builds a stack in an empty account and starts the functions.
    pub async fn deploy(deployment: Deployment) -> Result<Self, PipelineError> {
        let Deployment { setting, stack, policy } = deployment;
        let time = Arc::new(AtomicI64::new(setting.now.as_millisecond()));
        let local_time = Arc::clone(&time);
        let local_clock: sim_aws::TimeSource = Arc::new(move || local_time.load(Ordering::SeqCst));
        let aws = SimulatedAws::new(&setting.account, &setting.region, local_clock);
        furnish(&aws, &stack).await;
        let mut pipeline = Self {
            config: aws.sdk_config().await,
            clock: Clock::Set(Arc::clone(&time)),
            aws,
            policy,
            tally: Tally::default(),
            images: BTreeSet::new(),
            time,
            setting,
            stack,
            functions: BTreeMap::new(),
            reasons: BTreeMap::new(),
            crashed: false,
            waits: false,
            limits: BTreeMap::new(),
            most_receives: 0,
        };
        pipeline.start_functions()?;
        Ok(pipeline)
    }

    /// Puts another version of the stack in the place of this one: other parameters, another policy. It begins with empty
    /// queues, so this is for a pipeline that has nothing left to do.
    pub fn redeploy(&mut self, deployment: Deployment) -> Result<(), PipelineError> {
        let Deployment { setting, stack, policy } = deployment;
        (self.setting, self.stack, self.policy) = (setting, stack, policy);
        self.start_functions()
    }

    fn start_functions(&mut self) -> Result<(), PipelineError> {
        let mut functions = BTreeMap::new();
        for function in self.stack.functions() {
            let name = function.name.clone();
            // What is a path in the deployment is this file here; and the account of a stream is whichever
            // its events come from.
            let look_up = |variable: &str| match variable {
                "POLICY_FILE" => Some(self.setting.policy.to_string_lossy().into_owned()),
                "REGISTRY_ACCOUNT" => None,
                // Time does not pass here by waiting.
                "REGISTRY_WRITES_PER_SECOND" => Some("1000000".to_owned()),
                other => function.environment.get(other).cloned(),
            };
            // Each function signs its calls with its name, so that what it calls can be held against what it may.
            let unknown = || PipelineError::UnknownFunction(name.clone());
            if let Some(role) = &function.role {
                self.aws.let_assume(&name, role, &name);
            }
            let caller = AppName::new(name.clone()).map_err(|_| unknown())?;
            let config = self.config.to_builder().app_name(caller).build();
            let started = Function::start(&name, &config, &Environment::new(&look_up), self.clock.clone())
                .ok_or_else(unknown)?
                .map_err(|source| PipelineError::Environment { function: name.clone(), source })?;
            functions.insert(name, started);
        }
        self.functions = functions;
        Ok(())
    }

    /// Delivers a stream and lets the functions work until nothing is left to do. Where time passes in the stream, what
    /// comes before is played to rest first. `progress` is told how many of the events are through.
    pub async fn play(
        &mut self,
        deliveries: Vec<Delivery>,
        mut progress: impl FnMut(usize),
    ) -> Result<(), PipelineError> {
        let mut through = 0;
        for stretch in stretches(deliveries)? {
            let length = stretch.deliveries.len();
            self.establish(&stretch.deliveries);
            self.run(stretch.deliveries, |of_stretch| progress(through + of_stretch)).await?;
            through += length;
            if let Some(until) = stretch.until {
                self.pass_time(until).await?;
                through += 1;
                progress(through);
            }
        }
        Ok(())
    }

    /// Tells the registry and Inspector what a stream implies. Time does not pass with that.
    pub fn establish(&mut self, deliveries: &[Delivery]) {
        let newest = deliveries.iter().filter(|one| !is_passing(one)).filter_map(Delivery::time).max();
        self.time.fetch_max(newest.map_or(0, Timestamp::as_millisecond), Ordering::SeqCst);
        self.images.extend(implied::establish(&self.aws, deliveries));
    }

    /// Delivers a stream whose truth is established.
    pub async fn run(
        &mut self,
        deliveries: Vec<Delivery>,
        mut progress: impl FnMut(usize),
    ) -> Result<(), PipelineError> {
        let mut deliveries = deliveries.into_iter().peekable();
        let mut through = 0;
        while deliveries.peek().is_some() {
            for delivery in deliveries.by_ref().take(EVENTS_AT_ONCE) {
                self.deliver(delivery);
                through += 1;
            }
            while self.step().await? {}
            progress(through);
        }
        self.settle().await
    }

    /// Lets the functions work until nothing is left to do, waiting for what is to be tried again.
    pub async fn settle(&mut self) -> Result<(), PipelineError> {
        loop {
            while self.step().await? {}
            let Some(at) = self.stack.next_visible_at() else { return Ok(()) };
            self.time.fetch_max(at, Ordering::SeqCst);
        }
    }

    /// Delivers a stream whose truth is established, and lets the functions work until a time: what comes later waits.
    pub async fn run_until(
        &mut self,
        deliveries: Vec<Delivery>,
        until: Timestamp,
    ) -> Result<(), PipelineError> {
        for delivery in deliveries {
            self.deliver(delivery);
        }
        self.work_until(until.as_millisecond(), false).await
    }

    /// Lets time pass. What waits is handled when its time has come, in order with the schedule, which fires as often as
    /// it would have, and once more at the end; then the functions work until nothing is left to do.
    pub async fn pass_time(&mut self, until: Timestamp) -> Result<(), PipelineError> {
        self.work_until(until.as_millisecond(), true).await?;
        self.stack.fire_every_schedule(self.now());
        self.settle().await
    }

    /// Lets the functions work until a time. The schedule fires before it, if it does at all, and not at that time itself.
    async fn work_until(&mut self, until: i64, with_schedule: bool) -> Result<(), PipelineError> {
        loop {
            while self.step().await? {}
            let scheduled = self.stack.next_scheduled(self.now()).filter(|at| with_schedule && *at < until);
            let visible = self.stack.next_visible_at().filter(|at| *at <= until);
            let Some(at) = scheduled.into_iter().chain(visible).min() else { break };
            self.time.fetch_max(at, Ordering::SeqCst);
            if scheduled == Some(at) {
                self.stack.fire_scheduled(at);
            }
        }
        self.time.fetch_max(until, Ordering::SeqCst);
        Ok(())
    }

    /// From now on time passes while a function waits, by tokio's clock, which must be paused (`start_paused`): so a wait
    /// takes no time of anybody's. The SDK waits between its attempts, and every invocation ends as Lambda would end it.
    /// Invocations still come one after the other, so what waits takes as long as it would if they shared one quota.
    ///
    /// The SDK keeps its allowance for retries by process, service and region, so a run that must be the same each time has
    /// a process of its own.
    pub async fn let_functions_wait(&mut self) -> Result<(), PipelineError> {
        self.waits = true;
        self.config = self.aws.waiting_sdk_config().await;
        self.start_functions()
    }

    /// Gives so many of the next invocations of a function no more than this time, by tokio's clock.
    pub fn limit(&mut self, function: &str, invocations: usize, time: Duration) {
        self.limits.insert(function.to_owned(), (invocations, time));
    }

    /// How often the message that was received most often was received.
    pub fn most_receives(&self) -> u32 {
        self.most_receives
    }

    /// Whether the process died since the last time this was asked, and has started again.
    pub fn has_crashed(&mut self) -> bool {
        std::mem::take(&mut self.crashed)
    }

    fn deliver(&mut self, delivery: Delivery) {
        let event = match delivery.event {
            Ok(event) => event,
            Err(Unreadable(reason)) => return self.tally.dead.push((delivery.origin, reason)),
        };
        let routed = self.stack.route("default", &event, self.now());
        if !routed.refused.is_empty() {
            let reason = format!("longer than a message of {} may be", routed.refused.join(", "));
            self.tally.dead.push((delivery.origin, reason));
        } else if routed.queues.is_empty() {
            let kind =
                event.get("detail-type").and_then(serde_json::Value::as_str).unwrap_or("no detail-type");
            let reason = format!("no rule wants it: {}", sanitize(kind));
            *self.tally.skipped.entry(reason).or_default() += 1;
        }
    }

    /// Routes what AWS announced, puts what was sent into its queue, and has one batch handled. Returns whether there was
    /// anything to do.
    async fn step(&mut self) -> Result<bool, PipelineError> {
        for sent in self.aws.sqs().take_sent() {
            let attribute = |(name, attribute): (String, sim_aws::MessageAttribute)| {
                (name, Attribute { data_type: attribute.data_type, value: attribute.value })
            };
            let attributes = sent.attributes.into_iter().map(attribute).collect();
            self.stack.send(&sent.queue_url, &sent.body, attributes, sent.delay_seconds, self.now());
        }
        for emitted in self.aws.take_events() {
            self.stack.route(&emitted.bus, &emitted.event, self.now());
        }
        let Some(batch) = self.stack.next_batch(self.now()) else { return Ok(false) };
        for (url, depth) in self.stack.queue_depths() {
            let sim_delivery::QueueDepth { visible, in_flight, delayed } = depth;
            self.aws.sqs().set_depth(url, sim_aws::QueueDepth { visible, in_flight, delayed });
        }
        let receives = batch.records.iter().map(|record| record.receive_count);
        self.most_receives = receives.fold(self.most_receives, u32::max);
        let deadline = match self.limits.get_mut(&batch.function) {
            Some((invocations, time)) if *invocations > 0 => {
                *invocations -= 1;
                Deadline::within(*time)
            }
            _ if self.waits => self.timeout(&batch.function),
            _ => Deadline::never(),
        };
        let failed = |source| PipelineError::Batch { function: batch.function.clone(), source };
        let event: SqsEvent = serde_json::from_value(Stack::lambda_event(&batch)).map_err(failed)?;
        let function = self
            .functions
            .get(&batch.function)
            .ok_or_else(|| PipelineError::UnknownFunction(batch.function.clone()))?;
        let handled = moving(&self.time, self.waits, Box::pin(function.handle(event, deadline)));
        let report = tokio::select! {
            report = handled => Some(report),
            () = self.aws.faults().crashed() => None,
        };
        match report {
            Some(report) => self.conclude(batch, report),
            None => self.restart()?,
        }
        Ok(true)
    }

    /// When Lambda would end an invocation that begins now.
    fn timeout(&self, function: &str) -> Deadline {
        let declared = self.stack.functions().find(|declared| declared.name == function);
        declared.map_or(Deadline::never(), |declared| {
            Deadline::within(Duration::from_secs(declared.timeout_seconds.into()))
        })
    }

    /// The process has died in the middle of a batch: its messages come again, and it starts anew.
    fn restart(&mut self) -> Result<(), PipelineError> {
        self.crashed = true;
        self.stack.release_in_flight();
        self.start_functions()
    }

    fn conclude(&mut self, batch: Batch, report: Report) {
        let outer = OUTER.contains(&batch.function.as_str());
        let skipped: BTreeMap<String, String> = report.skipped.iter().cloned().collect();
        let deferred: BTreeSet<String> = report.deferred.iter().cloned().collect();
        self.reasons
            .extend(report.failed.iter().map(|failure| (failure.message.clone(), failure.reason.clone())));
        let failed = match report.into_response() {
            Err(_) => Failed::All,
            Ok(response) if response.batch_item_failures.is_empty() => Failed::None,
            Ok(response) => Failed::Items(
                response.batch_item_failures.into_iter().map(|item| item.item_identifier).collect(),
            ),
        };
        let function = batch.function.clone();
        let finished = self.stack.finish(batch, failed);
        for record in finished.dead {
            let reason = self.reasons.remove(&record.message_id).unwrap_or_default();
            self.tally.dead.push((format!("{function}: {}", name_of(&record.body)), reason));
        }
        if !outer {
            return;
        }
        for record in finished.deleted {
            // What the functions send one another is no event that came in.
            if record.body.contains(r#""detail-type":"Image Due""#) {
                continue;
            }
            match skipped.get(&record.message_id) {
                Some(reason) => *self.tally.skipped.entry(reason.clone()).or_default() += 1,
                // It comes again.
                None if deferred.contains(&record.message_id) => {}
                None => self.tally.handled += 1,
            }
        }
    }

    /// What time it is: as late as the newest event, or as what the functions waited for.
    pub fn time(&self) -> Timestamp {
        Timestamp::from_millisecond(self.now()).unwrap_or_default()
    }

    /// What time it is, in epoch milliseconds.
    pub fn now(&self) -> i64 {
        self.time.load(Ordering::SeqCst)
    }

    /// The tags that each image has in the registry.
    pub(crate) fn tags(&self) -> BTreeMap<ImageId, Vec<String>> {
        let views = self.aws.ecr().images();
        let tags = |image: &ImageId| {
            let is_it = |view: &&sim_aws::ImageView| {
                view.registry == image.account
                    && view.repository == image.repository
                    && view.digest == image.digest.as_str()
            };
            views.iter().find(is_it).map(|view| view.tags.clone()).unwrap_or_default()
        };
        self.images.iter().map(|image| (image.clone(), tags(image))).collect()
    }

    /// The functions, with what the template grants them.
    pub fn functions(&self) -> impl Iterator<Item = &sim_delivery::Function> {
        self.stack.functions()
    }

    /// The name of the table of ledgers.
    pub fn ledger_table(&self) -> String {
        self.table("Ledger")
    }

    /// The name of the table of what happened.
    pub fn history_table(&self) -> String {
        self.table("History")
    }

    /// The physical name of a table of the template.
    fn table(&self, logical_id: &str) -> String {
        let tables = self.stack.tables().iter();
        tables.filter(|table| table.logical_id == logical_id).map(|table| table.name.clone()).collect()
    }

    /// How often each operation was called by the functions, by IAM action. The runner's own look at the ledgers
    /// names no caller and does not count.
    pub fn calls(&self) -> BTreeMap<String, u64> {
        let mut sums = BTreeMap::new();
        for ((caller, action), count) in self.aws.calls_by_caller() {
            if !caller.is_empty() {
                *sums.entry(action).or_default() += count;
            }
        }
        sums
    }

    pub(crate) fn sdk_config(&self) -> &SdkConfig {
        &self.config
    }

    /// What ended in a dead-letter queue or could not be delivered at all: where from, and why.
    pub fn dead(&self) -> &[(String, String)] {
        &self.tally.dead
    }

    /// How many events were not for us, by reason.
    pub fn skipped(&self) -> &BTreeMap<String, u64> {
        &self.tally.skipped
    }

    /// What lies in dead-letter queues, as the messages' bodies.
    pub fn dead_letters(&self) -> Vec<String> {
        self.stack.dead_letters().into_iter().map(|(_, record)| record.body.to_string()).collect()
    }
}

/// Creates what the stack has besides functions and queues.
pub(crate) async fn furnish(aws: &SimulatedAws, stack: &Stack) {
    for table in stack.tables() {
        aws.dynamodb().create_table_as(&table.name, &table.definition).await;
    }
    for url in stack.queue_urls() {
        aws.sqs().create_queue(url);
    }
    for topic in stack.topics() {
        aws.sns().create_topic(topic);
    }
    for bus in stack.buses() {
        aws.eventbridge().create_bus(bus);
    }
}

/// Does work while the clock goes on as tokio's does, if it goes on at all.
async fn moving<T>(time: &AtomicI64, moves: bool, mut work: impl Future<Output = T> + Unpin) -> T {
    let (begin, since) = (time.load(Ordering::SeqCst), Instant::now());
    poll_fn(|context| {
        if moves {
            let passed = i64::try_from(since.elapsed().as_millis()).unwrap_or(i64::MAX);
            time.fetch_max(begin.saturating_add(passed), Ordering::SeqCst);
        }
        Pin::new(&mut work).poll(context)
    })
    .await
}

/// What a person calls an event: its type and its id.
fn name_of(body: &str) -> String {
    let event: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    let text = |key: &str| event.get(key).and_then(serde_json::Value::as_str).unwrap_or("unknown");
    sanitize(&format!("{} {}", text("detail-type"), text("id")))
}
