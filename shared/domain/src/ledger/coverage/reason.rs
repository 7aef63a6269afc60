//! What the reason codes of Amazon Inspector's coverage mean, in the words of those who push images, and what helps.
//! <https://docs.aws.amazon.com/inspector/v2/APIReference/API_ScanStatus.html>

use std::borrow::Cow;

use crate::text::sanitize;

/// The reason that stands for an image that Inspector does not list at all. It is ours, not Inspector's.
pub(super) const NOT_LISTED: &str = "NOT_COVERED";

/// A reason code in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanReason {
    /// Inspector's code.
    pub code: String,
    /// Why the image is not scanned, or what is happening to it: a clause without a full stop.
    pub words: Cow<'static, str>,
    /// What to do about it: a clause without a full stop.
    pub to_do: &'static str,
    /// Whether the code is one that is explained here.
    pub is_known: bool,
}

impl ScanReason {
    /// Reads a code. One that is not known is told by its own name.
    pub fn read(code: &str) -> Self {
        let code = sanitize(code);
        match REASONS.iter().find(|(known, ..)| *known == code) {
            Some((_, words, to_do)) => Self { words: Cow::Borrowed(words), to_do, is_known: true, code },
            None => Self {
                words: format!("Inspector's reason is \"{}\"", code.to_lowercase().replace('_', " ")).into(),
                to_do: "see the Inspector documentation",
                is_known: false,
                code,
            },
        }
    }
}

const NOTHING: &str = "nothing; if it lasts more than a day, ask AWS Support";
const NOT_OF_IMAGES: &str =
    "ask AWS Support: Inspector documents this reason for other resources than container images";

