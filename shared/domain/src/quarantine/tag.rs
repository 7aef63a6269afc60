//! The tags that quarantine puts on an image.

use crate::image::ImageId;

/// What the tags of the quarantine begin with; the event rules in template.yaml filter on both.
const PREFIX: &str = "quarantine-";
const RELEASED_PREFIX: &str = "released-from-quarantine-";
/// How many tags an image can have.
/// <https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html>
pub(super) const MOST_TAGS: usize = 1_000;

/// The tag that marks an image: `quarantine-` and the first twelve digits of its digest. Every image has a tag
/// of its own, so that two images in quarantine never compete for one.
pub fn tag(image: &ImageId) -> String {
    format!("{PREFIX}{}", image.digest.short())
}

/// The tag that an image gets before its quarantine tag goes, so that the quarantine tag is never its last one: ECR
/// deletes an image with its last tag. See docs/adr/0015.
pub fn released_tag(image: &ImageId) -> String {
    format!("{RELEASED_PREFIX}{}", image.digest.short())
}

/// The image that a quarantine tag marks, in a repository, if that is another one than this: its digest has the first
/// twelve digits alone.
pub fn marked_by(tag: &str, image: &ImageId) -> Option<ImageId> {
    let short = tag.strip_prefix(PREFIX)?;
    let is_ours = short.len() == 12 && short.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    if !is_ours || short == image.digest.short() {
        return None;
    }
    let digest = format!("sha256:{short}").try_into().ok()?;
    Some(ImageId { digest, ..image.clone() })
}

/// Whether a tag is one of ours, on whichever image: the quarantine put it there, and it is no fact about the image.
pub fn is_quarantine_tag(tag: &str) -> bool {
    tag.starts_with(PREFIX) || tag.starts_with(RELEASED_PREFIX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::image;

    #[test]
    fn tag_of_another_image_names_it_and_nothing_else_does() {
        let other = marked_by("quarantine-0123456789ab", &image()).unwrap();
        assert_eq!((other.digest.as_str(), other.digest.is_whole()), ("sha256:0123456789ab", false));
        assert!(image().digest.is_whole());
        for tag in
            [tag(&image()).as_str(), "quarantine-", "quarantine-latest", "quarantine-0123456789AB", "1.0"]
        {
            assert_eq!(marked_by(tag, &image()), None, "{tag}");
        }
    }

    #[test]
    fn quarantine_tag_is_the_first_twelve_digits() {
        assert_eq!(tag(&image()), "quarantine-ab12ab12ab12");
        assert!(is_quarantine_tag(&tag(&image())) && !is_quarantine_tag("1.0-quarantine-"));
        assert!(is_quarantine_tag(&released_tag(&image())), "what we put there is no fact about the image");
        assert!(!is_quarantine_tag("released-1.4.0") && !is_quarantine_tag("released-202611251200"));
    }
}
