//! Which assessments share an alert: those that one piece of news led to. Pure.

use std::collections::{BTreeMap, BTreeSet};

use domain::assessment::{AssessedImage, AssessedPlatform, Assessment, Reason};
use domain::image::Digest;
use domain::verdict::Verdict;

use crate::kind::{Kind, changed, told};

/// What two assessments share if they belong together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum News<'a> {
    /// What was found in an image that several roots contain, or are.
    Found { image: Place<'a>, vulnerability: &'a str, packages: Vec<&'a str> },
    /// The same vulnerabilities, and no others, came to matter in several images.
    Spread(Vec<&'a str>),
    /// An image that several roots contain could not be scanned, or is fixed.
    Part(Kind, Place<'a>),
}

/// An image: account, region, repository and digest.
type Place<'a> = (&'a str, &'a str, &'a str, &'a Digest);

type Told<'a> = (&'a Assessment, Kind);

/// Divides assessments of different images into those that share an alert; each group, and the groups by their first, in
/// the order given.
pub(crate) fn groups<'a>(told: &[Told<'a>]) -> Vec<Vec<Told<'a>>> {
    let mut leads: Vec<usize> = (0..told.len()).collect();
    let mut first: BTreeMap<News<'a>, usize> = BTreeMap::new();
    for (number, (assessment, kind)) in told.iter().enumerate() {
        for news in news(assessment, *kind) {
            let other = *first.entry(news).or_insert(number);
            let (one, other) = (lead(&leads, number), lead(&leads, other));
            leads[one.max(other)] = one.min(other);
        }
    }
    let mut groups: BTreeMap<usize, Vec<Told<'a>>> = BTreeMap::new();
    for (number, told) in told.iter().enumerate() {
        groups.entry(lead(&leads, number)).or_default().push(*told);
    }
    groups.into_values().collect()
}

/// The first of the group of one.
fn lead(leads: &[usize], mut of: usize) -> usize {
    while leads[of] != of {
        of = leads[of];
    }
    of
}

fn news(assessment: &Assessment, kind: Kind) -> BTreeSet<News<'_>> {
    match kind {
        Kind::Released => parts(assessment, |_| true).map(|part| News::Part(kind, part)).collect(),
        Kind::Unscannable => {
            let failed = |platform: &&AssessedPlatform| platform.verdict == Verdict::Unscannable;
            parts(assessment, failed).map(|part| News::Part(kind, part)).collect()
        }
        Kind::FirstScan | Kind::Change | Kind::Spread => {
            let told = told(kind, assessment);
            let mut news: BTreeSet<News<'_>> =
                told.iter().flat_map(|reason| found(assessment, reason)).collect();
            let vulnerabilities: BTreeSet<&str> =
                told.iter().map(|reason| reason.finding.vulnerability.as_str()).collect();
            if kind == Kind::Change && !vulnerabilities.is_empty() && all_news_is_listed(assessment) {
                news.insert(News::Spread(vulnerabilities.into_iter().collect()));
            }
            news
        }
    }
}

/// A finding in each of the images that have it.
fn found<'a>(assessment: &'a Assessment, reason: &'a Reason) -> impl Iterator<Item = News<'a>> {
    let named: BTreeSet<&str> = reason.platforms.iter().map(String::as_str).collect();
    let having =
        move |platform: &&AssessedPlatform| named.is_empty() || named.contains(platform.platform.as_str());
    parts(assessment, having).map(|image| News::Found {
        image,
        vulnerability: &reason.finding.vulnerability,
        packages: reason.finding.packages.iter().map(|package| package.name.as_str()).collect(),
    })
}

/// Some of an index's images; of an image itself.
fn parts<'a>(
    assessment: &'a Assessment,
    which: impl Fn(&&'a AssessedPlatform) -> bool,
) -> impl Iterator<Item = Place<'a>> {
    let AssessedImage { id, platforms, .. } = &assessment.image;
    let own = Some(&id.digest).filter(|_| platforms.is_empty());
    let digests = platforms.iter().filter(which).map(|platform| &platform.digest).chain(own);
    digests.map(|digest| (id.account.as_str(), id.region.as_str(), id.repository.as_str(), digest))
}

