//! What a process tells of itself on stderr: lines for people, or JSON for programs that collect them. No secret is among them:
//! neither what authenticates a request nor its body, nor the query of its address.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use crate::time::wall_time_ms;

static AS_JSON: AtomicBool = AtomicBool::new(false);

/// From now on each line of the process is an object with `time` (ISO 8601, UTC), `level` and `message`.
pub fn begin_json() {
    AS_JSON.store(true, Ordering::Relaxed);
}

/// A line, perhaps with `warning: ` or `error: ` before it.
pub fn line(text: &str) {
    if !AS_JSON.load(Ordering::Relaxed) {
        return write(text);
    }
    let (level, message) = level_of(text);
    write_json(level, message, json!({}));
}

/// What is odd, and doesn't end the process.
pub fn warning(text: &str) {
    line(&format!("warning: {text}"));
}

/// A request that was answered: the route and what was answered, and nothing that the client sent.
pub fn request(method: &str, route: &str, status: u16, seconds: f64) {
    let text = format!("{method} {route} {status} {seconds:.6} s");
    match AS_JSON.load(Ordering::Relaxed) {
        false => write(&text),
        true => {
            let fields = json!({"method": method, "route": route, "status": status, "seconds": seconds});
            write_json("INFO", &text, fields);
        }
    }
}

fn level_of(text: &str) -> (&'static str, &str) {
    let prefixes = [("warning: ", "WARN"), ("error: ", "ERROR"), ("internal error: ", "ERROR")];
    let found = prefixes.iter().find_map(|(prefix, level)| Some((*level, text.strip_prefix(prefix)?)));
    found.unwrap_or(("INFO", text))
}

fn write_json(level: &str, message: &str, fields: Value) {
    let time = DateTime::<Utc>::from_timestamp_millis(wall_time_ms()).unwrap_or_default();
    let mut line =
        json!({"time": time.to_rfc3339_opts(SecondsFormat::Millis, true), "level": level, "message": message});
    if let (Value::Object(line), Value::Object(fields)) = (&mut line, fields) {
        line.extend(fields);
    }
    write(&line.to_string());
}

/// A closed stderr is nobody's loss.
fn write(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_level_that_it_begins_with() {
        assert_eq!(level_of("warning: the disk is full"), ("WARN", "the disk is full"));
        assert_eq!(level_of("error: no such file"), ("ERROR", "no such file"));
        assert_eq!(level_of("internal error: a defect"), ("ERROR", "a defect"));
        assert_eq!(level_of("a warning: of old"), ("INFO", "a warning: of old"));
    }
}
