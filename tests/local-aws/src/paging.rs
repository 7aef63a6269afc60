//! Pages of a sorted listing.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

const PREFIX: &str = "after:";

/// A part of a listing.
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    /// What to send as `nextToken` to get the rest; none on the last page.
    pub(crate) next_token: Option<String>,
}

/// Cuts a page out of a listing whose keys ascend.
///
/// The token names the last key that was given out and not a position, so that what is added or
/// removed between two calls neither repeats nor hides any of the rest. None for a token that
/// this function did not make.
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

/// Writes a page as the APIs do: the items under a name of their own, and `nextToken` if there are more.
pub(crate) fn write_page(
    name: &str,
    items: impl IntoIterator<Item = Value>,
    next_token: Option<String>,
) -> Value {
    let mut answer = json!({ name: items.into_iter().collect::<Vec<_>>() });
    if let Some(token) = next_token {
        answer["nextToken"] = json!(token);
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::page;

    #[test]
    fn pages_cover_the_listing_once_even_when_it_changes_in_between() {
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