/// Of what quarantines only the announcement itself knows how much there is.
fn all_news_is_listed(assessment: &Assessment) -> bool {
    assessment.more_reasons == 0
        || !assessment.is_quarantined() && changed(assessment).count() as u64 == assessment.changes.reasons
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::alert::alerts;
    use crate::samples::{assessment, reason, with};

    fn digest(name: &str) -> String {
        format!("sha256:{}", name.repeat(64))
    }

    fn platforms(of: &[(&str, &str, &str)]) -> Value {
        of.iter()
            .map(|(platform, name, verdict)| {
                json!({ "platform": platform, "digest": digest(name), "verdict": verdict })
            })
            .collect()
    }

    /// An index, or an image that has no platforms.
    fn root(name: &str, parts: &[(&str, &str, &str)], previous: &str, reasons: Vec<Value>) -> Assessment {
        let verdict = if previous == "quarantine" { "clear" } else { "quarantine" };
        let fields = json!({
            "/image/digest": digest(name), "/image/platforms": platforms(parts), "/image/tags": [name],
            "/id": format!("111122223333/eu-west-1/prod/cart@{}#1", digest(name)),
        });
        assessment(previous, verdict, reasons, &fields)
    }

    fn only_in(platform: &str) -> Value {
        with(reason("CVE-1"), &json!({ "/platforms": [platform] }))
    }

    /// The roots of each alert.
    fn shared(batch: &[Assessment]) -> Vec<(Kind, Vec<String>)> {
        let tags = |one: &Assessment| one.image.tags.join(" ");
        alerts(batch).iter().map(|alert| (alert.kind, alert.assessments.iter().map(tags).collect())).collect()
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn roots_that_share_the_vulnerable_image_and_not_the_others_share_an_alert() {
        let one = [("linux/amd64", "a", "quarantine"), ("linux/arm64", "b", "clear")];
        let other = [("linux/amd64", "a", "quarantine"), ("linux/arm64", "c", "clear")];
        for (previous, kind) in [("pending", Kind::FirstScan), ("clear", Kind::Spread)] {
            let batch = [
                root("1", &one, previous, vec![only_in("linux/amd64")]),
                root("2", &other, previous, vec![only_in("linux/amd64")]),
                root("a", &[], previous, vec![reason("CVE-1")]),
            ];
            assert_eq!(shared(&batch), [(kind, names(&["1", "2", "a"]))], "{previous}");
        }
    }

    #[test]
    fn first_scan_of_one_and_change_of_another_by_the_same_news_share_an_alert() {
        let parts = [("linux/amd64", "a", "quarantine")];
        let batch = [
            root("1", &parts, "pending", vec![reason("CVE-1")]),
            root("2", &parts, "clear", vec![reason("CVE-1")]),
        ];
        assert_eq!(shared(&batch), [(Kind::Spread, names(&["1", "2"]))]);
    }

    #[test]
    fn roots_with_other_news_or_the_news_of_other_images_have_alerts_of_their_own() {
        let parts = [("linux/amd64", "a", "quarantine"), ("linux/arm64", "b", "clear")];
        let others = [("linux/amd64", "a", "clear"), ("linux/arm64", "c", "quarantine")];
        let batch = [
            root("1", &parts, "pending", vec![only_in("linux/amd64")]),
            root("2", &others, "pending", vec![only_in("linux/arm64")]),
            root(
                "3",
                &parts,
                "pending",
                vec![with(only_in("linux/amd64"), &json!({ "/vulnerability": "CVE-2" }))],
            ),
            root("4", &[("linux/amd64", "d", "quarantine")], "pending", vec![reason("CVE-1")]),
        ];
        assert_eq!(shared(&batch).len(), 4);
        let packages = json!({ "/packages": [{ "name": "zlib", "version": "1" }] });
        let batch = [
            root("1", &parts, "pending", vec![only_in("linux/amd64")]),
            root("2", &parts, "pending", vec![with(only_in("linux/amd64"), &packages)]),
        ];
        assert_eq!(shared(&batch).len(), 2, "in another package it is another finding");
    }

    #[test]
    fn same_digest_in_another_repository_is_another_image() {
        let one = root("a", &[], "pending", vec![reason("CVE-1")]);
        let mut other = one.clone();
        other.image.id.repository = "test/cart".to_owned();
        assert_eq!(shared(&[one, other]).len(), 2);
    }

    #[test]
    fn roots_that_the_fix_of_one_image_releases_share_an_alert() {
        let one = [("linux/amd64", "a", "clear"), ("linux/arm64", "b", "clear")];
        let other = [("linux/amd64", "a", "clear"), ("linux/arm64", "c", "clear")];
        let batch = [
            root("1", &one, "quarantine", vec![]),
            root("2", &other, "quarantine", vec![]),
            root("a", &[], "quarantine", vec![]),
            root("d", &[], "quarantine", vec![]),
        ];
        let kind = Kind::Released;
        assert_eq!(shared(&batch), [(kind, names(&["1", "2", "a"])), (kind, names(&["d"]))]);
    }

    #[test]
    fn roots_with_one_image_that_is_not_scanned_share_an_alert_and_no_others() {
        let failed = |name: &str, parts: &[(&str, &str, &str)]| {
            let mut one = root(name, parts, "clear", vec![]);
            one.verdict = Verdict::Unscannable;
            one
        };
        let batch = [
            failed("1", &[("linux/amd64", "a", "unscannable"), ("linux/arm64", "b", "clear")]),
            failed("2", &[("linux/amd64", "a", "unscannable"), ("linux/arm64", "c", "clear")]),
            failed("3", &[("linux/amd64", "d", "unscannable"), ("linux/arm64", "b", "clear")]),
        ];
        let kind = Kind::Unscannable;
        assert_eq!(shared(&batch), [(kind, names(&["1", "2"])), (kind, names(&["3"]))]);
    }
}
