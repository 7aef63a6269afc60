//! A registry, a table and the function enforce-quarantine, without the rest of the pipeline: the verdict is what the test
//! writes into the ledger.
#![allow(dead_code)] // Not every test file needs all of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use aws::dynamodb::{Enforcement, History, Ledgers};
use aws_lambda_events::event::sqs::SqsEvent;
use domain::image::ImageId;
use domain::ledger::{Evidence, Link};
use domain::manifest::{ChildKind, Contents, OCI_IMAGE, OCI_INDEX};
use domain::quarantine::{Mode, QUARANTINE_DUE};
use domain::verdict::Verdict;
use enforce_quarantine::EnforceQuarantine;
use jiff::Timestamp;
use lambda::batch::Report;
use lambda::clock::Clock;
use lambda::deadline::Deadline;
use lambda::environment::Environment;
use serde_json::{Value, json};
use sim_aws::{ImageStatus, ImageView, Mutability, SeedImage, SimulatedAws};

pub const ACCOUNT: &str = "210987654321";
pub const REPOSITORY: &str = "shop/checkout";
const QUEUE: &str = "https://sqs.eu-west-1.amazonaws.com/210987654321/ecr-warden-enforce-quarantine";
const BEGIN: i64 = 1_900_000_000_000;
const MINUTE: i64 = 60_000;

pub struct World {
    pub aws: SimulatedAws,
    pub ledgers: Ledgers,
    pub memory: Enforcement,
    pub history: History,
    clock: Arc<AtomicI64>,
    settings: BTreeMap<&'static str, String>,
    /// Whether a change of the mode is to reach what is in quarantine. Most tests send what they are about themselves.
    pub follows_modes: bool,
}

/// The image whose digest is of one digit.
pub fn image(digit: char) -> ImageId {
    ImageId {
        account: ACCOUNT.to_owned(),
        region: "eu-west-1".to_owned(),
        repository: REPOSITORY.to_owned(),
        digest: format!("sha256:{}", digit.to_string().repeat(64)).try_into().unwrap(),
    }
}

