//! The tags that quarantine puts on an image.

use crate::image::ImageId;

/// What the tags of the quarantine begin with; the event rules in template.yaml filter on both.
const PREFIX: &str = "quarantine-";
const RELEASED_PREFIX: &str = "released-from-quarantine-";

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

/// Whether a tag is one of ours, on whichever image: the quarantine put it there, and it is no fact about the image.
pub fn is_quarantine_tag(tag: &str) -> bool {
    tag.starts_with(PREFIX) || tag.starts_with(RELEASED_PREFIX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::image;

    #[test]
    fn quarantine_tag_is_the_first_twelve_digits() {
        assert_eq!(tag(&image()), "quarantine-ab12ab12ab12");
        assert!(is_quarantine_tag(&tag(&image())) && !is_quarantine_tag("1.0-quarantine-"));
        assert!(is_quarantine_tag(&released_tag(&image())), "what we put there is no fact about the image");
        assert!(!is_quarantine_tag("released-1.4.0") && !is_quarantine_tag("released-202611251200"));
    }
}
