//! The built-in story: what the pipeline does, in thirteen acts, on events of its own. `cargo run` tells it, and the
//! tests play it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::deployment::Setting;
use crate::error::PipelineError;
use crate::input::{Delivery, read_text};
use crate::known_exploited::know_exploited;
use crate::pipeline::Pipeline;

/// CISA's catalogue of known exploited vulnerabilities, as the story has it.
pub const KNOWN_EXPLOITED: &str = include_str!("../story/known-exploited.json");

/// One act of the story.
pub struct Act {
    pub title: &'static str,
    /// What happens, and what it shows.
    pub meaning: &'static str,
    events: &'static str,
}

/// The acts, in their order.
pub const ACTS: [Act; 13] = [
    Act {
        title: "Three images are pushed",
        meaning: "ECR announces the pushes, CloudTrail says who pushed. Nothing is scanned yet: the verdict is pending.",
        events: include_str!("../story/1-push.jsonl"),
    },
    Act {
        title: "Amazon Inspector scans them",
        meaning: "Five findings arrive for shop/checkout. One is exploited in the wild, one is excused by a waiver.\n\
                  They are collected until the scan ends; then one alert goes out and the quarantine tag goes on.",
        events: include_str!("../story/2-scan.jsonl"),
    },
    Act {
        title: "Every event is delivered again, in another order",
        meaning: "EventBridge delivers at least once. Nothing is written and nothing is announced.",
        events: include_str!("../story/3-again.jsonl"),
    },
    Act {
        title: "The fix is pushed",
        meaning: "shop/checkout 1.4.1 takes over the tag latest. It is judged on its own, and it is clear.",
        events: include_str!("../story/4-fix.jsonl"),
    },
    Act {
        title: "The old image is archived, and Inspector closes its findings",
        meaning: "Closed is not fixed: the image is no longer scanned, so it stays in quarantine.",
        events: include_str!("../story/5-archived.jsonl"),
    },
    Act {
        title: "A week later a new vulnerability hits three images at once",
        meaning: "It is already exploited. One alert lists the three images; each of them gets its tag.",
        events: include_str!("../story/6-spread.jsonl"),
    },
    Act {
        title: "The finding is withdrawn for one of them",
        meaning: "shop/web is still scanned, so this time closed means gone: the image is released, and its tag says so.",
        events: include_str!("../story/7-released.jsonl"),
    },
    Act {
        title: "An image for two platforms is pushed and scanned",
        meaning: "The tag 2.0.0 is on an index; the scanner sees the two untagged images in it, and only one of them is\n\
                  vulnerable. What people deploy is judged, alerted on and tagged: the index.",
        events: include_str!("../story/8-platforms.jsonl"),
    },
    Act {
        title: "Somebody takes the quarantine tag off",
        meaning: "ECR says within seconds that the tag went, and it is put on again. CloudTrail says minutes later who took\n\
                  it off; the alert waits for that, ten minutes at most.",
        events: include_str!("../story/9-tampered.jsonl"),
    },
    Act {
        title: "It is rebuilt with the fix for one platform",
        meaning: "The image for linux/arm64 is the same one in both builds. 2.0.1 is clear, 2.0.0 is not.",
        events: include_str!("../story/10-rebuilt.jsonl"),
    },
    Act {
        title: "The vulnerability of the first build is withdrawn",
        meaning: "The index is released as soon as none of its platforms is in quarantine.",
        events: include_str!("../story/11-withdrawn.jsonl"),
    },
    Act {
        title: "A critical finding has two days of grace",
        meaning: "shop/web 5.2 has one that nobody exploits yet, and there is an update. People are told until when. Two days\n\
                  later nobody has rebuilt it, and it gets the tag stable.",
        events: include_str!("../story/12-grace.jsonl"),
    },
    Act {
        title: "Three hours pass, and nothing else happens",
        meaning: "Every 15 minutes a schedule wakes sweep, which looks at what is due. When the grace ends, the image comes\n\
                  under quarantine.",
        events: include_str!("../story/13-time.jsonl"),
    },
];

impl Act {
    pub fn deliveries(&self) -> Vec<Delivery> {
        read_text(self.title, self.events.as_bytes())
    }
}

/// The story's policy file.
pub fn policy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("story/policy.yaml")
}

/// A pipeline before the first act.
pub async fn begin(template: &str, parameters: BTreeMap<String, String>) -> Result<Pipeline, StoryError> {
    let pipeline = Pipeline::start(Setting {
        template: template.to_owned(),
        parameters,
        policy: policy(),
        account: "210987654321".to_owned(),
        region: "eu-west-1".to_owned(),
        now: Timestamp::UNIX_EPOCH,
    })
    .await?;
    know_exploited(&pipeline.aws, KNOWN_EXPLOITED).map_err(StoryError::Catalogue)?;
    Ok(pipeline)
}

/// Why the story cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum StoryError {
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    #[error("known-exploited.json: {0}")]
    Catalogue(serde_json::Error),
}
