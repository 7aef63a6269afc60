//! Whether scanning was switched off: by how many images Inspector covers, once an hour. Pure.
//!
//! Whatever the reason is, Inspector disabled, basic scanning instead of enhanced, or a filter that no longer matches, many
//! images are no longer covered at the same time. Those whose time is over go one by one.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::notice::{About, Listed, Notice, ScanningOff};

/// The reason that is named where Inspector lists the images no more.
const NOT_LISTED: &str = "NOT_COVERED";
/// How many images are few enough to be a coincidence.
const FEW: u64 = 10;
/// For how long the most that was ever covered is compared with.
const COMPARED_FOR: SignedDuration = SignedDuration::from_hours(48);

/// How many images were covered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Scanning {
    /// The most of late, and when.
    most: Option<(Timestamp, u64)>,
    told: bool,
}

/// Many images are no longer covered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SwitchedOff {
    /// When they last were.
    pub since: Timestamp,
    /// How many were.
    pub of: u64,
    /// How many of these are not any more.
    pub lost: u64,
}

impl Scanning {
    /// Looks at how many images are covered, and returns what is to be told: that at most half as many are as before. It is
    /// told once, until more are covered again.
    #[must_use]
    pub fn look(self, covered: u64, now: Timestamp) -> (Self, Option<SwitchedOff>) {
        let compared =
            self.most.filter(|(at, most)| *most > covered && now.duration_since(*at) < COMPARED_FOR);
        let Some((since, of)) = compared else {
            return (Self { most: Some((now, covered)), told: false }, None);
        };
        let lost = of - covered;
        let is_off = lost >= FEW && covered * 2 <= of;
        let told = (is_off && !self.told).then_some(SwitchedOff { since, of, lost });
        (Self { told: is_off, most: self.most }, told)
    }
}

impl SwitchedOff {
    /// What people are told, with the reason that most of the images have; none where Inspector does not list them any more.
    pub fn notice(self, reason: Option<String>, now: Timestamp) -> Notice {
        let Self { since, of, lost } = self;
        let about = ScanningOff {
            reason: reason.unwrap_or_else(|| NOT_LISTED.to_owned()),
            since,
            of,
            images: Listed { named: Vec::new(), more: lost },
        };
        Notice::new(format!("scanning-off#{since}"), now, About::ScanningOff(about))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::second;

    /// What is told, hour by hour: of how many images how many.
    fn told(hours: &[u64]) -> Vec<(usize, u64, u64)> {
        let mut scanning = Scanning::default();
        let mut told = Vec::new();
        for (hour, covered) in hours.iter().enumerate() {
            let (next, off) = scanning.look(*covered, second(i64::try_from(hour).unwrap() * 3_600));
            scanning = serde_json::from_str(&serde_json::to_string(&next).unwrap()).unwrap();
            told.extend(off.map(|off| (hour, off.of, off.lost)));
        }
        told
    }

    #[test]
    fn switching_off_is_told_once() {
        assert_eq!(told(&[100, 100, 20, 0, 0]), [(2, 100, 80)]);
    }

    #[test]
    fn it_is_told_again_after_it_was_on() {
        assert_eq!(told(&[40, 0, 40, 0]), [(1, 40, 40), (3, 40, 40)]);
    }

    #[test]
    fn few_images_and_slow_changes_are_no_switch() {
        assert_eq!(told(&[10, 1]), []);
        assert_eq!(told(&[11, 1]).len(), 1);
        assert_eq!(told(&[100, 51]), []);
        assert_eq!(told(&[100, 50]).len(), 1);
        // One goes every hour.
        assert_eq!(told(&(0..100).map(|hour| 200 - hour).collect::<Vec<_>>()), []);
    }

    #[test]
    fn what_was_covered_is_compared_with_for_two_days_and_what_is_covered_since_counts() {
        let slowly = |hours: usize| [vec![100], vec![60; hours - 1], vec![50]].concat();
        assert_eq!(told(&slowly(47)), [(47, 100, 50)]);
        assert_eq!(told(&slowly(48)), []);
        assert_eq!(told(&[40, 100, 50]), [(2, 100, 50)]);
    }

    #[test]
    fn reason_is_that_inspector_does_not_list_them_where_none_is_known() {
        let off = SwitchedOff { since: second(1), of: 40, lost: 30 };
        for (reason, expected) in
            [(Some("SCAN_FREQUENCY_MANUAL"), "SCAN_FREQUENCY_MANUAL"), (None, "NOT_COVERED")]
        {
            let notice = off.notice(reason.map(str::to_owned), second(9));
            let About::ScanningOff(told) = notice.about else { panic!() };
            assert_eq!((told.reason.as_str(), told.images.count()), (expected, 30));
        }
    }
}
