use std::str::FromStr;

/// When a rule fires by itself: every so often. AWS counts from the moment in which the rule was created, which nobody can
/// know; here the intervals follow each other since 1970, so that the same times fire in every run.
///
/// Source: <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html>.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// In milliseconds.
    every: i64,
}

impl Schedule {
    /// The first time after another at which it fires; both in milliseconds since 1970.
    pub(crate) fn next_after(self, time: i64) -> i64 {
        (time.div_euclid(self.every) + 1) * self.every
    }

    pub(crate) fn fires_at(self, time: i64) -> bool {
        time.rem_euclid(self.every) == 0
    }
}

impl FromStr for Schedule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("ScheduleExpression: expected such as `rate(15 minutes)`, found `{text}`");
        if text.starts_with("cron(") {
            return Err(format!("ScheduleExpression: `{text}` is not supported, only `rate(…)` is"));
        }
        let inner = text.strip_prefix("rate(").and_then(|rest| rest.strip_suffix(')')).ok_or_else(wrong)?;
        let (value, unit) = inner.split_once(' ').ok_or_else(wrong)?;
        let value: u32 = value.parse().ok().filter(|value| *value > 0).ok_or_else(wrong)?;
        let minutes: i64 = match (unit, value) {
            ("minute", 1) | ("minutes", 2..) => 1,
            ("hour", 1) | ("hours", 2..) => 60,
            ("day", 1) | ("days", 2..) => 24 * 60,
            // AWS refuses `rate(1 hours)` and `rate(5 hour)`, too.
            _ => return Err(wrong()),
        };
        Ok(Self { every: i64::from(value) * minutes * 60_000 })
    }
}

#[cfg(test)]
mod tests {
    use super::Schedule;

    #[test]
    fn a_rate_fires_after_each_interval() {
        let schedule: Schedule = "rate(15 minutes)".parse().unwrap();
        let quarter = 15 * 60_000;
        assert_eq!(schedule.next_after(0), quarter);
        assert_eq!(schedule.next_after(quarter - 1), quarter);
        assert_eq!(schedule.next_after(quarter), 2 * quarter);
        assert_eq!([quarter - 1, quarter, quarter + 1].map(|at| schedule.fires_at(at)), [false, true, false]);
        let day = 24 * 60 * 60_000;
        assert_eq!("rate(1 day)".parse::<Schedule>().unwrap().next_after(day), 2 * day);
        assert_eq!("rate(12 hours)".parse::<Schedule>().unwrap().next_after(0), day / 2);
        assert_eq!("rate(1 minute)".parse::<Schedule>().unwrap().next_after(0), 60_000);
    }

    #[test]
    fn what_aws_refuses_is_refused() {
        for text in [
            "rate(1 minutes)",
            "rate(5 hour)",
            "rate(0 minutes)",
            "rate(-1 days)",
            "rate(15 seconds)",
            "rate(15)",
            "15",
        ] {
            assert!(text.parse::<Schedule>().unwrap_err().contains(text), "{text}");
        }
        assert!("cron(0 10 * * ? *)".parse::<Schedule>().unwrap_err().contains("not supported"));
    }
}
