//! Distances on the globe.

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::Float64Type;

use super::define::{DOUBLE, STRING};
use super::kernel::Get;
use super::{Function, ScalarCall};

pub(super) fn entries() -> Vec<Function> {
    let latitude = "degrees north, -90 to 90";
    let longitude = "degrees east, -180 to 180";
    let places = [
        ("lat1", &DOUBLE, latitude),
        ("lon1", &DOUBLE, longitude),
        ("lat2", &DOUBLE, latitude),
        ("lon2", &DOUBLE, longitude),
    ];
    let unit = [("unit", &STRING, "km (unless given) or miles")];
    vec![
        Function::scalar("GEO_DISTANCE", "MATHEMATICAL", "The distance between two places along a great circle.")
            .over(&places, DOUBLE, distance)
            .over(&[places.as_slice(), &unit].concat(), DOUBLE, distance)
            .examples(&[
                ("ROUND(GEO_DISTANCE(0.0, 0.0, 0.0, 180.0))", "20015"),
                ("GEO_DISTANCE(1, 1, 1, 1, 'MILES')", "0.0"),
            ]),
    ]
}

fn radius(unit: Option<&str>) -> Result<f64, String> {
    match unit.unwrap_or("").trim().to_ascii_lowercase().as_str() {
        "" | "km" | "kilometer" | "kilometers" | "kilometre" | "kilometres" => Ok(6371.0),
        "mi" | "mile" | "miles" => Ok(3959.0),
        other => Err(format!("GEO_DISTANCE's unit must be km or miles, not '{other}'")),
    }
}

fn distance(call: &mut ScalarCall<'_>) -> ArrayRef {
    let places = [call.doubles(0), call.doubles(1), call.doubles(2), call.doubles(3)];
    let units = (call.args.len() > 4).then(|| call.texts(4));
    call.collect::<Float64Type>(|row| {
        if places.iter().any(|place| place.is_null(row)) {
            return Err("GEO_DISTANCE takes no NULL".into());
        }
        let [lat1, lon1, lat2, lon2] = places.map(|place| place.value(row));
        if lat1.abs() > 90.0 || lat2.abs() > 90.0 || lon1.abs() > 180.0 || lon2.abs() > 180.0 {
            return Err("GEO_DISTANCE: latitudes go from -90 to 90, longitudes from -180 to 180".into());
        }
        let radius = radius(units.and_then(|units| units.get(row)))?;
        let (north, east) = ((lat2 - lat1).to_radians(), (lon2 - lon1).to_radians());
        let a = (north / 2.0).sin().powi(2)
            + (east / 2.0).sin().powi(2) * lat1.to_radians().cos() * lat2.to_radians().cos();
        Ok(Some(radius * 2.0 * a.sqrt().asin()))
    })
}
