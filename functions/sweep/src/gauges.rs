//! Where all images stand, once an hour, by the small rows of the index: as metrics, for each day in the table, and what
//! follows from it for waivers and rules.

use aws::cloudwatch::Metric;
use aws_sdk_cloudwatch::types::StandardUnit;
use domain::sweep::{Standing, State};
use jiff::{SignedDuration, Timestamp};

use crate::run::{Next, Run};
use crate::{Sweep, SweepError};

/// How often it is published.
const EVERY: SignedDuration = SignedDuration::from_hours(1);

impl Sweep {
    pub(crate) async fn gauge(&self, state: &State, run: &mut Run) -> Result<(State, Next), SweepError> {
        let now = run.now;
        if state.gauged_at.is_some_and(|at| now.duration_since(at) < EVERY) {
            return Ok((state.clone(), Next::Done));
        }
        let (rows, are_all) = self.rows(run).await?;
        let mut standing = Standing::default();
        for (image, row) in &rows {
            standing.add(image, row, now);
        }
        self.metrics.publish(&gauges(&standing, now), now).await?;
        self.memory.keep(now, &standing).await?;
        let (reminders, notices) = state.reminders.clone().look(&self.rules, &rows, are_all, now);
        for notice in notices {
            self.announcements.notify(&notice).await?;
        }
        let waits = state.adoption.since.is_some() || state.policy.under_way.is_some();
        let (unscanned, notice) = state.unscanned.look(&self.rules, &rows, waits, now);
        if let Some(notice) = notice {
            self.announcements.notify(&notice).await?;
        }
        let mut state = State { gauged_at: Some(now), reminders, unscanned, ..state.clone() };
        let covered = match self.inspector.covered_count(&self.account).await {
            // It is not active, so it covers nothing.
            Err(error) if error.is("AccessDenied") => 0,
            covered => covered?,
        };
        let (scanning, off) = state.scanning.clone().look(covered, now);
        if let Some(off) = off {
            let reason = match self.inspector.uncovered_because(&self.account).await {
                Err(error) if error.is("AccessDenied") => None,
                reason => reason?,
            };
            self.announcements.notify(&off.notice(reason, now)).await?;
        }
        state.scanning = scanning;
        Ok((state, Next::Done))
    }
}

/// The metrics of where images stand.
#[allow(clippy::cast_precision_loss)] // Counts far below 2^52.
fn gauges(standing: &Standing, now: Timestamp) -> Vec<Metric> {
    let gauge = |name, dimension: Option<(&str, String)>, value: f64| Metric {
        name,
        unit: StandardUnit::Count,
        dimensions: dimension.map(|(name, value)| (name.to_owned(), value)).into_iter().collect(),
        values: vec![(value, 1.0)],
    };
    let verdicts = standing.images.iter();
    let images = verdicts
        .map(|(verdict, count)| gauge("Images", Some(("Verdict", verdict.to_string())), *count as f64));
    let open = standing.open.iter().map(|(severity, count)| {
        gauge("OpenFindings", Some(("Severity", severity.to_string())), *count as f64)
    });
    let oldest = standing.oldest.iter().map(|(severity, since)| {
        let days = now.duration_since(*since).as_hours().max(0) as f64 / 24.0;
        gauge("OldestOpenDays", Some(("Severity", severity.to_string())), days)
    });
    let exempt = gauge("ImagesExempt", None, standing.exempt as f64);
    let overdue = gauge("ImagesOverdue", None, standing.overdue as f64);
    let waived = gauge("FindingsExcused", None, standing.waived as f64);
    images.chain(open).chain(oldest).chain([exempt, overdue, waived]).collect::<Vec<_>>()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use domain::finding::Severity;
    use domain::samples::second;
    use domain::verdict::Verdict;

    use super::*;

    #[test]
    fn gauges_are_told_apart_by_verdict_and_severity() {
        let standing = Standing {
            images: BTreeMap::from([(Verdict::Clear, 7), (Verdict::Quarantine, 2)]),
            open: BTreeMap::from([(Severity::High, 40)]),
            oldest: BTreeMap::from([(Severity::High, second(0))]),
            exempt: 1,
            overdue: 4,
            waived: 5,
            ..Standing::default()
        };
        let gauges = gauges(&standing, second(36 * 3_600));
        let named = |metric: &Metric| {
            let dimension = metric.dimensions.iter().map(|(name, value)| format!("{name}={value}"));
            (format!("{} {}", metric.name, dimension.collect::<String>()), metric.values[0].0)
        };
        assert_eq!(
            gauges.iter().map(named).collect::<Vec<_>>(),
            [
                ("Images Verdict=clear".to_owned(), 7.0),
                ("Images Verdict=quarantine".to_owned(), 2.0),
                ("OpenFindings Severity=HIGH".to_owned(), 40.0),
                ("OldestOpenDays Severity=HIGH".to_owned(), 1.5),
                ("ImagesExempt ".to_owned(), 1.0),
                ("ImagesOverdue ".to_owned(), 4.0),
                ("FindingsExcused ".to_owned(), 5.0),
            ]
        );
    }
}
