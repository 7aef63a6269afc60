//! Pages, for a caller who has to pace the calls or to go on later where it stopped.

/// One page of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Why what is missing from the items could not be read. Such an entry stops no listing, and the caller must not take
    /// the page for whole.
    pub unreadable: Vec<String>,
    /// Asks for the next page; `None` on the last one. AWS does not say how long it can be used.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// Takes in another page; which one is next stays as it is.
    pub(crate) fn extend(&mut self, other: Self) {
        self.items.extend(other.items);
        self.unreadable.extend(other.unreadable);
    }

    pub(crate) fn new(read: impl IntoIterator<Item = Result<T, String>>, next: Option<String>) -> Self {
        let mut page =
            Self { items: Vec::new(), unreadable: Vec::new(), next: next.filter(|token| !token.is_empty()) };
        for entry in read {
            match entry {
                Ok(item) => page.items.push(item),
                Err(reason) => page.unreadable.push(reason),
            }
        }
        page
    }
}
