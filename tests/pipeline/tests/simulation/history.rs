//! What a seed chooses: what happens, what goes wrong meanwhile, and in which order it is delivered.

use jiff::SignedDuration;
use serde_json::Value;
use sim_aws::{Fault, Nth};

use crate::policy::{Policy, Waiver};

/// The vulnerabilities of this world.
pub const VULNERABILITIES: [&str; 3] = ["CVE-2031-1", "CVE-2031-2", "CVE-2031-3"];
/// How many contents an image can have. Even ones are for amd64, odd ones for arm64.
const CONTENTS: usize = 4;
/// How many tags people use.
const TAGS: usize = 5;
/// The modes between which the operator switches.
const MODES: [&str; 4] = ["tag", "untag", "archive", "observe"];
/// Every call by which the functions read or change something. What enforcement does comes twice: nothing that happens
/// later need make up for it.
const ACTIONS: [&str; 18] = [
    "cloudwatch:PutMetricData",
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "dynamodb:UpdateItem",
    "dynamodb:BatchGetItem",
    "dynamodb:BatchWriteItem",
    "ecr:BatchDeleteImage",
    "ecr:BatchGetImage",
    "ecr:DescribeImages",
    "ecr:DescribeImages",
    "ecr:PutImage",
    "ecr:PutImage",
    "ecr:UpdateImageStorageClass",
    "events:PutEvents",
    "inspector2:ListFindings",
    "sns:Publish",
    "sqs:SendMessage",
    "inspector2:ListCoverage",
];

/// What holds of a whole history.
// Independent facts, of which a state machine would be a worse name.
#[allow(clippy::struct_excessive_bools)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Nature {
    pub tags: Tags,
    /// The mode in which it begins.
    pub mode: &'static str,
    /// The policy with which it begins.
    pub policy: Policy,
    /// Whether the schedule fires in it at all. Otherwise days pass only between the dates of events.
    pub clock: bool,
    /// In how many acts at its beginning there is no product yet. It is deployed after these, and none of their events is ever
    /// delivered.
    pub before: usize,
    /// Whether another policy may be deployed in it.
    pub changes: bool,
    /// Which events may never be delivered. That needs the schedule to be found out.
    pub loses: Loss,
    /// Whether basic scanning looks at some of the images, and not Inspector.
    pub basic: bool,
    /// Whether only one image that was there before may come under quarantine in an hour, until a person lets the others
    /// go on at the end. There is no limit otherwise.
    pub limited: bool,
}

/// Which events EventBridge may lose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Loss {
    Nothing,
    /// What Inspector says of findings: it is asked every hour what changed.
    Findings,
    /// All but the ends of basic scans, which are listed nowhere: the registry is walked every day.
    Anything,
}

impl Loss {
    /// Within what time it is found out.
    fn is_found_within(self) -> SignedDuration {
        match self {
            Self::Nothing => SignedDuration::ZERO,
            Self::Findings => SignedDuration::from_hours(3),
            Self::Anything => SignedDuration::from_hours(26),
        }
    }

    /// Which events of one act never come.
    pub fn choose(self, events: &[Value], chance: &mut Chance) -> Vec<Value> {
        // It is a few, or all of them.
        let most = chance.below(4) == 0;
        let may_be_lost = |event: &&Value| match self {
            Self::Nothing => false,
            Self::Findings => event["detail-type"] == "Inspector2 Finding",
            Self::Anything => event["detail-type"] != "ECR Image Scan",
        };
        let lost = events.iter().filter(may_be_lost).filter(|_| most || chance.below(4) == 0);
        lost.cloned().collect()
    }
}

impl Nature {
    /// Within what time it is known what no event told.
    pub fn is_found_within(self) -> SignedDuration {
        let adopts = if self.before > 0 { SignedDuration::from_hours(3) } else { SignedDuration::ZERO };
        self.loses.is_found_within().max(adopts)
    }
}

/// Which tags can move to another image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tags {
    Move,
    Stay,
    /// None but [`MOVING`].
    StayButOne,
}

