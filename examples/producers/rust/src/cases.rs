//! The test cases: each is sent as tables and as bodies. A service has no need of this file.

use std::error::Error;

use apache_avro::types::Value;
use serde_json::Value as Json;

use crate::payload::{Event, body, cell, table};

pub fn read(file: &str, asset: &str, binding: Option<&str>) -> Result<Vec<Event>, Box<dyn Error>> {
    let cases: Vec<Json> = serde_json::from_str(&std::fs::read_to_string(file)?)?;
    let mut events = Vec::new();
    for case in &cases {
        for (kind, make) in [("table", table_of as fn(&Json) -> Value), ("body", body_of)] {
            let attributes = case["attributes"].as_object().into_iter().flatten();
            events.push(Event {
                binding: binding.map(Into::into),
                asset: asset.into(),
                scoring_id: format!("rust-{kind}-{}", case["name"].as_str().unwrap_or_default()),
                scored_at: case["scored_at"].as_i64(),
                response_time_ms: case["response_time_ms"].as_i64(),
                request: make(&case["request"]),
                response: make(&case["response"]),
                attributes: attributes.map(|(name, text)| (name.clone(), string(text))).collect(),
            });
        }
    }
    Ok(events)
}

fn body_of(side: &Json) -> Value {
    body("application/json", side.to_string().into_bytes())
}

fn table_of(side: &Json) -> Value {
    let meta = side.get("meta").map(|meta| (names(meta), rows(meta)));
    table(names(side), rows(side), meta)
}

fn names(side: &Json) -> Vec<String> {
    side["fields"].as_array().into_iter().flatten().map(string).collect()
}

fn string(text: &Json) -> String {
    text.as_str().unwrap_or_default().into()
}

fn rows(side: &Json) -> Vec<Vec<Value>> {
    let rows = side["values"].as_array().into_iter().flatten();
    rows.map(|row| row.as_array().into_iter().flatten().map(of).collect()).collect()
}

/// serde_json keeps a number as it is written: whole ones in 64 bits, those with a point or exponent as double.
fn of(json: &Json) -> Value {
    cell(match json {
        Json::Null | Json::Object(_) => Value::Null,
        Json::Bool(truth) => Value::Boolean(*truth),
        Json::Number(number) => match number.as_i64() {
            Some(long) => Value::Long(long),
            None => Value::Double(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::String(text.clone()),
        Json::Array(cells) => Value::Array(cells.iter().map(of).collect()),
    })
}
