//! The local AWS on a port, for functions that run as processes of their own.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use sim_aws::SimulatedAws;
use sim_delivery::{Pseudo, Stack, TemplateError};

use crate::implied;
use crate::input::Delivery;
use crate::outcome::{AlertSent, alerts};
use crate::pipeline::furnish;

/// A local AWS that has what template.yaml declares and what events imply, and tells what is done to it.
pub struct Endpoint {
    /// The AWS.
    pub aws: SimulatedAws,
    alerts_told: usize,
    calls_told: BTreeMap<(String, String), u64>,
}

/// What happened since the last time that it was asked.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct News {
    /// How often each action was called, by caller and action.
    pub calls: BTreeMap<(String, String), u64>,
    /// What was announced: bus and event.
    pub events: Vec<(String, String)>,
    pub alerts: Vec<AlertSent>,
}

impl Endpoint {
    /// An AWS with the template's table, topics and buses, and with the images and findings that events imply.
    pub async fn furnished(
        template: &str,
        deliveries: &[Delivery],
        account: &str,
        region: &str,
    ) -> Result<Self, TemplateError> {
        let pseudo = Pseudo {
            account: account.to_owned(),
            region: region.to_owned(),
            stack_name: "ecr-warden".to_owned(),
        };
        let stack = Stack::load(template, &BTreeMap::new(), &pseudo)?;
        let aws = SimulatedAws::new(account, region, Arc::new(|| Timestamp::now().as_millisecond()));
        furnish(&aws, &stack).await;
        implied::establish(&aws, deliveries);
        // Only what is announced from now on is news.
        aws.take_events();
        Ok(Self { aws, alerts_told: 0, calls_told: BTreeMap::new() })
    }

    /// What happened since the last time that this was asked.
    pub fn news(&mut self) -> News {
        let calls = self.aws.calls_by_caller();
        let new = |(who, count): (&(String, String), &u64)| {
            let count = count - self.calls_told.get(who).copied().unwrap_or_default();
            (count > 0).then(|| (who.clone(), count))
        };
        let news = News {
            calls: calls.iter().filter_map(new).collect(),
            events: self.aws.take_events().into_iter().map(|e| (e.bus, e.event.to_string())).collect(),
            alerts: alerts(&self.aws).split_off(self.alerts_told),
        };
        self.alerts_told += news.alerts.len();
        self.calls_told = calls;
        news
    }
}