/// Each code with its words and what to do.
const REASONS: &[(&str, &str, &str)] = &[
    (
        NOT_LISTED,
        "Inspector does not list the image at all",
        "check in the registry settings that enhanced scanning is on and that a filter matches the repository; push an image again that was old when scanning was switched on",
    ),
    (
        "ACCESS_DENIED",
        "Inspector is not allowed to read the image",
        "look for a `Deny` in the policies of the repository, the registry and the organization",
    ),
    (
        "ACCESS_DENIED_TO_ENCRYPTION_KEY",
        "Inspector is not allowed to use the KMS key of the repository",
        "allow Inspector in the policy of the key",
    ),
    (
        "AGENTLESS_INSTANCE_COLLECTION_TIME_LIMIT_EXCEEDED",
        "reading the disk of an EC2 instance took longer than Inspector allows",
        NOT_OF_IMAGES,
    ),
    (
        "AGENTLESS_INSTANCE_STORAGE_LIMIT_EXCEEDED",
        "the disk of an EC2 instance is larger than Inspector reads",
        NOT_OF_IMAGES,
    ),
    (
        "DEEP_INSPECTION_COLLECTION_TIME_LIMIT_EXCEEDED",
        "collecting the packages of an EC2 instance took longer than Inspector allows",
        NOT_OF_IMAGES,
    ),
    (
        "DEEP_INSPECTION_DAILY_SSM_INVENTORY_LIMIT_EXCEEDED",
        "an EC2 instance has used up its inventory quota in Systems Manager for the day",
        NOT_OF_IMAGES,
    ),
    (
        "DEEP_INSPECTION_NO_INVENTORY",
        "Inspector has no list of the packages of an EC2 instance yet",
        NOT_OF_IMAGES,
    ),
    (
        "DEEP_INSPECTION_PACKAGE_COLLECTION_LIMIT_EXCEEDED",
        "an EC2 instance has more packages than Inspector reads",
        NOT_OF_IMAGES,
    ),
    ("EC2_INSTANCE_STOPPED", "an EC2 instance is stopped", NOT_OF_IMAGES),
    (
        "EXCLUDED_BY_TAG",
        "a tag of the resource excludes it from scanning",
        "remove that tag if nobody wants it there",
    ),
    (
        "EXTRACTION_COLLECTION_TIME_LIMIT_EXCEEDED",
        "unpacking the image took longer than Inspector allows",
        "make the image smaller: fewer files, and no archives within archives",
    ),
    (
        "IMAGE_ARCHIVED",
        "the image is in the archive, where Inspector does not scan",
        "restore it if it is still needed; Inspector scans it then",
    ),
    ("IMAGE_SIZE_EXCEEDED", "the image is larger than Inspector scans", "make the image smaller"),
    ("INTEGRATION_CONNECTION_LOST", "Inspector cannot reach a source code platform", NOT_OF_IMAGES),
    (
        "INTERNAL_ERROR",
        "Inspector has an internal error with the image",
        "nothing: AWS says that Inspector goes on automatically; if it lasts more than a day, ask AWS Support",
    ),
    (
        "INVALID_ARTIFACT",
        "the image is malformed and cannot be unpacked safely",
        "build the image again and push it",
    ),
    ("NO_INVENTORY", "Inspector has no list of the packages of an EC2 instance", NOT_OF_IMAGES),
    (
        "NO_RESOURCES_FOUND",
        "Inspector found nothing in the image that it can scan",
        "check that the image has packages of an operating system or a language that Inspector supports",
    ),
    ("NO_SCAN_CONFIGURATION_ASSOCIATED", "no scan configuration applies to a code repository", NOT_OF_IMAGES),
    (
        "PENDING_DISABLE",
        "Inspector's scanning is being switched off",
        "switch scanning on again, if nobody meant to switch it off",
    ),
    ("PENDING_INITIAL_SCAN", "the first scan of the image is waiting for its turn", NOTHING),
    (
        "PENDING_REVIVAL_SCAN",
        "scanning of the image was resumed, and the next scan is waiting for its turn",
        NOTHING,
    ),
    ("RESOURCE_STOPPED", "the resource is stopped", NOT_OF_IMAGES),
    ("RESOURCE_TERMINATED", "the image was deleted", "nothing"),
    ("RESOURCE_UNMANAGED", "the resource is not managed by Systems Manager", NOT_OF_IMAGES),
    (
        "SCAN_ELIGIBILITY_EXPIRED",
        "the image is older than the time for which Inspector scans an image again",
        "push it again if it is still in use, and have Inspector scan for longer in its ECR settings; a longer time does not bring back images that have expired",
    ),
    (
        "SCAN_FREQUENCY_MANUAL",
        "the registry is set up not to scan this repository",
        "add the repository to the filters of enhanced scanning in the registry settings",
    ),
    (
        "SCAN_FREQUENCY_SCAN_ON_PUSH",
        "the repository is scanned on push only, and new vulnerabilities are not found",
        "set continuous scanning for the repository in the registry settings",
    ),
    ("SCAN_IN_PROGRESS", "a scan is running", NOTHING),
    ("STALE_INVENTORY", "the list of the packages of an EC2 instance is more than 7 days old", NOT_OF_IMAGES),
    (
        "STORAGE_LIMIT_EXCEEDED",
        "the image, unpacked, is larger than Inspector scans",
        "make the image smaller",
    ),
    ("SUCCESSFUL", "the last scan was successful", "nothing"),
    ("UNMANAGED_EC2_INSTANCE", "an EC2 instance is not managed by Systems Manager", NOT_OF_IMAGES),
    (
        "UNSUPPORTED_CODE_ARTIFACTS",
        "the code of a Lambda function is of a kind that Inspector does not scan",
        NOT_OF_IMAGES,
    ),
    (
        "UNSUPPORTED_CONFIG_FILE",
        "a configuration file is of a kind that Inspector does not scan",
        NOT_OF_IMAGES,
    ),
    (
        "UNSUPPORTED_LANGUAGE",
        "a code repository is in a language that Inspector does not scan",
        NOT_OF_IMAGES,
    ),
    (
        "UNSUPPORTED_MEDIA_TYPE",
        "Inspector does not scan images of this media type",
        "push it as an OCI or Docker image; if it is no image but an artifact, keep it in a repository of its own that no rule asks about",
    ),
    (
        "UNSUPPORTED_OS",
        "Inspector does not support its operating system, architecture or manifest type",
        "build it on a base image that Inspector supports, and replace a release that has reached its end of life",
    ),
    (
        "UNSUPPORTED_RUNTIME",
        "the runtime of a Lambda function is one that Inspector does not scan",
        NOT_OF_IMAGES,
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_told_in_words_with_what_helps() {
        let reason = ScanReason::read("IMAGE_ARCHIVED");
        assert_eq!(reason.words, "the image is in the archive, where Inspector does not scan");
        assert!(reason.to_do.contains("restore it") && reason.is_known);
        assert!(ScanReason::read(&super::super::CoverageAnswer::not_listed().reason).is_known);
    }

    #[test]
    fn code_that_is_not_known_is_told_by_its_name_and_made_safe() {
        let reason = ScanReason::read("MOON_PHASE\u{202e}\n_WRONG");
        assert_eq!(reason.words, "Inspector's reason is \"moon phase wrong\"");
        assert_eq!((reason.to_do, reason.is_known), ("see the Inspector documentation", false));
        assert_eq!(reason.code, "MOON_PHASE_WRONG");
    }

    #[test]
    fn words_are_clauses_that_can_stand_in_a_sentence() {
        for (code, words, to_do) in REASONS {
            for clause in [words, to_do] {
                let first = clause.chars().next();
                assert!(
                    clause.starts_with("Inspector") || first.is_some_and(char::is_lowercase),
                    "{code}: {clause}"
                );
                assert!(!clause.ends_with('.') && !clause.contains(['\n', '|']), "{code}: {clause}");
            }
        }
    }

    /// The table in the documentation has each reason as it is told.
    #[test]
    fn documentation_lists_every_reason_as_it_is_told() {
        let documented = include_str!("../../../../../docs/unscanned.md");
        for (code, words, to_do) in REASONS {
            let row = format!("| `{code}` | {words} | {to_do} |");
            assert!(documented.lines().any(|line| line == row), "docs/unscanned.md lacks\n{row}");
        }
        let rows = documented.lines().filter(|line| line.starts_with("| `")).count();
        assert_eq!(rows, REASONS.len(), "docs/unscanned.md has a reason that is not told");
    }
}
