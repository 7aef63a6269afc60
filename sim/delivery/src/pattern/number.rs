//! Numbers in patterns and events.

use std::cmp::Ordering;
use std::ops::{Bound, RangeBounds as _};

use serde_json::{Number, Value};

/// The largest absolute value that the user guide allows in `numeric`.
const LARGEST: f64 = 5.0e9;

/// The number as event-ruler compares it: a double. `None` if the double is not the number that was
/// written, as for integers of many digits. Source: `ComparableNumber.java` in
/// <https://github.com/aws/event-ruler>.
pub(super) fn comparable(number: &Number) -> Option<f64> {
    let double = number.as_f64()?;
    (number.is_f64() || double.to_string() == number.to_string()).then_some(double)
}

/// Numbers are equal by value, so 300 is 3.0e2. The user guide says that they are compared as text, but
/// the service does not; only numbers that no double can hold are.
pub(super) fn are_equal(left: &Number, right: &Number) -> bool {
    match (comparable(left), comparable(right)) {
        (Some(left), Some(right)) => left.partial_cmp(&right) == Some(Ordering::Equal),
        _ => left == right,
    }
}

/// The argument of `numeric`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct NumericRange {
    lower: Bound<f64>,
    upper: Bound<f64>,
}

impl NumericRange {
    pub(super) fn compile(argument: &Value) -> Result<Self, String> {
        let refused = || {
            format!(
                "`numeric` takes `=` and a number, or a lower bound (`>`, `>=`), an upper bound (`<`, `<=`) \
                 or both in this order, not `{argument}`"
            )
        };
        let parts = argument.as_array().ok_or_else(refused)?;
        let (lower, upper) = match parts.as_slice() {
            [sign, number] => {
                let number = bound(number)?;
                match sign.as_str().ok_or_else(refused)? {
                    "=" => (Bound::Included(number), Bound::Included(number)),
                    ">" => (Bound::Excluded(number), Bound::Unbounded),
                    ">=" => (Bound::Included(number), Bound::Unbounded),
                    "<" => (Bound::Unbounded, Bound::Excluded(number)),
                    "<=" => (Bound::Unbounded, Bound::Included(number)),
                    _ => return Err(refused()),
                }
            }
            [above, lowest, below, highest] => {
                let (lowest, highest) = (bound(lowest)?, bound(highest)?);
                let lower = match above.as_str() {
                    Some(">") => Bound::Excluded(lowest),
                    Some(">=") => Bound::Included(lowest),
                    _ => return Err(refused()),
                };
                let upper = match below.as_str() {
                    Some("<") => Bound::Excluded(highest),
                    Some("<=") => Bound::Included(highest),
                    _ => return Err(refused()),
                };
                if lowest >= highest {
                    return Err(format!("`numeric` needs a lower bound below the upper, not `{argument}`"));
                }
                (lower, upper)
            }
            _ => return Err(refused()),
        };
        Ok(Self { lower, upper })
    }

    pub(super) fn contains(&self, value: &Value) -> bool {
        let number = value.as_number().and_then(comparable);
        number.is_some_and(|number| (self.lower, self.upper).contains(&number))
    }
}

fn bound(value: &Value) -> Result<f64, String> {
    value
        .as_number()
        .and_then(comparable)
        .filter(|number| number.abs() <= LARGEST)
        .ok_or_else(|| format!("`numeric` takes numbers from -5.0e9 to 5.0e9, not `{value}`"))
}
