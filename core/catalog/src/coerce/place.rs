//! Points on the earth.

use rust_decimal::Decimal;
use serde_json::{Value as Json, json};

use super::number;
use crate::geo::{DEGREE_SCALE, GeoPoint, KILOMETERS_MAX, Near};
use crate::reading::MapReader;
use crate::{Issue, Issues};

/// A point as clients send it.
///
/// # Errors
/// All that is wrong with it.
pub fn coerce_geo_point(input: &Json) -> Result<GeoPoint, Issues> {
    let mut reader = MapReader::new(
        input,
        "a point such as {\"latitude\": 52.52, \"longitude\": 13.405}",
    )?;
    let point = read_point(&mut reader);
    reader.finish().into_result(point)
}

/// Everything within a distance of a point, as clients ask for it.
///
/// # Errors
/// All that is wrong with it.
pub fn coerce_near(input: &Json) -> Result<Near, Issues> {
    let mut reader = MapReader::new(
        input,
        "a point and a distance, such as {\"latitude\": 52.52, \"longitude\": 13.405, \"kilometers\": 10}",
    )?;
    let point = read_point(&mut reader);
    let kilometers = read_number(&mut reader, "kilometers", |number| {
        if number > Decimal::ZERO && number <= KILOMETERS_MAX.into() {
            return Ok(number);
        }
        let issue = Issue::new(
            "OUT_OF_RANGE",
            format!(
                "expected more than 0 and at most {KILOMETERS_MAX}: half the way around the earth"
            ),
        );
        Err(issue.with("max", KILOMETERS_MAX).into())
    });
    reader.finish().into_result(Near { point, kilometers })
}

fn read_point(reader: &mut MapReader<'_>) -> GeoPoint {
    GeoPoint {
        latitude: read_number(reader, "latitude", |number| degrees(number, 90)),
        longitude: read_number(reader, "longitude", |number| degrees(number, 180)),
    }
}

fn read_number(
    reader: &mut MapReader<'_>,
    name: &'static str,
    check: impl Fn(Decimal) -> Result<Decimal, Issues>,
) -> Decimal {
    let Some(input) = reader.take(name).filter(|input| !super::is_blank(input)) else {
        reader.missing(name);
        return Decimal::ZERO;
    };
    number::rounded(input)
        .and_then(check)
        .unwrap_or_else(|part| {
            reader.issues.extend_at(name, part);
            Decimal::ZERO
        })
}

/// To [`DEGREE_SCALE`] digits: whoever measures, or has a float, sends more of them than mean
/// anything.
fn degrees(number: Decimal, max: i64) -> Result<Decimal, Issues> {
    if number.abs() > max.into() {
        let issue = Issue::new(
            "OUT_OF_RANGE",
            format!("expected a number of degrees between -{max} and {max}"),
        );
        return Err(issue.with("min", -max).with("max", max).into());
    }
    let mut rounded = number.round_dp(DEGREE_SCALE);
    rounded.rescale(DEGREE_SCALE);
    // There is one zero.
    rounded.set_sign_positive(rounded.is_zero() || rounded.is_sign_positive());
    Ok(rounded)
}

/// What `52.52, 13.405` stands for: first the latitude, as on maps.
pub(super) fn of_text(text: &str) -> Json {
    let parts: Vec<&str> = text
        .split([',', ';', ' '])
        .filter(|part| !part.is_empty())
        .collect();
    match parts.as_slice() {
        [latitude, longitude] => json!({ "latitude": latitude, "longitude": longitude }),
        _ => Json::from(text),
    }
}

pub(super) fn json_of(point: &GeoPoint) -> Json {
    json!({
        "latitude": point.latitude.to_string(),
        "longitude": point.longitude.to_string(),
    })
}
