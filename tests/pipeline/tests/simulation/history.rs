//! What a seed chooses: what happens, what goes wrong meanwhile, and in which order it is delivered.

use sim_aws::{Fault, Nth};

/// The vulnerabilities of this world.
pub const VULNERABILITIES: [&str; 3] = ["CVE-2031-1", "CVE-2031-2", "CVE-2031-3"];
/// How many contents an image can have. Even ones are for amd64, odd ones for arm64.
const CONTENTS: usize = 4;
/// Every call by which the functions read or change something.
const ACTIONS: [&str; 12] = [
    "cloudwatch:PutMetricData",
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "dynamodb:UpdateItem",
    "ecr:BatchDeleteImage",
    "ecr:BatchGetImage",
    "ecr:DescribeImages",
    "ecr:PutImage",
    "events:PutEvents",
    "inspector2:ListFindings",
    "sns:Publish",
    "sqs:SendMessage",
];

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
    },
    Found {
        image: usize,
        vulnerability: usize,
    },
    Fixed {
        image: usize,
        vulnerability: usize,
    },
    /// Inspector ceases to scan an image, and closes all of its findings.
    Gap {
        image: usize,
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
    pub steps: Vec<Step>,
    pub trouble: Option<Trouble>,
    pub seed: u64,
}

/// All that happens.
pub fn history(seed: u64) -> Vec<Act> {
    let mut chance = Chance(seed);
    let count = 5 + chance.below(21);
    let troubled = chance.below(3) > 0;
    let mut acts = Vec::new();
    let mut left = count;
    while left > 0 {
        let size = left.min(1 + chance.below(5));
        // A world begins with pushes.
        let steps =
            (0..size).map(|n| if acts.is_empty() && n < 2 { push(&mut chance) } else { step(&mut chance) });
        let steps = steps.collect();
        let trouble = (troubled && chance.below(2) == 0).then(|| trouble(&mut chance));
        acts.push(Act { steps, trouble, seed: chance.next() });
        left -= size;
    }
    acts
}

fn push(chance: &mut Chance) -> Step {
    let tag = chance.below(4);
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
    let which = chance.below(16);
    let any = chance.below(1 << 20);
    match which {
        0..2 => push(chance),
        2 => Step::PushOuter { inner: any, tag: chance.below(4) },
        3 => Step::Retag { root: any, tag: chance.below(4) },
        4 => Step::TagChild { child: any },
        5 => Step::Untag { tagged: any },
        6 => Step::Delete { root: any },
        7..11 => Step::Scan { image: any, vulnerabilities: chance.below(8) & chance.below(8) },
        11..13 => Step::Found { image: any, vulnerability: chance.below(3) },
        13..15 => Step::Fixed { image: any, vulnerability: chance.below(3) },
        _ => Step::Gap { image: any },
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
