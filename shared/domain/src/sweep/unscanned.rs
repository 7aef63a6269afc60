//! What is told of images that nothing scans, where no alert told it: because they were there before, or because a new policy
//! asks for their scans. Pure.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::image::ImageId;
use crate::notice::{About, Listed, NamedImage, Notice, UnscannedGroup, UnscannedImages};
use crate::policy::{Fingerprint, Policy};
use crate::row::StatusRow;

/// How old a verdict has to be: by then it is stored, and in the index.
const SETTLES: SignedDuration = SignedDuration::from_mins(10);

/// Up to which verdicts were told. An image whose verdict is older was told of, or had nothing to be told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Unscanned(Option<Timestamp>);

impl Unscanned {
    /// Looks at all images, and returns what is to be told: those that came to their verdict since the last look, each once
    /// until its verdict changes. While many are still to be judged, `waits` puts it off, so that it is one notice.
    #[must_use]
    pub fn look(
        self,
        policy: &Policy,
        rows: &[(ImageId, StatusRow)],
        waits: bool,
        now: Timestamp,
    ) -> (Self, Option<Notice>) {
        let settled = now.checked_sub(SETTLES).unwrap_or(now);
        if waits || self.0.is_some_and(|told| told >= settled) {
            return (self, None);
        }
        let next = Self(Some(settled));
        let Some(unscanned) = &policy.unscanned else { return (next, None) };
        let is_news = |row: &StatusRow| {
            let is_new = row.since.is_some_and(|since| since <= settled && Some(since) > self.0);
            is_new && row.occasion.is_some()
        };
        let mut by_reason: BTreeMap<&str, Vec<&(ImageId, StatusRow)>> = BTreeMap::new();
        for one in rows.iter().filter(|(_, row)| is_news(row)) {
            if let Some(reason) = &one.1.unscanned {
                by_reason.entry(reason).or_default().push(one);
            }
        }
        if by_reason.is_empty() {
            return (next, None);
        }
        let mut what = String::new();
        let mut groups = Vec::new();
        for (reason, mut images) in by_reason {
            images.sort_by(|(one, _), (other, _)| one.cmp(other));
            what.extend(images.iter().map(|(image, row)| format!("{reason} {image} {:?}\n", row.since)));
            let named = images.iter().map(|(image, row)| NamedImage::of(image.clone(), row));
            groups.push(UnscannedGroup { reason: reason.to_owned(), images: Listed::of(named) });
        }
        groups.sort_by_key(|group| std::cmp::Reverse(group.images.count()));
        let about = UnscannedImages { after_minutes: unscanned.after_minutes, groups };
        let id = format!("unscanned#{}", Fingerprint::of(&what));
        (next, Some(Notice::new(id, now, About::Unscanned(about))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assessment::Occasion;
    use crate::image::Digest;
    use crate::samples::{image, policy, second};

    const HOUR: i64 = 3_600;

    fn numbered(number: u8) -> ImageId {
        let digest: Digest = format!("sha256:{number:064x}").try_into().unwrap();
        ImageId { digest, ..image() }
    }

    /// An adopted image that has not been scanned, for a reason, and since when that is its verdict.
    fn unscanned(number: u8, reason: &str, since: i64) -> (ImageId, StatusRow) {
        let row = StatusRow {
            unscanned: Some(reason.to_owned()),
            since: Some(second(since)),
            occasion: Some(Occasion::Adopted),
            ..StatusRow::default()
        };
        (numbered(number), row)
    }

    fn asking() -> Policy {
        policy(
            "
rules: [{ id: any, match: { severity: [LOW] }, then: [alert] }]
unscanned: { after_minutes: 30, then: [alert] }
",
        )
    }

    /// Which images are told hour by hour, by reason.
    fn told(policy: &Policy, hours: &[(&[(ImageId, StatusRow)], bool)]) -> Vec<(usize, Vec<(String, u64)>)> {
        let mut state = Unscanned::default();
        let mut told = Vec::new();
        for (hour, (rows, waits)) in hours.iter().enumerate() {
            let now = second(i64::try_from(hour).unwrap() * HOUR);
            let (next, notice) = state.look(policy, rows, *waits, now);
            state = serde_json::from_str(&serde_json::to_string(&next).unwrap()).unwrap();
            let Some(About::Unscanned(about)) = notice.map(|notice| notice.about) else { continue };
            assert_eq!(about.after_minutes, 30);
            let groups = about.groups.into_iter();
            told.push((hour, groups.map(|group| (group.reason, group.images.count())).collect()));
        }
        told
    }

    #[test]
    fn each_image_is_told_of_once_and_the_largest_group_first() {
        let rows = [unscanned(1, "A", -HOUR), unscanned(2, "B", -HOUR), unscanned(3, "B", -HOUR)];
        let all: &[_] = &rows;
        let groups = vec![("B".to_owned(), 2), ("A".to_owned(), 1)];
        assert_eq!(told(&asking(), &[(all, false), (all, false), (all, false)]), [(0, groups)]);
    }

    #[test]
    fn it_is_told_again_when_the_verdict_has_changed_meanwhile() {
        let (first, again) = ([unscanned(1, "A", -HOUR)], [unscanned(1, "A", 2 * HOUR)]);
        let one = vec![("A".to_owned(), 1)];
        let hours: [(&[_], bool); 4] = [(&first, false), (&[], false), (&[], false), (&again, false)];
        assert_eq!(told(&asking(), &hours), [(0, one.clone()), (3, one)]);
    }

    #[test]
    fn verdict_of_the_last_minutes_is_told_an_hour_later_and_none_is_left_out() {
        for since in [HOUR - 601, HOUR - 600, HOUR - 599, HOUR] {
            let rows = [unscanned(1, "A", since)];
            let told = told(&asking(), &[(&[], false), (&rows, false), (&rows, false), (&rows, false)]);
            let expected = if since <= HOUR - 600 { 1 } else { 2 };
            assert_eq!(told, [(expected, vec![("A".to_owned(), 1)])], "{since}");
        }
    }

    #[test]
    fn while_many_are_still_to_be_judged_it_waits() {
        let (one, two) = ([unscanned(1, "A", -HOUR)], [unscanned(1, "A", -HOUR), unscanned(2, "A", HOUR)]);
        let hours: [(&[_], bool); 3] = [(&one, true), (&two, true), (&two, false)];
        assert_eq!(told(&asking(), &hours), [(2, vec![("A".to_owned(), 2)])]);
    }

    #[test]
    fn what_an_alert_told_is_not_told_again_and_neither_is_what_nobody_asked_for() {
        let (image, row) = unscanned(1, "A", -HOUR);
        let alerted = [(image.clone(), StatusRow { occasion: None, ..row.clone() })];
        let scanned = [(image, StatusRow { unscanned: None, ..row.clone() })];
        assert_eq!(told(&asking(), &[(&alerted, false), (&scanned, false)]), []);
        let nobody = policy("rules: [{ id: any, match: { severity: [LOW] }, then: [alert] }]");
        assert_eq!(told(&nobody, &[(&[(numbered(1), row)], false)]), []);
    }

    #[test]
    fn same_images_are_the_same_notice_and_others_another() {
        let id = |rows: &[(ImageId, StatusRow)], at: i64| {
            Unscanned::default().look(&asking(), rows, false, second(at)).1.unwrap().id
        };
        let (one, two) = (unscanned(1, "A", 0), unscanned(2, "A", 0));
        assert_eq!(id(&[one.clone(), two.clone()], HOUR), id(&[two.clone(), one.clone()], 2 * HOUR));
        assert_ne!(id(&[one.clone(), two], HOUR), id(std::slice::from_ref(&one), HOUR));
        let later = unscanned(1, "A", 1);
        assert_ne!(id(&[one], HOUR), id(&[later], HOUR), "another time it is news");
    }
}