/// The tag that can move where others cannot.
pub const MOVING: &str = "1.0";
/// Something that happens. What it is about is a number, which the world takes modulo what there is; what cannot happen
/// to that does not.
#[derive(Debug, Clone, Copy)]
pub enum Step {
    /// An image is pushed by itself, with a tag.
    PushImage {
        content: usize,
        tag: usize,
    },
    /// BuildKit pushes images, their attestations and an index over them. The same images in another build are a rebuild.
    PushIndex {
        contents: (usize, usize),
        build: u32,
        tag: usize,
    },
    /// An index over an index that is there.
    PushOuter {
        inner: usize,
        tag: usize,
    },
    /// A tag moves to what is there already.
    Retag {
        root: usize,
        tag: usize,
    },
    /// A part of an index gets a tag of its own.
    TagChild {
        child: usize,
    },
    /// One of several tags is taken off, or any of a part of an index.
    Untag {
        tagged: usize,
    },
    /// A root is deleted with its tags.
    Delete {
        root: usize,
    },
    /// A scan ends. Of an image that was not covered it finds anew what is in there; `vulnerabilities` is a bit each.
    Scan {
        image: usize,
        vulnerabilities: usize,
        /// How often what it found is asked for before all of it is listed.
        late: u64,
    },
    Found {
        image: usize,
        vulnerability: usize,
    },
    Fixed {
        image: usize,
        vulnerability: usize,
    },
    /// What was found is reported many times more, each time as of later.
    FoundOften {
        image: usize,
        vulnerability: usize,
    },
    /// Inspector ceases to scan an image, and closes all of its findings.
    Gap {
        image: usize,
    },
    /// A suppression rule hides a finding, or ceases to.
    Suppress {
        image: usize,
        vulnerability: usize,
    },
    /// Somebody archives a root, or restores one that somebody archived.
    Archive {
        root: usize,
    },
    /// Somebody works against a quarantine: takes the mark off, puts a tag on, or restores what is archived.
    Tamper {
        held: usize,
        how: usize,
    },
}

/// What goes wrong while something is delivered.
#[derive(Debug, Clone, Copy)]
pub struct Trouble {
    pub action: &'static str,
    pub fault: Fault,
    pub nth: Nth,
}

/// Steps whose events are delivered together, in the order of the seed; some of them, and some old ones, twice.
#[derive(Debug, Clone)]
pub struct Act {
    /// The operator switches to this mode before it.
    pub mode: Option<&'static str>,
    /// Two days pass before it, so that no image is new any more. The schedule does not fire meanwhile.
    pub is_later: bool,
    /// For how long the schedule fires before it, with nothing else happening.
    pub passes: Option<SignedDuration>,
    /// The operator deploys this policy before that.
    pub policy: Option<Policy>,
    pub steps: Vec<Step>,
    pub troubles: Vec<Trouble>,
    pub seed: u64,
}

/// All that happens, and under which conditions.
pub fn history(seed: u64) -> (Nature, Vec<Act>) {
    let mut chance = Chance(seed);
    let nature = Nature {
        tags: [Tags::Move, Tags::Move, Tags::Stay, Tags::StayButOne][chance.below(4)],
        mode: MODES[chance.below(MODES.len()) & chance.below(MODES.len())],
        policy: Policy {
            waiver: if chance.below(3) == 0 { Waiver::Lasts } else { Waiver::None },
            ..Policy::default()
        },
        clock: false,
        before: 0,
        changes: false,
        loses: Loss::Nothing,
        basic: chance.below(3) == 0,
        limited: chance.below(3) == 0,
    };
    let switches = chance.below(2) == 0;
    let count = 5 + chance.below(21);
    let goes_wrong = chance.below(3) > 0;
    let mut acts = Vec::new();
    let mut left = count;
    while left > 0 {
        let size = left.min(1 + chance.below(5));
        // A world begins with pushes.
        let steps =
            (0..size).map(|n| if acts.is_empty() && n < 2 { push(&mut chance) } else { step(&mut chance) });
        let steps = steps.collect();
        let faults = if goes_wrong { [0, 0, 1, 2][chance.below(4)] } else { 0 };
        let troubles = (0..faults).map(|_| trouble(&mut chance)).collect();
        let mode = (switches && chance.below(4) == 0).then(|| MODES[chance.below(MODES.len())]);
        let is_later = chance.below(4) == 0;
        acts.push(Act { mode, is_later, passes: None, policy: None, steps, troubles, seed: chance.next() });
        left -= size;
    }
    let mut history = (nature, acts);
    add_time(&mut history, &mut Chance(!seed));
    history
}

