//! What a `PutMetricData` request holds, within its limits: `CloudWatch` API reference, `MetricDatum`.

use std::collections::BTreeMap;

use ciborium::Value as Cbor;

use crate::wire::error::ApiError;

const DATA_PER_REQUEST: usize = 1000;
const VALUES_PER_DATUM: usize = 150;
const DIMENSIONS: usize = 30;
const NAME_CHARACTERS: usize = 255;
const DIMENSION_VALUE_CHARACTERS: usize = 1024;
const TWO_WEEKS: i64 = 14 * 24 * 60 * 60 * 1000;
const TWO_HOURS: i64 = 2 * 60 * 60 * 1000;

#[derive(Debug, Clone, PartialEq)]
pub struct MetricDatum {
    pub namespace: String,
    pub name: String,
    /// Such as `Count`.
    pub unit: Option<String>,
    pub dimensions: BTreeMap<String, String>,
    /// Each value, and how often it was observed.
    pub values: Vec<(f64, f64)>,
    /// Milliseconds since 1970. `CloudWatch` uses the time of arrival if there is none.
    pub timestamp_ms: Option<i64>,
}

pub(super) fn read_request(request: &Cbor, now: i64) -> Result<Vec<MetricDatum>, ApiError> {
    if member(request, "EntityMetricData").is_some() {
        return Err(invalid("EntityMetricData is not implemented by the simulated AWS"));
    }
    let namespace = text(request, "Namespace").ok_or_else(|| missing("Namespace"))?;
    let allowed = |character: char| character.is_ascii_alphanumeric() || "._-/#: ".contains(character);
    if namespace.trim().is_empty()
        || namespace.len() > NAME_CHARACTERS
        || namespace.starts_with(':')
        || !namespace.chars().all(allowed)
    {
        return Err(invalid("The parameter Namespace must have 1 to 255 of the allowed characters"));
    }
    if namespace.starts_with("AWS/") {
        return Err(invalid("The value AWS/ for parameter Namespace is invalid"));
    }
    let data = list(request, "MetricData").ok_or_else(|| missing("MetricData"))?;
    if data.is_empty() || data.len() > DATA_PER_REQUEST {
        return Err(invalid(&format!("The collection MetricData must have 1 to {DATA_PER_REQUEST} members")));
    }
    data.iter().map(|datum| read_datum(namespace, datum, now)).collect()
}

fn read_datum(namespace: &str, datum: &Cbor, now: i64) -> Result<MetricDatum, ApiError> {
    let name = text(datum, "MetricName").ok_or_else(|| missing("MetricName"))?;
    check_text("MetricName", name, NAME_CHARACTERS)?;
    let timestamp_ms = member(datum, "Timestamp").map(milliseconds).transpose()?;
    if timestamp_ms.is_some_and(|time| time < now - TWO_WEEKS || time > now + TWO_HOURS) {
        return Err(invalid(
            "The parameter Timestamp must be within the last two weeks and the next two hours",
        ));
    }
    Ok(MetricDatum {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        unit: text(datum, "Unit").map(str::to_owned),
        dimensions: read_dimensions(datum)?,
        values: read_values(datum)?,
        timestamp_ms,
    })
}

fn read_dimensions(datum: &Cbor) -> Result<BTreeMap<String, String>, ApiError> {
    let entries = list(datum, "Dimensions").unwrap_or_default();
    if entries.len() > DIMENSIONS {
        return Err(invalid(&format!("The collection Dimensions must have at most {DIMENSIONS} members")));
    }
    let mut dimensions = BTreeMap::new();
    for entry in entries {
        let name = text(entry, "Name").ok_or_else(|| missing("Dimensions.Name"))?;
        let value = text(entry, "Value").ok_or_else(|| missing("Dimensions.Value"))?;
        check_text("Dimensions.Name", name, NAME_CHARACTERS)?;
        check_text("Dimensions.Value", value, DIMENSION_VALUE_CHARACTERS)?;
        if name.starts_with(':') {
            return Err(invalid("The parameter Dimensions.Name must not start with a colon"));
        }
        if dimensions.insert(name.to_owned(), value.to_owned()).is_some() {
            return Err(invalid(&format!("The dimension {name} is given twice")));
        }
    }
    Ok(dimensions)
}

