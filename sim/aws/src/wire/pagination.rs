//! Pages of a sorted listing, and their tokens.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

const PREFIX: &str = "after:";

pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    pub(crate) next_token: Option<String>,
}

/// Cuts a page out of a listing whose keys ascend.
///
/// The token holds the last key of the page instead of a position, so that items added or removed between
/// two calls neither repeat nor hide any others. Returns `None` for a token that this function did not make.
pub(crate) fn page<T>(
    listing: impl IntoIterator<Item = (String, T)>,
    next_token: Option<&str>,
    size: usize,
) -> Option<Page<T>> {
    let after = match next_token {
        None => None,
        Some(token) => {
            let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
            Some(String::from_utf8(bytes).ok()?.strip_prefix(PREFIX)?.to_owned())
        }
    };
    let mut rest = listing.into_iter().filter(|(key, _)| after.as_ref().is_none_or(|after| key > after));
    let mut items = Vec::new();
    let mut last = None;
    for (key, item) in rest.by_ref().take(size) {
        items.push(item);
        last = Some(key);
    }
    let more = rest.next().is_some();
    let next_token = last.filter(|_| more).map(|key| URL_SAFE_NO_PAD.encode(format!("{PREFIX}{key}")));
    Some(Page { items, next_token })
}

/// The items under their member name, and `nextToken` if there are more.
pub(crate) fn write_page(
    name: &str,
    items: impl IntoIterator<Item = Value>,
    next_token: Option<String>,
) -> Value {
    let mut response = json!({ name: items.into_iter().collect::<Vec<_>>() });
    if let Some(token) = next_token {
        response["nextToken"] = json!(token);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::page;

    #[test]
    fn listing_that_changes_between_pages_is_still_covered_once() {
        let listing =
            |keys: &[&str]| keys.iter().map(|key| ((*key).to_owned(), *key == "x")).collect::<Vec<_>>();
        let first = page(listing(&["a", "b", "c"]), None, 2).unwrap();
        assert_eq!(first.items.len(), 2);
        let second = page(listing(&["b", "c", "d"]), first.next_token.as_deref(), 2).unwrap();
        assert_eq!(second.items.len(), 2);
        assert!(second.next_token.is_none());
        assert!(page(listing(&["a"]), Some("nonsense"), 2).is_none());
    }
}
