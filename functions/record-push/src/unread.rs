//! What to make of an index that cannot be read. Its push is stored whatever the reason is, and its verdict is pending.
//! Pure.
//!
//! `BatchGetImage` answers with a failure code:
//! <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ImageFailure.html>.
//!
//! | code | what is done |
//! |---|---|
//! | `ImageNotFound` | nothing: it was deleted, and the event of that comes or came |
//! | `ImageInaccessible` | noted: it is archived, and is read when it is restored or pushed again. Where it has just been restored, tried again for a day, for AWS does not say whether the event comes before the end of that |
//! | `KmsError`, `Upstream…` | noted, and tried again for a day: somebody has to give back the key or the credentials |
//! | the others | noted, and tried again: a request by digest should not cause them |

use aws::AwsError;
use domain::ledger::Evidence;
use domain::text::with_causes;

use crate::PushError;

const ARCHIVED: &str = "ImageInaccessible";

/// Why it is not known what the index contains, in words for people; `None` where the call itself failed, which will pass.
pub(crate) fn reason(error: &PushError) -> Option<String> {
    match error {
        PushError::Aws(error) if error.is(ARCHIVED) => Some(
            "what the index contains is not known: it is archived, and will be read when it is restored"
                .to_owned(),
        ),
        PushError::Aws(error) if is_a_failure(error) => {
            Some(format!("what the index contains is not known: {}", with_causes(error)))
        }
        PushError::Manifest { source, .. } => {
            Some(format!("what the index contains is not known: {}", with_causes(source)))
        }
        PushError::Aws(_) | PushError::Ledger(_) | PushError::Notes(_) => None,
    }
}

/// Whether the messages have to come again that say this of an index. One in the archive is read when the event of its
/// restore comes.
pub(crate) fn is_to_be_tried_again(error: &PushError, said: &[Evidence]) -> bool {
    let is_restored = said.iter().any(|piece| matches!(piece, Evidence::Restored { .. }));
    is_restored || !matches!(error, PushError::Aws(error) if error.is(ARCHIVED))
}

/// Whether a failure lasts longer than a few receives of a message.
pub(crate) fn lasts(error: &AwsError) -> bool {
    error.is(ARCHIVED)
        || error.is("KmsError")
        || error.code.as_deref().is_some_and(|code| code.starts_with("Upstream"))
}

/// Whether the call was answered, with a failure of this image.
fn is_a_failure(error: &AwsError) -> bool {
    error.code.as_deref().is_some_and(|code| code.starts_with("Image")) || lasts(error)
}

#[cfg(test)]
mod tests {
    use domain::manifest::Contents;
    use domain::samples::{image, second};

    use super::*;

    fn failure(code: Option<&str>) -> PushError {
        PushError::Aws(AwsError {
            action: "ecr:BatchGetImage",
            code: code.map(str::to_owned),
            retryable: true,
            source: "the reason".into(),
        })
    }

    #[test]
    fn archived_index_is_noted_and_not_tried_again() {
        let archived = failure(Some("ImageInaccessible"));
        assert!(reason(&archived).unwrap().contains("it is archived"));
        assert!(!is_to_be_tried_again(&archived, &[Evidence::Gone { at: second(1) }]));
        // A restore takes up to twenty minutes.
        assert!(is_to_be_tried_again(&archived, &[Evidence::Restored { at: second(1) }]));
        let PushError::Aws(error) = archived else { panic!() };
        assert!(lasts(&error));
    }

    #[test]
    fn failure_that_a_person_must_end_is_noted_and_tried_again_for_longer() {
        for code in ["KmsError", "UpstreamAccessDenied", "UpstreamUnavailable", "UpstreamTooManyRequests"] {
            let error = failure(Some(code));
            let reason = reason(&error).unwrap();
            assert!(reason.contains(code) && reason.contains("the reason"), "{reason}");
            assert!(is_to_be_tried_again(&error, &[]), "{code}");
            let PushError::Aws(error) = error else { panic!("{code}") };
            assert!(lasts(&error), "{code}");
        }
    }

    #[test]
    fn call_that_failed_is_tried_again_and_leaves_no_note() {
        for code in [None, Some("ThrottlingException"), Some("ServerException")] {
            let error = failure(code);
            assert_eq!(reason(&error), None, "{code:?}");
            assert!(is_to_be_tried_again(&error, &[]), "{code:?}");
            let PushError::Aws(error) = error else { panic!("{code:?}") };
            assert!(!lasts(&error), "{code:?}");
        }
    }

    #[test]
    fn index_that_is_none_is_noted_with_what_is_wrong_about_it() {
        let source = Contents::read("[]").unwrap_err();
        let error = PushError::Manifest { image: Box::new(image()), source };
        assert!(reason(&error).unwrap().contains("cannot be read as an index"));
    }
}
