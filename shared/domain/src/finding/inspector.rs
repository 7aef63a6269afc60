//! Reading an Inspector finding. Three sources state it: the event `Inspector2 Finding`, `ListFindings`, and
//! ECR's `DescribeImageScanFindings` under enhanced scanning. Each extracts the fields that it has; what the
//! fields mean, and what a missing one means, is decided here, once.

use jiff::Timestamp;
use thiserror::Error;

use super::{Epss, Finding, Fix, Package, Score, Severity, Source, Status};
use crate::text::sanitize;

/// The fields of an Inspector finding as its source writes them.
#[derive(Debug, Clone, Default)]
pub struct InspectorFinding<'a> {
    pub arn: &'a str,
    pub status: &'a str,
    pub severity: Option<&'a str>,
    /// `PACKAGE_VULNERABILITY` and the like.
    pub kind: Option<&'a str>,
    pub vulnerability: Option<&'a str>,
    /// CVSS, 0 to 10.
    pub score: Option<f64>,
    /// A probability, 0 to 1.
    pub epss: Option<f64>,
    /// `YES` or `NO`.
    pub exploit_available: Option<&'a str>,
    /// `YES`, `NO` or `PARTIAL`.
    pub fix_available: Option<&'a str>,
    pub packages: Vec<InspectorPackage<'a>>,
    pub updated_at: Option<Timestamp>,
    pub first_observed_at: Option<Timestamp>,
    pub last_observed_at: Option<Timestamp>,
}

/// An entry of `vulnerablePackages`.
#[derive(Debug, Clone, Copy, Default)]
pub struct InspectorPackage<'a> {
    pub name: Option<&'a str>,
    pub version: Option<&'a str>,
    pub release: Option<&'a str>,
    pub fixed_in_version: Option<&'a str>,
}

/// A finding that cannot be understood. No retry can help.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("finding {id}: field {field}: {reason}")]
pub struct FindingError {
    pub id: String,
    /// AWS's name of the field.
    pub field: &'static str,
    pub reason: String,
}

impl InspectorFinding<'_> {
    /// A status that is not known is refused, for it may mean that the finding is open. A finding without the time
    /// of its last change is dated by its last observation, and refused where it has neither: without a date it
    /// could not be compared with another report. The other times default to what is certain: it was first seen
    /// when it was changed, and last seen when it was first seen.
    pub fn read(self) -> Result<Finding, FindingError> {
        let id = sanitize(self.arn);
        let wrong = |field, reason: String| FindingError { id: id.clone(), field, reason };
        let status = Status::from_name(self.status)
            .ok_or_else(|| wrong("status", format!("unknown status {:?}", sanitize(self.status))))?;
        let updated_at = self
            .updated_at
            .or(self.last_observed_at)
            .ok_or_else(|| wrong("updatedAt", "missing or out of range".to_owned()))?;
        let first_seen = self.first_observed_at.unwrap_or(updated_at);
        let mut packages: Vec<Package> = self.packages.into_iter().map(InspectorPackage::read).collect();
        packages.sort();
        packages.dedup();
        Ok(Finding {
            updated_at,
            status,
            severity: self.severity.map_or_else(Severity::missing, Severity::from),
            source: Source::Inspector,
            vulnerability: sanitize(self.vulnerability.or(self.kind).unwrap_or("unnamed")),
            score: self.score.map(Score::from),
            epss: self.epss.map(Epss::from),
            exploit: self.exploit_available.and_then(yes_or_no),
            fix: Fix::from_name(self.fix_available),
            packages,
            first_seen,
            last_seen: self.last_observed_at.unwrap_or(first_seen),
            id,
        })
    }
}

impl InspectorPackage<'_> {
    /// Inspector splits `3.0.13-0ubuntu3.2` into a version and a release; people know the whole.
    fn read(self) -> Package {
        let version = self.version.unwrap_or("unknown");
        let name = self.name.unwrap_or("unknown");
        match self.release.filter(|release| !release.is_empty()) {
            Some(release) => Package::new(name, &format!("{version}-{release}"), self.fixed_in_version),
            None => Package::new(name, version, self.fixed_in_version),
        }
    }
}

fn yes_or_no(text: &str) -> Option<bool> {
    match text {
        "YES" => Some(true),
        "NO" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::second;

    fn minimal() -> InspectorFinding<'static> {
        InspectorFinding {
            arn: "arn",
            status: "ACTIVE",
            updated_at: Some(second(9)),
            ..InspectorFinding::default()
        }
    }

    #[test]
    fn missing_times_default_to_what_is_certain() {
        let times = |finding: InspectorFinding| {
            let Finding { updated_at, first_seen, last_seen, .. } = finding.read().unwrap();
            [updated_at, first_seen, last_seen]
        };
        assert_eq!(times(minimal()), [9, 9, 9].map(second));
        let seen = InspectorFinding { first_observed_at: Some(second(1)), ..minimal() };
        assert_eq!(times(seen.clone()), [9, 1, 1].map(second));
        let seen_again = InspectorFinding { last_observed_at: Some(second(5)), ..seen };
        assert_eq!(times(seen_again.clone()), [9, 1, 5].map(second));
        assert_eq!(times(InspectorFinding { updated_at: None, ..seen_again }), [5, 1, 5].map(second));
    }

    #[test]
    fn finding_without_a_date_and_unknown_status_are_refused_by_field() {
        let undated = InspectorFinding { updated_at: None, ..minimal() }.read().unwrap_err();
        assert_eq!(undated.to_string(), "finding arn: field updatedAt: missing or out of range");
        let strange = InspectorFinding { status: "PAUSED", ..minimal() }.read().unwrap_err();
        assert_eq!(strange.to_string(), "finding arn: field status: unknown status \"PAUSED\"");
    }

    #[test]
    fn what_is_not_said_is_not_made_up() {
        let read = minimal().read().unwrap();
        assert_eq!((read.severity, read.vulnerability.as_str()), (Severity::missing(), "unnamed"));
        assert_eq!((read.exploit, read.fix, read.score, read.epss), (None, Fix::Unknown, None, None));
        let said = InspectorFinding {
            kind: Some("CODE_VULNERABILITY"),
            exploit_available: Some("NO"),
            fix_available: Some("PARTIAL"),
            ..minimal()
        };
        let read = said.read().unwrap();
        assert_eq!(read.vulnerability, "CODE_VULNERABILITY");
        assert_eq!((read.exploit, read.fix), (Some(false), Fix::Partial));
    }

    #[test]
    fn packages_are_sorted_and_named_by_version_and_release() {
        let package = |name, release| InspectorPackage {
            name: Some(name),
            version: Some("1.0"),
            release,
            fixed_in_version: Some("NotAvailable"),
        };
        let packages = vec![package("b", None), package("a", Some("2")), package("b", Some(""))];
        let read = InspectorFinding { packages, ..minimal() }.read().unwrap();
        let named: Vec<_> = read.packages.iter().map(|p| (p.name.as_str(), p.version.as_str())).collect();
        assert_eq!(named, [("a", "1.0-2"), ("b", "1.0")]);
        assert!(read.packages.iter().all(|package| package.fixed_in.is_none()));
    }
}
