//! The built-in story: what the pipeline does, in seven acts, on events of its own.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use jiff::Timestamp;

use crate::exploited::know_exploited;
use crate::input::read_text;
use crate::outcome::{AlertSent, Outcome};
use crate::pipeline::{Pipeline, PipelineError, Setting};
use crate::report;

/// Where the story's policy stands, below this package.
const POLICY: &str = "story/policy.yaml";
const KNOWN_EXPLOITED: &str = include_str!("../story/known-exploited.json");

struct Act {
    title: &'static str,
    meaning: &'static str,
    events: &'static str,
}

const ACTS: [Act; 7] = [
    Act {
        title: "Three images are pushed",
        meaning: "ECR announces the pushes, CloudTrail says who pushed. Nothing is scanned yet: the verdict is pending.",
        events: include_str!("../story/1-push.jsonl"),
    },
    Act {
        title: "Amazon Inspector scans them",
        meaning: "Five findings come for shop/checkout, one of them exploited in the wild, one excused by a waiver. \
                  They are collected until the scan has ended; then there is one alert, and the quarantine tag is put on.",
        events: include_str!("../story/2-scan.jsonl"),
    },
    Act {
        title: "Everything comes a second time, in another order",
        meaning: "EventBridge delivers at least once. Nothing is written, nothing is said.",
        events: include_str!("../story/3-again.jsonl"),
    },
    Act {
        title: "The fix is pushed",
        meaning: "shop/checkout 1.4.1 takes over the tag latest. It is judged by itself, and it is clear.",
        events: include_str!("../story/4-fix.jsonl"),
    },
    Act {
        title: "The old image is archived, and Inspector closes its findings",
        meaning: "Closed is not fixed: the image is no longer scanned, so it stays under quarantine.",
        events: include_str!("../story/5-archived.jsonl"),
    },
    Act {
        title: "A week later a new vulnerability hits three images at once",
        meaning: "It is exploited already. One alert lists the three images; each gets its tag.",
        events: include_str!("../story/6-spread.jsonl"),
    },
    Act {
        title: "For one of them the finding is withdrawn",
        meaning: "shop/web is still scanned, so this time closed is gone: the image is released and its tag taken off.",
        events: include_str!("../story/7-released.jsonl"),
    },
];

/// Plays the story. Where `out` is given, each act is told as it happens.
pub async fn tell(
    template: &str,
    parameters: BTreeMap<String, String>,
    mut out: Option<&mut dyn Write>,
) -> Result<Pipeline, StoryError> {
    let mut pipeline = Pipeline::start(Setting {
        template: template.to_owned(),
        parameters,
        policy: Path::new(env!("CARGO_MANIFEST_DIR")).join(POLICY),
        account: "210987654321".to_owned(),
        region: "eu-west-1".to_owned(),
        now: Timestamp::UNIX_EPOCH,
    })
    .await?;
    know_exploited(&pipeline.aws, KNOWN_EXPLOITED).map_err(StoryError::Catalogue)?;
    for (number, act) in ACTS.iter().enumerate() {
        let alerts_before = pipeline.aws.topics().published().len();
        let calls_before = pipeline.calls();
        pipeline.play(read_text(act.title, act.events.as_bytes()), |_| ()).await?;
        if let Some(out) = out.as_deref_mut() {
            let outcome = Outcome::of(&pipeline).await?;
            let mut page = Vec::new();
            page_of(&mut page, number, act, &outcome, alerts_before, &calls_before)?;
            out.write_all(&page)?;
        }
    }
    Ok(pipeline)
}

fn page_of(
    out: &mut Vec<u8>,
    number: usize,
    act: &Act,
    outcome: &Outcome,
    alerts_before: usize,
    calls_before: &BTreeMap<String, u64>,
) -> io::Result<()> {
    report::heading(out, &format!("Act {}. {}", number + 1, act.title))?;
    writeln!(out, "{}", act.meaning)?;
    report::images(out, &outcome.images)?;
    let alerts: &[AlertSent] = outcome.alerts.get(alerts_before..).unwrap_or_default();
    if alerts.is_empty() {
        writeln!(out, "\nNo alert.")?;
    }
    for alert in alerts {
        report::print_alert(out, alert)?;
    }
    let calls: u64 = outcome.calls.values().sum::<u64>() - calls_before.values().sum::<u64>();
    let writes: Vec<String> = outcome
        .calls
        .iter()
        .filter(|(action, _)| changes_something(action))
        .filter_map(|(action, count)| {
            let new = count - calls_before.get(action).copied().unwrap_or_default();
            (new > 0).then(|| format!("{new} {action}"))
        })
        .collect();
    let writes =
        if writes.is_empty() { "none of them changed anything".to_owned() } else { writes.join(", ") };
    writeln!(out, "\n{calls} calls to AWS: {writes}.")
}

fn changes_something(action: &str) -> bool {
    let (_, operation) = action.split_once(':').unwrap_or(("", action));
    !["Get", "List", "Describe", "BatchGet"].iter().any(|reads| operation.starts_with(reads))
}

/// Why the story cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum StoryError {
    /// The pipeline does not start or go on.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// A ledger cannot be read.
    #[error(transparent)]
    Ledger(#[from] shared::aws::LedgerError),
    /// It cannot be written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The catalogue of known exploited vulnerabilities cannot be read.
    #[error("known-exploited.json: {0}")]
    Catalogue(serde_json::Error),
}
