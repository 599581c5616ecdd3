//! People: id, name, job title, age, city, salary.

use std::fmt::Write;

use fastrand::Rng;

use super::Made;

pub const COLUMNS: &str = "id STRING KEY, name STRING, title STRING, age INT, city STRING, salary DOUBLE";

const FIRST_NAMES: &[&str] = &[
    "Ada", "Amir", "Beatriz", "Chen", "Daria", "Emeka", "Fatima", "Goran", "Hana", "Ines", "Jonas", "Keiko", "Lars",
    "Minji", "Nadia", "Omar", "Priya", "Quinn", "Rosa", "Sanjay", "Tove", "Uma", "Viktor", "Wanda", "Yusuf", "Zoe",
];
const LAST_NAMES: &[&str] = &[
    "Abe", "Berg", "Costa", "Dietrich", "Eze", "Fischer", "Garcia", "Hassan", "Ivanov", "Jensen", "Kim", "Lopez",
    "Moreau", "Nowak", "Okafor", "Park", "Rossi", "Silva", "Tanaka", "Vargas", "Weber", "Yilmaz", "Zhang",
];
const TITLES: &[&str] = &[
    "Accountant",
    "Architect",
    "Baker",
    "Carpenter",
    "Chemist",
    "Data Engineer",
    "Electrician",
    "Gardener",
    "Librarian",
    "Nurse",
    "Pilot",
    "Plumber",
    "Software Engineer",
    "Surgeon",
    "Teacher",
    "Translator",
];
const CITIES: &[&str] =
    &["Accra", "Berlin", "Bogota", "Hanoi", "Lagos", "Lisbon", "Oslo", "Porto", "Quito", "Seoul", "Toronto", "Zagreb"];

/// Person number `count`, from 1.
pub fn make(rng: &mut Rng, count: u64, made: &mut Made) {
    let id = count + 1;
    let mut pick = |from: &[&'static str]| from[rng.usize(..from.len())];
    let (first, last, title, city) = (pick(FIRST_NAMES), pick(LAST_NAMES), pick(TITLES), pick(CITIES));
    let age = rng.u8(18..=67);
    let salary = f64::from(rng.u32(2_400_000..=16_000_000)) / 100.0;
    // Writing to a string never fails.
    let _ = write!(made.key, "{id}");
    let _ = write!(
        made.value,
        r#"{{"id":"{id}","name":"{first} {last}","title":"{title}","age":{age},"city":"{city}","salary":{salary}}}"#
    );
}