/// Has time pass in some histories, under a policy with dates.
fn add_time((nature, acts): &mut (Nature, Vec<Act>), chance: &mut Chance) {
    nature.clock = chance.below(3) == 0;
    if !nature.clock {
        return;
    }
    nature.policy = policy(chance);
    nature.changes = chance.below(2) == 0;
    nature.loses = [Loss::Nothing, Loss::Nothing, Loss::Findings, Loss::Anything][chance.below(4)];
    nature.before = if chance.below(4) == 0 { 1 + chance.below(2) } else { 0 };
    if nature.before > 0 {
        nature.loses = Loss::Nothing;
    }
    nature.before = nature.before.min(acts.len() - 1);
    for act in acts.iter_mut().take(nature.before) {
        (act.mode, act.troubles) = (None, Vec::new());
    }
    for act in acts.iter_mut().skip(1.max(nature.before + 1)) {
        // What takes a day is rare, for the schedule fires a hundred times.
        let minutes = [15, 30, 45, 90, 180, if chance.below(2) == 0 { 26 * 60 } else { 60 }][chance.below(6)];
        act.passes = (chance.below(2) == 0).then(|| SignedDuration::from_mins(minutes));
        if nature.changes && chance.below(4) == 0 {
            // By then it is to be in force for all images.
            (act.policy, act.passes) = (Some(policy(chance)), Some(SignedDuration::from_mins(30)));
        }
    }
}

fn policy(chance: &mut Chance) -> Policy {
    Policy {
        waiver: [Waiver::None, Waiver::Ends, Waiver::Ends, Waiver::Lasts][chance.below(4)],
        grace: chance.below(2) == 0,
        unscanned: chance.below(2) == 0,
    }
}

fn push(chance: &mut Chance) -> Step {
    let tag = chance.below(TAGS);
    match chance.below(4) {
        0 => Step::PushImage { content: chance.below(CONTENTS), tag },
        _ => Step::PushIndex {
            contents: (chance.below(CONTENTS), chance.below(CONTENTS)),
            build: u32::try_from(chance.below(3)).unwrap(),
            tag,
        },
    }
}

fn step(chance: &mut Chance) -> Step {
    let which = chance.below(23);
    let any = chance.below(1 << 20);
    match which {
        0..2 => push(chance),
        2 => Step::PushOuter { inner: any, tag: chance.below(TAGS) },
        3 => Step::Retag { root: any, tag: chance.below(TAGS) },
        4 => Step::TagChild { child: any },
        5 => Step::Untag { tagged: any },
        6 => Step::Delete { root: any },
        7..11 => Step::Scan {
            image: any,
            vulnerabilities: chance.below(8) & chance.below(8),
            late: [0, 0, 1, 3][chance.below(4)],
        },
        11..13 => Step::Found { image: any, vulnerability: chance.below(3) },
        13..15 => Step::Fixed { image: any, vulnerability: chance.below(3) },
        15 => Step::Gap { image: any },
        16..18 => Step::Suppress { image: any, vulnerability: chance.below(3) },
        18 => Step::Archive { root: any },
        19 => Step::FoundOften { image: any, vulnerability: chance.below(3) },
        _ => Step::Tamper { held: any, how: chance.below(3) },
    }
}

fn trouble(chance: &mut Chance) -> Trouble {
    if chance.below(2) == 0 {
        let nth = Nth::Call(1 + chance.below(60) as u64);
        return Trouble { action: "*", fault: Fault::Crash, nth };
    }
    let fault = [Fault::Throttle, Fault::ServerError, Fault::ResponseLost][chance.below(3)];
    // Twice is within what the SDK retries itself, seven times needs the queue.
    let nth = Nth::Times([2, 7][chance.below(2)]);
    Trouble { action: ACTIONS[chance.below(ACTIONS.len())], fault, nth }
}

/// Numbers that follow from a seed: `SplitMix64`, <https://prng.di.unimi.it/splitmix64.c>.
pub struct Chance(pub u64);

impl Chance {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }
}
