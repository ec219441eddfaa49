//! Scores once and sends the event; --cases FILE and --count N send what the tests compare.

mod cases;
mod payload;

use std::collections::HashMap;
use std::error::Error;
use std::process::ExitCode;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use payload::{Event, PayloadProducer, body};
use serde_json::{Value as Json, json};

/// Stands for the model: one row in, one row out.
fn score(age: i64) -> Json {
    let probability = ((age % 100) as f64 + 0.5) / 101.0;
    let answer = if probability > 0.5 { "yes" } else { "no" };
    json!({"fields": ["prediction", "probability"], "values": [[answer, [1.0 - probability, probability]]]})
}

/// Scores a row, and is the event that tells of it.
fn scored(id: String, age: i64, hours: f64, asset: &str, binding: Option<&str>) -> Result<Event, Box<dyn Error>> {
    let began = Instant::now();
    let response = score(age);
    let fields = ["age", "hours", "income", "sector"];
    let request = json!({"fields": fields, "values": [[age, hours, 52000, "retail"]]});
    Ok(Event {
        binding: binding.map(Into::into),
        asset: asset.into(),
        scoring_id: id,
        scored_at: Some(SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros().try_into()?),
        response_time_ms: Some(began.elapsed().as_millis().try_into()?),
        request: body("application/json", request.to_string().into_bytes()),
        response: body("application/json", response.to_string().into_bytes()),
        attributes: HashMap::from([("service".into(), "example".into())]),
    })
}

fn run() -> Result<bool, Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let options: HashMap<&str, &str> = words.chunks_exact(2).map(|pair| (pair[0].as_str(), pair[1].as_str())).collect();
    let option = |name: &str, default: &'static str| options.get(name).copied().unwrap_or(default);
    let (asset, binding) = (option("--asset", "action"), options.get("--binding").copied());
    let schema = option("--schema", "schemas/payload_event.avsc");
    let producer =
        PayloadProducer::new(option("--bootstrap", "localhost:9092"), option("--topic", "payload-events"), schema)?;
    let mut sent = 0;
    let mut send = |event| -> Result<(), Box<dyn Error>> {
        sent += 1;
        producer.send(event)
    };
    if let Some(file) = options.get("--cases") {
        cases::read(file, asset, binding)?.into_iter().try_for_each(&mut send)?;
    } else if let Some(count) = options.get("--count") {
        for number in 0..count.parse::<i64>()? {
            send(scored(format!("rust-{number}"), number, number as f64 + 0.1, asset, binding)?)?;
        }
    } else {
        send(scored(uuid::Uuid::new_v4().to_string(), 41, 37.5, asset, binding)?)?;
    }
    let open = producer.close()?;
    for (id, reason) in &open {
        eprintln!("not delivered: {id}: {reason}");
    }
    println!("delivered: {} of {sent}", sent - open.len());
    Ok(open.is_empty())
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
