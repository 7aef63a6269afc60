//! What runs an image: the services of Amazon ECS and the workloads of Amazon EKS, as Inspector knows them.
//! <https://docs.aws.amazon.com/inspector/v2/APIReference/API_GetClustersForImage.html>

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::text::sanitize;

/// How many workloads are named.
const NAMED: usize = 10;

/// What runs an image in one cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workload {
    /// The cluster's name.
    pub cluster: String,
    /// As `service:checkout` (the group of an ECS task), or as `prod/Deployment checkout` (namespace, type and name of a
    /// workload of EKS); absent where Inspector names only the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How many tasks or pods of it were running with the image, where Inspector says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running: Option<u64>,
    /// How many had stopped in the 24 hours before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<u64>,
}

/// The workloads of an image that are named, and how many are not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Workloads {
    pub named: Vec<Workload>,
    pub more: u64,
}

impl Workload {
    /// In a cluster with this ARN. The text of all arguments is what others have written.
    pub fn new(cluster_arn: &str, name: Option<String>, running: Option<i64>, stopped: Option<i64>) -> Self {
        let cluster = cluster_arn.rsplit('/').next().unwrap_or(cluster_arn);
        Self {
            cluster: sanitize(cluster),
            name: name.map(|name| sanitize(&name)).filter(|name| !name.is_empty()),
            running: running.and_then(|count| count.try_into().ok()),
            stopped: stopped.and_then(|count| count.try_into().ok()),
        }
    }
}

impl Workloads {
    /// Those that run most first; of several the first ten are named.
    pub fn of(mut all: Vec<Workload>) -> Self {
        all.sort_by(|a, b| {
            let key = |workload: &Workload| (workload.cluster.clone(), workload.name.clone());
            b.running.cmp(&a.running).then_with(|| key(a).cmp(&key(b)))
        });
        all.dedup();
        let more = all.len().saturating_sub(NAMED) as u64;
        all.truncate(NAMED);
        Self { named: all, more }
    }
}

/// As an alert says it.
impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cluster {}", self.cluster)?;
        if let Some(name) = &self.name {
            write!(f, ", {name}")?;
        }
        match (self.running, self.stopped) {
            (Some(running), Some(stopped)) if stopped > 0 => {
                write!(f, ": {running} running, {stopped} stopped")
            }
            (Some(running), _) => write!(f, ": {running} running"),
            (None, Some(stopped)) => write!(f, ": {stopped} stopped"),
            (None, None) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:ecs:eu-west-1:111122223333:cluster/shop";

    #[test]
    fn workload_is_said_with_what_is_known_of_it() {
        let said = |name: Option<&str>, running, stopped| {
            Workload::new(ARN, name.map(str::to_owned), running, stopped).to_string()
        };
        assert_eq!(
            said(Some("service:checkout"), Some(3), Some(0)),
            "cluster shop, service:checkout: 3 running"
        );
        assert_eq!(said(Some("a"), Some(0), Some(2)), "cluster shop, a: 0 running, 2 stopped");
        assert_eq!(said(None, None, None), "cluster shop");
        assert_eq!(said(Some("\u{202e}"), None, Some(-1)), "cluster shop", "what cannot be is not said");
        assert_eq!(Workload::new("x\ny", None, None, None).to_string(), "cluster xy");
    }

    #[test]
    fn ten_that_run_most_are_named_and_the_others_counted() {
        let all = (0..25).map(|n| Workload::new(ARN, Some(format!("s{n}")), Some(n), None)).collect();
        let workloads = Workloads::of(all);
        assert_eq!((workloads.named.len(), workloads.more), (10, 15));
        assert_eq!((workloads.named[0].running, workloads.named[9].running), (Some(24), Some(15)));
    }
}
