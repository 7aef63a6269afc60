//! What is told in one notice at the end: of an adoption, and of a new policy. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Adoption, Standing, Worst};
use crate::assessment::Occasion;
use crate::image::ImageId;
use crate::notice::{
    About, Adopted, AdoptedImage, ChangedImage, Listed, NamedImage, Notice, PolicyChanged, Unreadable,
    VerdictChange,
};
use crate::policy::{Fingerprint, Policy};
use crate::row::StatusRow;
use crate::verdict::Verdict;

/// The notice that images were adopted, by the rows of all images.
pub fn adopted(
    adoption: &Adoption,
    rows: &[(ImageId, StatusRow)],
    policy: &Policy,
    now: Timestamp,
) -> Option<Notice> {
    let since = adoption.since?;
    let mut standing = Standing::default();
    let adopted: Vec<&(ImageId, StatusRow)> =
        rows.iter().filter(|(_, row)| row.adopted_at.is_some_and(|at| Some(at) >= adoption.from)).collect();
    for (image, row) in &adopted {
        standing.add(image, row, now);
    }
    let named = |image: &ImageId, row: &StatusRow| NamedImage::of(image.clone(), row);
    let worst = |Worst { image, row }: &Worst| AdoptedImage {
        image: named(image, row),
        verdict: row.verdict,
        open: row.open.clone(),
    };
    let unreadable = adopted.iter().filter_map(|(image, row)| {
        Some(Unreadable { image: named(image, row), because: row.unread.clone()? })
    });
    let about = Adopted {
        since,
        until: now,
        images: adoption.sent,
        roots: standing.count(),
        would_quarantine: standing.images.get(&Verdict::Quarantine).copied().unwrap_or_default(),
        quarantine_adopted: policy.quarantines_adopted,
        worst: standing.worst.iter().map(worst).collect(),
        unreadable: Listed::of(unreadable),
        open: standing.open,
    };
    Some(Notice::new(format!("adopted#{since}"), now, About::Adopted(about)))
}

/// The notice that a new policy is in force for all images, by their rows; `None` if nothing is known of one before, and it
/// changed nothing.
pub fn policy_changed(
    (from, to): (Option<&Fingerprint>, &Fingerprint),
    since: Timestamp,
    rows: &[(ImageId, StatusRow)],
    deployed_by: Option<&str>,
    now: Timestamp,
) -> Option<Notice> {
    // What a policy changed that was replaced meanwhile belongs to it as well.
    let is_by_it = |row: &StatusRow| {
        let is_new = row.since.is_some_and(|at| at >= since) && row.previous != row.verdict;
        is_new && matches!(row.occasion, Some(Occasion::PolicyChanged { .. }))
    };
    let mut moved: Vec<&(ImageId, StatusRow)> = rows.iter().filter(|(_, row)| is_by_it(row)).collect();
    moved.sort_by(|(one, a), (other, b)| b.verdict.cmp(&a.verdict).then_with(|| one.cmp(other)));
    let mut changes: BTreeMap<(Verdict, Verdict), u64> = BTreeMap::new();
    for (_, row) in &moved {
        *changes.entry((row.previous, row.verdict)).or_default() += 1;
    }
    let named = moved.iter().map(|(image, row)| ChangedImage {
        image: NamedImage::of(image.clone(), row),
        from: row.previous,
        to: row.verdict,
    });
    let about = PolicyChanged {
        from: from.map(ToString::to_string),
        to: to.to_string(),
        deployed_by: deployed_by.map(str::to_owned),
        since,
        until: now,
        judged: rows.len() as u64,
        changes: changes.into_iter().map(|((from, to), images)| VerdictChange { from, to, images }).collect(),
        changed: Listed::first(PolicyChanged::NAMED, named),
    };
    let is_news = about.from.is_some() || about.changed.count() > 0;
    is_news.then(|| Notice::new(format!("policy#{to}#{since}"), now, About::PolicyChanged(about)))
}
