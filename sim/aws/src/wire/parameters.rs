//! The members of a JSON request.

use serde_json::Value;

/// A request body. A member of the wrong type counts as absent; the services refuse it as missing
/// where they require it.
#[derive(Clone, Copy)]
pub(crate) struct Parameters<'a>(pub(crate) &'a Value);

impl<'a> Parameters<'a> {
    pub(crate) fn text(self, name: &str) -> Option<&'a str> {
        self.0.get(name).and_then(Value::as_str)
    }

    pub(crate) fn integer(self, name: &str) -> Option<i64> {
        self.0.get(name).and_then(Value::as_i64)
    }

    pub(crate) fn list(self, name: &str) -> &'a [Value] {
        self.0.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn texts(self, name: &str) -> Vec<&'a str> {
        self.list(name).iter().filter_map(Value::as_str).collect()
    }

    pub(crate) fn member(self, name: &str) -> Option<Parameters<'a>> {
        self.0.get(name).filter(|value| value.is_object()).map(Parameters)
    }
}
