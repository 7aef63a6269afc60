//! The values of an event at a path.

use std::ptr;

use serde_json::Value;

/// A value that is neither object nor list, and the elements of lists that it lies in.
pub(super) struct Leaf<'a> {
    pub(super) value: &'a Value,
    pub(super) within: Membership<'a>,
}

/// The elements of lists around a value, the outermost first.
#[derive(Clone, Default, PartialEq)]
pub(super) struct Membership<'a>(Vec<Element<'a>>);

#[derive(Clone, Copy)]
struct Element<'a> {
    list: &'a [Value],
    position: usize,
}

impl Element<'_> {
    /// Two lists with the same content are still two lists.
    fn is_in_list_of(&self, other: &Self) -> bool {
        ptr::eq(self.list, other.list)
    }
}

impl PartialEq for Element<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.is_in_list_of(other) && self.position == other.position
    }
}

impl Membership<'_> {
    /// The elements of both; `None` if they are different elements of one list.
    pub(super) fn joined(&self, other: &Self) -> Option<Self> {
        let mut joined = self.clone();
        for element in &other.0 {
            match self.0.iter().find(|known| known.is_in_list_of(element)) {
                None => joined.0.push(*element),
                Some(known) if known == element => {}
                Some(_) => return None,
            }
        }
        Some(joined)
    }
}

/// Every value at the path. Lists do not count as steps, and their plain elements lie where the list does.
pub(super) fn leaves_at<'a>(event: &'a Value, path: &str) -> Vec<Leaf<'a>> {
    let mut leaves = Vec::new();
    collect(event, Some(path), &mut Membership::default(), &mut leaves);
    leaves
}

fn collect<'a>(
    value: &'a Value,
    path: Option<&str>,
    within: &mut Membership<'a>,
    leaves: &mut Vec<Leaf<'a>>,
) {
    match (value, path) {
        (Value::Object(object), Some(path)) => {
            for (name, rest) in first_steps(path) {
                if let Some(child) = object.get(name) {
                    collect(child, rest, within, leaves);
                }
            }
        }
        (Value::Object(_), None) => {}
        (Value::Array(list), path) => {
            for (position, element) in list.iter().enumerate() {
                // Plain elements of one list may match different fields; only objects and lists hold
                // fields that belong together.
                let holds_fields = element.is_object() || element.is_array();
                if holds_fields {
                    within.0.push(Element { list, position });
                }
                collect(element, path, within, leaves);
                if holds_fields {
                    within.0.pop();
                }
            }
        }
        (leaf, None) => leaves.push(Leaf { value: leaf, within: within.clone() }),
        (_, Some(_)) => {}
    }
}

/// Every way to take a name off the start of a path, and what is left of the path: a name may have dots.
fn first_steps(path: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    let shorter = path.match_indices('.').map(|(dot, _)| (&path[..dot], Some(&path[dot + 1..])));
    shorter.chain([(path, None)])
}
