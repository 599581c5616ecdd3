//! Distances on the Earth.

use arrow::array::ArrayRef;
use arrow::datatypes::Float64Type;

use super::define::{DOUBLE, STRING};
use super::{Function, ScalarCall};

/// The Earth's mean radius.
const RADIUS_KM: f64 = 6371.0;
const RADIUS_MILES: f64 = 3959.0;

pub(super) fn entries() -> Vec<Function> {
    let points = [
        ("lat1", &DOUBLE, "the first point's latitude in degrees"),
        ("lon1", &DOUBLE, "its longitude in degrees"),
        ("lat2", &DOUBLE, "the second point's latitude in degrees"),
        ("lon2", &DOUBLE, "its longitude in degrees"),
    ];
    let unit = ("unit", &STRING, "KM, which holds when it is NULL or isn't given, or MI");
    let with_unit = [points[0], points[1], points[2], points[3], unit];
    vec![
        Function::scalar(
            "GEO_DISTANCE",
            "MATHEMATICAL",
            "The distance between two points on the Earth along a great circle, in kilometres or miles.",
        )
        .nulls("A NULL coordinate fails; a NULL unit is kilometres.")
        .over(&points, DOUBLE, geo_distance)
        .over(&with_unit, DOUBLE, geo_distance)
        .examples(&[("GEO_DISTANCE(10, 20, 10, 20)", "0.0"), ("ROUND(GEO_DISTANCE(0, 0, 0, 180, 'miles'))", "12438")]),
    ]
}

fn geo_distance(call: &mut ScalarCall<'_>) -> ArrayRef {
    let [lat1, lon1, lat2, lon2] = [0, 1, 2, 3].map(|arg| call.doubles(arg));
    let unit = (call.args.len() > 4).then(|| call.texts(4));
    call.collect::<Float64Type>(|row| {
        let from = Point::new(lat1.get(row), lon1.get(row))?;
        let to = Point::new(lat2.get(row), lon2.get(row))?;
        let radius = radius(unit.and_then(|unit| unit.get(row)))?;
        Ok(Some(radius * from.angle_to(to)))
    })
}

/// The Earth's radius in a unit.
fn radius(unit: Option<&str>) -> Result<f64, String> {
    let unit = unit.unwrap_or_default().trim().to_ascii_lowercase();
    match unit.as_str() {
        "" | "km" | "kilometer" | "kilometers" | "kilometre" | "kilometres" => Ok(RADIUS_KM),
        "mi" | "mile" | "miles" => Ok(RADIUS_MILES),
        _ => Err(format!("Unknown unit '{unit}' of GEO_DISTANCE: known are KM and MI")),
    }
}

/// A place, in radians.
#[derive(Debug, Clone, Copy)]
struct Point {
    lat: f64,
    lon: f64,
}

impl Point {
    /// From degrees. A place that isn't known fails the row.
    fn new(lat: Option<f64>, lon: Option<f64>) -> Result<Point, String> {
        let (Some(lat), Some(lon)) = (lat, lon) else {
            return Err("GEO_DISTANCE needs two points: a coordinate is NULL".into());
        };
        if !(-90.0..=90.0).contains(&lat) || !(-180.0..=180.0).contains(&lon) {
            return Err(format!(
                "GEO_DISTANCE: latitude {lat} and longitude {lon} are no point: they go from -90 to 90 and from -180 to 180"
            ));
        }
        Ok(Point { lat: lat.to_radians(), lon: lon.to_radians() })
    }

    /// The angle between two points as seen from the centre, by the haversine formula, which keeps its precision for
    /// near ones.
    fn angle_to(self, other: Point) -> f64 {
        let haversine = |angle: f64| (angle / 2.0).sin().powi(2);
        let chord =
            haversine(other.lat - self.lat) + haversine(other.lon - self.lon) * self.lat.cos() * other.lat.cos();
        // Rounding may carry opposite points beyond 1.
        2.0 * chord.sqrt().min(1.0).asin()
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::PI;

    use super::*;

    #[test]
    fn known_angles() {
        let table = [
            ((0.0, 0.0), (0.0, 90.0), PI / 2.0),
            ((0.0, 0.0), (0.0, 180.0), PI),
            ((90.0, 0.0), (-90.0, 77.0), PI),
            ((90.0, 13.0), (0.0, -50.0), PI / 2.0),
            ((45.0, 10.0), (44.0, 10.0), PI / 180.0),
            ((0.0, 179.5), (0.0, -179.5), PI / 180.0),
        ];
        for ((lat1, lon1), (lat2, lon2), expected) in table {
            let from = Point::new(Some(lat1), Some(lon1)).unwrap();
            let to = Point::new(Some(lat2), Some(lon2)).unwrap();
            assert!((from.angle_to(to) - expected).abs() < 1e-12, "{from:?} {to:?}");
            assert!((to.angle_to(from) - expected).abs() < 1e-12, "{from:?} {to:?}");
        }
    }

    #[test]
    fn what_is_no_point() {
        let table = [
            (Some(90.1), Some(0.0)),
            (Some(0.0), Some(-180.1)),
            (Some(f64::NAN), Some(0.0)),
            (None, Some(0.0)),
            (Some(0.0), None),
        ];
        for (lat, lon) in table {
            assert!(Point::new(lat, lon).is_err(), "{lat:?} {lon:?}");
        }
    }

    #[test]
    fn units() {
        for unit in [None, Some(""), Some("  "), Some("KM"), Some("Kilometres"), Some("kilometer")] {
            assert_eq!(radius(unit), Ok(6371.0), "{unit:?}");
        }
        for unit in ["mi", "MILES", "Mile"] {
            assert_eq!(radius(Some(unit)), Ok(3959.0), "{unit}");
        }
        assert!(radius(Some("ft")).is_err());
    }
}
