//! Quotas on demand: how often an action may be called, as a token bucket on the account's own clock.

use std::collections::BTreeMap;

use crate::account::Account;
use crate::shared::Shared;

/// How often calls are let through.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quota {
    pub per_second: f64,
    /// How many at once after a pause.
    pub burst: f64,
}

#[derive(Debug)]
struct Bucket {
    quota: Quota,
    tokens: f64,
    /// When the tokens were counted, in milliseconds since 1970.
    counted_at: i64,
}

#[derive(Debug, Default)]
struct State {
    /// By action, or by service with `:*`.
    buckets: BTreeMap<String, Bucket>,
    throttled: BTreeMap<String, u64>,
}

/// Without any, every call is let through.
pub struct Quotas {
    account: Account,
    state: Shared<State>,
}

impl Quotas {
    pub(crate) fn new(account: Account) -> Self {
        Self { account, state: Shared::default() }
    }

    /// Limits an IAM action such as `ecr:DescribeImages`, or with `inspector2:*` all actions of a service together. What is
    /// beyond gets the service's own error, and has no effect. The bucket is full at first.
    pub fn set(&self, action: &str, quota: Quota) {
        let bucket = Bucket { quota, tokens: quota.burst, counted_at: self.account.now() };
        self.state.with(|state| state.buckets.insert(action.to_owned(), bucket));
    }

    /// How many calls were beyond a quota, by IAM action. [`SimulatedAws::calls`](crate::SimulatedAws::calls) counts them,
    /// too.
    pub fn throttled(&self) -> BTreeMap<String, u64> {
        self.state.with(|state| state.throttled.clone())
    }

    /// Whether a call is let through. One that is not uses up nothing.
    pub(crate) fn admit(&self, action: &str) -> bool {
        let now = self.account.now();
        self.state.with(|state| {
            let service =
                action.split_once(':').map(|(service, _)| format!("{service}:*")).unwrap_or_default();
            let limits = |name: &String| name == action || *name == service;
            let mut buckets: Vec<&mut Bucket> =
                state.buckets.iter_mut().filter(|(name, _)| limits(name)).map(|(_, bucket)| bucket).collect();
            for bucket in &mut buckets {
                bucket.refill(now);
            }
            let admitted = buckets.iter().all(|bucket| bucket.tokens >= 1.0);
            if admitted {
                for bucket in &mut buckets {
                    bucket.tokens -= 1.0;
                }
            } else {
                *state.throttled.entry(action.to_owned()).or_default() += 1;
            }
            admitted
        })
    }
}

impl Bucket {
    fn refill(&mut self, now: i64) {
        #[allow(clippy::cast_precision_loss)] // A span of time, in milliseconds.
        let seconds = now.saturating_sub(self.counted_at).max(0) as f64 / 1_000.0;
        self.tokens = (self.tokens + seconds * self.quota.per_second).min(self.quota.burst);
        self.counted_at = self.counted_at.max(now);
    }
}