impl World {
    pub async fn new(mutability: Mutability) -> Self {
        let clock = Arc::new(AtomicI64::new(BEGIN));
        let time = Arc::clone(&clock);
        let aws = SimulatedAws::new(ACCOUNT, "eu-west-1", Arc::new(move || time.load(Ordering::SeqCst)));
        let key = |name: &str, kind: &str| json!({"AttributeName": name, "KeyType": kind});
        let text = |name: &str| json!({"AttributeName": name, "AttributeType": "S"});
        let history = json!({
            "AttributeDefinitions": [text("image"), text("at")],
            "KeySchema": [key("image", "HASH"), key("at", "RANGE")],
        });
        aws.dynamodb().create_table_as("history", &history).await;
        let ledgers = json!({
            "AttributeDefinitions": [text("id"), text("shard"), {"AttributeName": "due", "AttributeType": "N"}],
            "KeySchema": [key("id", "HASH")],
            "GlobalSecondaryIndexes": [{
                "IndexName": "rows", "KeySchema": [key("shard", "HASH"), key("due", "RANGE")],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["row"]},
            }],
        });
        aws.dynamodb().create_table_as("ledgers", &ledgers).await;
        aws.sqs().create_queue(QUEUE);
        aws.eventbridge().create_bus("ecr-warden");
        aws.ecr().create_repository(ACCOUNT, REPOSITORY, mutability);
        let client = aws_sdk_dynamodb::Client::new(&aws.sdk_config().await);
        Self {
            ledgers: Ledgers::new(client.clone(), "ledgers".to_owned()),
            history: History::new(client.clone(), "history".to_owned()),
            memory: Enforcement::new(client, "ledgers".to_owned()),
            aws,
            clock,
            settings: BTreeMap::new(),
            follows_modes: false,
        }
    }

    pub fn set(&mut self, variable: &'static str, value: &impl ToString) {
        self.settings.insert(variable, value.to_string());
    }

    pub fn mode(&mut self, mode: Mode) {
        self.set("QUARANTINE_MODE", &mode);
    }

    pub fn pass(&self, minutes: i64) {
        self.clock.fetch_add(minutes * MINUTE, Ordering::SeqCst);
    }

    pub fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.clock.load(Ordering::SeqCst)).unwrap()
    }

    /// Puts an image into the registry, or tags on it.
    pub fn push(&self, image: &ImageId, tags: &[&str]) {
        self.aws.ecr().seed_image(SeedImage {
            registry: image.account.clone(),
            repository: image.repository.clone(),
            digest: image.digest.to_string(),
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            pushed_at: self.clock.load(Ordering::SeqCst),
            ..SeedImage::default()
        });
    }

    /// Puts an index into the registry, and into the ledgers what record-push learns of it.
    pub async fn push_index(&self, index: &ImageId, parts: &[ImageId], tags: &[&str]) {
        let entries: Vec<Value> = parts
            .iter()
            .map(|part| json!({"mediaType": OCI_IMAGE, "digest": part.digest, "size": 1}))
            .collect();
        let manifest = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).to_string();
        let contents = Contents::read(&manifest).unwrap();
        self.aws.ecr().seed_image(SeedImage {
            registry: index.account.clone(),
            repository: index.repository.clone(),
            digest: index.digest.to_string(),
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            pushed_at: self.clock.load(Ordering::SeqCst),
            manifest: Some(manifest),
            ..SeedImage::default()
        });
        let link = Link { at: self.now(), kind: ChildKind::Image, ended: false };
        for part in parts {
            self.learn(part, Evidence::ContainedIn { index: index.digest.clone(), link }).await;
        }
        self.learn(index, Evidence::Contents(contents)).await;
        for tag in tags {
            self.learn(index, self.tagged(&[*tag])).await;
        }
    }

    /// Writes into the ledgers that an index contains these, whatever the registry says.
    pub async fn contain(&self, index: &ImageId, parts: &[(&ImageId, ChildKind)]) {
        let entry = |(part, kind): &(&ImageId, ChildKind)| {
            let media_type = if *kind == ChildKind::Index { OCI_INDEX } else { OCI_IMAGE };
            json!({"mediaType": media_type, "digest": part.digest, "size": 1})
        };
        let entries: Vec<Value> = parts.iter().map(entry).collect();
        let manifest = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).to_string();
        self.learn(index, Evidence::Contents(Contents::read(&manifest).unwrap())).await;
        for (part, kind) in parts {
            let link = Link { at: self.now(), kind: *kind, ended: false };
            self.learn(part, Evidence::ContainedIn { index: index.digest.clone(), link }).await;
        }
    }

    /// Puts a tag on an image, in the registry and in its ledger.
    pub async fn deploy(&self, image: &ImageId, tag: &str) {
        self.push(image, &[tag]);
        self.learn(image, self.tagged(&[tag])).await;
    }

    /// Takes all tags off an image in its ledger.
    pub async fn undeploy(&self, image: &ImageId) {
        self.pass(1);
        self.learn(image, self.tagged(&[])).await;
    }

    fn tagged(&self, tags: &[&str]) -> Evidence {
        Evidence::Tagged { at: self.now(), tags: tags.iter().map(|tag| (*tag).to_owned()).collect() }
    }

    async fn learn(&self, image: &ImageId, evidence: Evidence) {
        let mut stored = self.ledgers.load(image).await.unwrap();
        assert!(stored.ledger.merge(evidence));
        assert!(self.ledgers.store(&mut stored).await.unwrap());
    }

    pub fn untag(&self, tag: &str) {
        self.aws.ecr().seed_untag(ACCOUNT, REPOSITORY, tag);
    }

    pub fn find(&self, image: &ImageId) -> Option<ImageView> {
        self.aws.ecr().images().into_iter().find(|view| view.digest == image.digest.as_str())
    }

    /// The tags, with M for the quarantine tag and R for the one of a release, and where the image is stored, if not in
    /// the standard class.
    pub fn shown(&self, image: &ImageId) -> String {
        let Some(view) = self.find(image) else { return "gone".to_owned() };
        let short = |tag: &String| match tag.as_str() {
            tag if tag == domain::quarantine::tag(image) => "M".to_owned(),
            tag if tag == domain::quarantine::released_tag(image) => "R".to_owned(),
            tag => tag.to_owned(),
        };
        let tags: Vec<String> = view.tags.iter().map(short).collect();
        match view.status {
            ImageStatus::Active => tags.join(" "),
            ImageStatus::Archived => format!("archived: {}", tags.join(" ")),
            ImageStatus::Activating => format!("activating: {}", tags.join(" ")),
        }
    }

    /// Writes a verdict into the ledger, as assess-image does when it announces it. `age` says how many minutes ago the
    /// image was pushed first.
    pub async fn judge(&self, image: &ImageId, verdict: Verdict, age: i64) {
        let mut stored = self.ledgers.load(image).await.unwrap();
        stored.ledger.announced.verdict = verdict;
        stored.ledger.announced.quarantined_by =
            (verdict == Verdict::Quarantine).then(|| format!("{image}#{}", stored.version));
        let pushed = Timestamp::from_millisecond(self.now().as_millisecond() - age * MINUTE).unwrap();
        stored.ledger.facts.pushed_at.get_or_insert(pushed);
        assert!(self.ledgers.store(&mut stored).await.unwrap());
    }

    pub async fn function(&self) -> EnforceQuarantine {
        if !self.follows_modes {
            let mut limit = self.memory.limit().await.unwrap();
            let mode =
                self.settings.get("QUARANTINE_MODE").map_or(Mode::Observe, |mode| mode.parse().unwrap());
            if limit.value.mode != Some(mode) {
                limit.value.mode = Some(mode);
                self.memory.store_limit(&mut limit).await.unwrap();
            }
        }
        let variables = |name: &str| match name {
            "TABLE_NAME" => Some("ledgers".to_owned()),
            "HISTORY_TABLE_NAME" => Some("history".to_owned()),
            "QUEUE_URL" => Some(QUEUE.to_owned()),
            "EVENT_BUS_NAME" => Some("ecr-warden".to_owned()),
            "REGISTRY_WRITES_PER_SECOND" => Some("1000000".to_owned()),
            name => self.settings.get(name).cloned(),
        };
        let config = self.aws.sdk_config().await;
        EnforceQuarantine::new(&config, &Environment::new(&variables), Clock::set_to(self.now())).unwrap()
    }

    /// Hands messages to the function.
    pub async fn handle(&self, bodies: &[String]) -> Report {
        let record =
            |(number, body): (usize, &String)| json!({"messageId": number.to_string(), "body": body});
        let records: Vec<Value> = bodies.iter().enumerate().map(record).collect();
        let event: SqsEvent = serde_json::from_value(json!({"Records": records})).unwrap();
        self.function().await.handle(event, Deadline::never()).await
    }

    /// Lets the function look at an image until nothing is left to do. What it defers comes again after 20 minutes.
    pub async fn settle(&self, image: &ImageId) {
        for _ in 0..4 {
            let report = self.handle(&[due(image)]).await;
            assert_eq!(report.failed, []);
            if report.deferred.is_empty() {
                return;
            }
            self.pass(20);
        }
        panic!("{image} never comes to rest: {}", self.shown(image));
    }

    /// The acts of enforcement in the history of an image: the kind, and what was done.
    pub async fn acts(&self, image: &ImageId) -> Vec<(&'static str, domain::history::Act)> {
        use domain::history::Happening;
        let entries = self.history.of(image, Timestamp::MIN..Timestamp::MAX).await.unwrap();
        let acts = entries.into_iter().map(|entry| match entry.what {
            Happening::Quarantined(act) => ("quarantined", act),
            Happening::Released(act) => ("released", act),
            Happening::Held(act) => ("held", act),
            Happening::Resumed(act) => ("resumed", act),
            Happening::PutBack(act) => ("put back", act),
            other => panic!("{other:?}"),
        });
        acts.collect()
    }

    /// The notices since the last time.
    pub fn notices(&self) -> Vec<Value> {
        let events = self.aws.take_events().into_iter().filter(|emitted| emitted.bus == "ecr-warden");
        events.map(|emitted| emitted.event["detail"].clone()).collect()
    }
}

/// The message that asks for an image to be looked at.
pub fn due(image: &ImageId) -> String {
    json!({"source": "ecr-warden", "detail-type": QUARANTINE_DUE, "detail": image}).to_string()
}
