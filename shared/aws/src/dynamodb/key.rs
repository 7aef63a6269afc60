//! What an item is, and the keys of ledgers.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::image::ImageId;

pub(super) type Item = HashMap<String, AttributeValue>;

/// What the hash keys of ledgers begin with.
pub(super) const IMAGE: &str = "image#";

/// The hash key, `image#<account>/<region>/<repository>@<digest>`.
pub(super) fn key(image: &ImageId) -> String {
    format!("{IMAGE}{image}")
}
