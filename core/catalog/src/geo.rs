//! Points on the earth, and what lies around one.
//!
//! A point is also kept as a position on a sphere, in whole numbers: then "within 10 km" is a sum
//! of three squares, which both databases and the memory work out alike. A float's last digit, or
//! whose cosine it was, decides nothing.

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;
use serde::{Deserialize, Serialize};

/// Digits behind the point of a degree: 11 cm.
pub const DEGREE_SCALE: u32 = 6;

/// Mean radius of the earth in kilometers (R₁ of the IUGG). A distance on this sphere is within
/// 0.5 % of the one on the ellipsoid.
pub const EARTH_RADIUS_KM: f64 = 6_371.008_8;

/// Half the way around the earth in kilometers, rounded up: there is nothing farther.
pub const KILOMETERS_MAX: u32 = 20_016;

/// The radius of the sphere in whole numbers, 1.3 cm each. The squares of three differences, each
/// at most twice as large, stay within 64 bits.
const RADIUS: f64 = 500_000_000.0;

/// By how much the straight line between two rounded positions may be too long: 2.6 cm.
const ROUNDED: f64 = 2.0;

/// A point on the earth (WGS 84).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GeoPoint {
    /// Degrees to the north, −90 to 90, [`DEGREE_SCALE`] digits behind the point.
    pub latitude: Decimal,
    /// Degrees to the east, −180 to 180, [`DEGREE_SCALE`] digits behind the point.
    pub longitude: Decimal,
}

impl GeoPoint {
    /// Its position on the sphere: towards 0° 0°, towards 0° 90° east, and towards the north pole.
    #[must_use]
    pub fn position(&self) -> [i64; 3] {
        let radians = |degrees: Decimal| degrees.to_f64().unwrap_or_default().to_radians();
        let (latitude, longitude) = (radians(self.latitude), radians(self.longitude));
        [
            latitude.cos() * longitude.cos(),
            latitude.cos() * longitude.sin(),
            latitude.sin(),
        ]
        .map(|axis| (axis * RADIUS).round() as i64)
    }

    /// As people write it: `52.52, 13.405`.
    #[must_use]
    pub fn text(&self) -> String {
        format!(
            "{}, {}",
            self.latitude.normalize(),
            self.longitude.normalize()
        )
    }
}

/// Everything within a distance of a point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Near {
    /// The middle.
    pub point: GeoPoint,
    /// On the sphere; above 0, at most [`KILOMETERS_MAX`].
    pub kilometers: Decimal,
}

impl Near {
    /// The greatest square of the straight line from the middle, as positions count. It leaves
    /// nothing out, and takes in what is a few centimeters farther; near the opposite side of the
    /// earth, where the line hardly grows any more, up to a kilometer.
    #[must_use]
    pub fn reach(&self) -> i64 {
        let half = (self.radians() / 2.0).min(std::f64::consts::FRAC_PI_2);
        (2.0 * RADIUS * half.sin() + ROUNDED).powi(2).ceil() as i64
    }

    /// The latitudes between which all of it lies.
    #[must_use]
    pub fn latitudes(&self) -> (Decimal, Decimal) {
        let degrees = Decimal::from_f64_retain(self.radians().to_degrees()).unwrap_or_default();
        // What is rounded must not leave anything out.
        let band = degrees.round_dp(DEGREE_SCALE) + Decimal::new(2, DEGREE_SCALE);
        let pole = Decimal::from(90);
        (
            (self.point.latitude - band).max(-pole),
            (self.point.latitude + band).min(pole),
        )
    }

    fn radians(&self) -> f64 {
        self.kilometers.to_f64().unwrap_or_default() / EARTH_RADIUS_KM
    }

    /// Whether a point lies in it.
    #[must_use]
    pub fn has(&self, point: &GeoPoint) -> bool {
        let (south, north) = self.latitudes();
        let distance: i64 = self
            .point
            .position()
            .iter()
            .zip(point.position())
            .map(|(mine, theirs)| (mine - theirs).pow(2))
            .sum();
        (south..=north).contains(&point.latitude) && distance <= self.reach()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn point(latitude: &str, longitude: &str) -> GeoPoint {
        GeoPoint {
            latitude: latitude.parse().unwrap(),
            longitude: longitude.parse().unwrap(),
        }
    }

    #[test]
    fn distances_are_those_of_the_sphere() {
        // By the haversine formula with this radius.
        for (from, to, kilometers) in [
            (point("52.52", "13.405"), point("48.137", "11.575"), 504.339),
            (
                point("31.2304", "121.4737"),
                point("39.9042", "116.4074"),
                1_067.312,
            ),
            (
                point("-33.8688", "151.2093"),
                point("-36.8485", "174.7633"),
                2_155.901,
            ),
            // Over the line where days begin, and over a pole.
            (point("0", "179.9"), point("0", "-179.9"), 22.239),
            (point("89.9", "0"), point("89.9", "180"), 22.239),
        ] {
            let within = |kilometers: f64| {
                Near {
                    point: from,
                    kilometers: Decimal::from_f64_retain(kilometers).unwrap(),
                }
                .has(&to)
            };
            assert!(within(kilometers + 0.01), "{from:?} {to:?}");
            assert!(!within(kilometers - 0.01), "{from:?} {to:?}");
        }
    }

    #[test]
    fn nothing_is_farther_than_half_the_way_around() {
        let everywhere = Near {
            point: point("12.5", "-70"),
            kilometers: KILOMETERS_MAX.into(),
        };
        for far in [point("-12.5", "110"), point("90", "0"), point("-90", "0")] {
            assert!(everywhere.has(&far));
        }
    }
}