fn read_values(datum: &Cbor) -> Result<Vec<(f64, f64)>, ApiError> {
    if member(datum, "StatisticValues").is_some() {
        return Err(invalid("StatisticValues is not implemented by the simulated AWS"));
    }
    let numbers = |name| {
        list(datum, name)
            .map(|values| values.iter().map(|value| finite(name, value)).collect::<Result<Vec<_>, _>>())
    };
    let single = member(datum, "Value").map(|value| finite("Value", value)).transpose()?;
    let values = numbers("Values").transpose()?;
    let counts = numbers("Counts").transpose()?;
    match (single, values, counts) {
        (Some(value), None, None) => Ok(vec![(value, 1.0)]),
        (None, Some(values), counts) => {
            if values.is_empty() || values.len() > VALUES_PER_DATUM {
                return Err(invalid(&format!(
                    "The collection Values must have 1 to {VALUES_PER_DATUM} members"
                )));
            }
            let counts = counts.unwrap_or_else(|| vec![1.0; values.len()]);
            if counts.len() != values.len() {
                return Err(invalid("The collections Values and Counts must have equally many members"));
            }
            if counts.iter().any(|count| *count < 0.0) {
                return Err(invalid("The collection Counts must not have negative members"));
            }
            Ok(values.into_iter().zip(counts).collect())
        }
        (None, None, None) => Err(missing("Value")),
        _ => Err(ApiError {
            shape: "InvalidParameterCombinationException",
            ..ApiError::refused(
                "InvalidParameterCombination",
                "The parameters Value and Values are mutually exclusive, and Counts requires Values",
            )
        }),
    }
}

fn check_text(parameter: &str, value: &str, longest: usize) -> Result<(), ApiError> {
    let printable = value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    if printable && !value.trim().is_empty() && value.len() <= longest {
        return Ok(());
    }
    Err(invalid(&format!(
        "The parameter {parameter} must have 1 to {longest} ASCII characters, not all blank"
    )))
}

/// The model allows from -2^360 to 2^360, and neither NaN nor an infinity.
fn finite(parameter: &str, value: &Cbor) -> Result<f64, ApiError> {
    number(value)
        .filter(|value| value.is_finite() && value.abs() <= 2_f64.powi(360))
        .ok_or_else(|| invalid(&format!("The value of parameter {parameter} must be a number in range")))
}

/// A CBOR timestamp: tag 1 around seconds since 1970.
fn milliseconds(value: &Cbor) -> Result<i64, ApiError> {
    let seconds = match value {
        Cbor::Tag(1, seconds) => number(seconds),
        other => number(other),
    };
    #[allow(clippy::cast_possible_truncation)] // Out of range saturates, and is then out of the two weeks.
    seconds
        .map(|seconds| (seconds * 1000.0).round() as i64)
        .ok_or_else(|| invalid("Timestamp is not a timestamp"))
}

fn number(value: &Cbor) -> Option<f64> {
    match value {
        Cbor::Float(number) => Some(*number),
        #[allow(clippy::cast_precision_loss)] // CloudWatch's values are doubles.
        Cbor::Integer(number) => Some(i128::from(*number) as f64),
        _ => None,
    }
}

fn member<'a>(value: &'a Cbor, name: &str) -> Option<&'a Cbor> {
    value.as_map()?.iter().find(|(key, _)| key.as_text() == Some(name)).map(|(_, member)| member)
}

fn text<'a>(value: &'a Cbor, name: &str) -> Option<&'a str> {
    member(value, name)?.as_text()
}

fn list<'a>(value: &'a Cbor, name: &str) -> Option<&'a [Cbor]> {
    member(value, name)?.as_array().map(Vec::as_slice)
}

fn missing(parameter: &str) -> ApiError {
    ApiError {
        shape: "MissingRequiredParameterException",
        ..ApiError::refused("MissingParameter", format!("The parameter {parameter} is required."))
    }
}

fn invalid(message: &str) -> ApiError {
    ApiError {
        shape: "InvalidParameterValueException",
        ..ApiError::refused("InvalidParameterValue", message)
    }
}
