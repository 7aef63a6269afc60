//! A registry with an image under quarantine, and a person who may change it.

use aws_config::AppName;
use aws_sdk_ecr::types::ImageIdentifier;
use jiff::SignedDuration;
use pipeline_tests::buildx::{Manifest, REPOSITORY, minute};
use pipeline_tests::{file, pipeline_with, play, setting, stream};
use serde_json::Value;
use sim_aws::{ImageStatus, ImageView, Mutability};
use sim_pipeline::{AlertSent, Deployment, Outcome, Pipeline, Setting};

pub const ACCOUNT: &str = "210987654321";

/// An image under quarantine, and a person who may change the registry.
pub struct World {
    pub pipeline: Pipeline,
    pub root: Manifest,
    pub person: aws_sdk_ecr::Client,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Root {
    Image,
    Index,
    /// An index over an index.
    Nested,
}

pub fn setting_in(mode: &str) -> Setting {
    let mut setting = setting();
    setting.policy = file("tests/pipeline/critical-policy.yaml");
    setting.parameters.insert("QuarantineMode".to_owned(), mode.to_owned());
    setting
}

impl World {
    pub async fn new(mode: &str, mutability: Mutability, root: Root) -> Self {
        Self::of(setting_in(mode), mutability, root).await
    }

    pub async fn of(setting: Setting, mutability: Mutability, kind: Root) -> Self {
        Self::tagged(&["1.0"], setting, mutability, kind).await
    }

    pub async fn tagged(tags: &[&str], setting: Setting, mutability: Mutability, kind: Root) -> Self {
        let mut pipeline = pipeline_with(setting).await;
        pipeline.aws.ecr().create_repository(ACCOUNT, REPOSITORY, mutability);
        let image = Manifest::image("linux/amd64", "vulnerable");
        let parts = match kind {
            Root::Image => vec![image.clone()],
            Root::Index | Root::Nested => {
                let (index, attestations) = Manifest::build(std::slice::from_ref(&image), 1);
                let outer = (kind == Root::Nested).then(|| Manifest::index(std::slice::from_ref(&index)));
                std::iter::once(image.clone()).chain(attestations).chain([index]).chain(outer).collect()
            }
        };
        let (root, parts) = parts.split_last().unwrap();
        let mut events: Vec<Value> = parts.iter().flat_map(|part| part.push("", minute(0))).collect();
        events.extend(tags.iter().flat_map(|tag| root.push(tag, minute(0))));
        let root = root.clone();
        events.extend(image.scan(&["CVE-2031-1"], minute(1)));
        play(&mut pipeline, stream(events)).await;
        pipeline.run_until(Vec::new(), pipeline.time() + SignedDuration::from_mins(5)).await.unwrap();
        pipeline.aws.let_assume("mary", "developer", "mary@example.com");
        let config = pipeline.aws.sdk_config().await;
        let config = config.to_builder().app_name(AppName::new("mary").unwrap()).build();
        let person = aws_sdk_ecr::Client::new(&config);
        Self { pipeline, root, person }
    }

    pub fn mark(&self) -> String {
        format!("quarantine-{}", &self.root.digest()["sha256:".len()..][..12])
    }

    pub fn view(&self) -> Option<ImageView> {
        self.pipeline.aws.ecr().images().into_iter().find(|view| view.digest == self.root.digest())
    }

    /// The tags, with M for `quarantine-…` and R for `released-from-quarantine-…`, and whether the image is archived.
    pub fn shown(&self) -> String {
        let Some(view) = self.view() else { return "gone".to_owned() };
        let (mark, released) = (self.mark(), self.mark().replace("quarantine-", "released-from-quarantine-"));
        let short = |tag: &String| match tag {
            tag if *tag == mark => "M".to_owned(),
            tag if *tag == released => "R".to_owned(),
            tag => tag.clone(),
        };
        let tags: Vec<String> = view.tags.iter().map(short).collect();
        let archived = if view.status == ImageStatus::Active { "" } else { "archived: " };
        format!("{archived}{}", tags.join(" "))
    }

    pub async fn put(&self, tag: &str) {
        let view = self.view().unwrap();
        let put = self.person.put_image().repository_name(REPOSITORY).image_manifest(view.manifest);
        put.image_manifest_media_type(view.media_type).image_tag(tag).send().await.unwrap();
    }

    pub async fn remove(&self, id: ImageIdentifier) {
        self.person.batch_delete_image().repository_name(REPOSITORY).image_ids(id).send().await.unwrap();
    }

    pub async fn remove_mark(&self) {
        self.remove(ImageIdentifier::builder().image_tag(self.mark()).build()).await;
    }

    /// The events of what was just done, by ECR and by CloudTrail.
    pub fn events(&self) -> (Vec<Value>, Vec<Value>) {
        let events = self.pipeline.aws.take_events().into_iter().map(|emitted| emitted.event);
        events.partition(|event| event["detail-type"] != "AWS API Call via CloudTrail")
    }

    /// Delivers events, and lets so many minutes pass.
    pub async fn pass(&mut self, events: Vec<Value>, minutes: i64) {
        let until = self.pipeline.time() + SignedDuration::from_mins(minutes);
        self.pipeline.run_until(stream(events), until).await.unwrap();
    }

    /// Another mode is deployed, and the function for it is invoked for whatever reason.
    pub async fn switch(&mut self, mode: &str) {
        self.pipeline.redeploy(Deployment::read(setting_in(mode)).unwrap()).unwrap();
        let other = Manifest::image("linux/amd64", &format!("harmless in {mode}"));
        let at = self.pipeline.time();
        let events = [other.push(&format!("other-{mode}"), at).to_vec(), other.scan(&[], at)].concat();
        self.pipeline.play(stream(events), |_| ()).await.unwrap();
        self.pass(Vec::new(), 60).await;
    }

    /// What was found in the image is not found any more.
    pub async fn release(&mut self) {
        let image = Manifest::image("linux/amd64", "vulnerable");
        let at = self.pipeline.time();
        let events = [vec![image.finding("CVE-2031-1", "CLOSED", at)], image.scan(&[], at)].concat();
        self.pipeline.play(stream(events), |_| ()).await.unwrap();
        self.pass(Vec::new(), 60).await;
    }

    /// The alerts about tampering.
    pub async fn alerts(&self) -> Vec<AlertSent> {
        let outcome = Outcome::of(&self.pipeline).await.unwrap();
        let alerts = outcome.alerts.into_iter();
        alerts.filter(|alert| alert.attributes.get("notice").is_some_and(|kind| kind == "tampered")).collect()
    }

    /// How often each call was made that changes the registry.
    pub fn writes(&self) -> Vec<u64> {
        let calls = self.pipeline.aws.calls_by_caller();
        let of = |action: &str| calls.get(&("enforce-quarantine".to_owned(), action.to_owned())).copied();
        ["ecr:PutImage", "ecr:BatchDeleteImage", "ecr:UpdateImageStorageClass"]
            .map(|action| of(action).unwrap_or_default())
            .to_vec()
    }

    pub async fn store(&self, digest: &str, class: aws_sdk_ecr::types::TargetStorageClass) {
        let id = ImageIdentifier::builder().image_digest(digest).build();
        let store = self.person.update_image_storage_class().repository_name(REPOSITORY).image_id(id);
        store.target_storage_class(class).send().await.unwrap();
    }
}
