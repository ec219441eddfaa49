//! What a scoring service copies: the payload event, and a producer that knows what was delivered.

use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use apache_avro::writer::datum::GenericDatumWriter;
use apache_avro::{Schema, types::Value};
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer};
use rdkafka::ClientContext;

const CONFLUENT_ID_1: [u8; 5] = [0, 0, 0, 0, 1]; // schema id 1, as in schemas/index.json

/// One scoring; `request` and `response` are made by `body` or `table`.
pub struct Event {
    pub binding: Option<String>,
    pub asset: String, // the subscription's asset id or asset name, or the subscription's own id
    pub scoring_id: String,
    pub scored_at: Option<i64>, // microseconds from 1970, UTC
    pub response_time_ms: Option<i64>,
    pub request: Value,
    pub response: Value,
    pub attributes: HashMap<String, String>,
}

/// A native request or response, exactly as the service holds it.
pub fn body(content_type: &str, data: Vec<u8>) -> Value {
    let fields = vec![
        ("content_type".into(), Value::String(content_type.into())),
        ("data".into(), Value::Bytes(data)),
    ];
    Value::Union(0, Box::new(Value::Record(fields)))
}

/// Rows that the service has made itself: see `cell` for what may stand in them.
pub fn table(fields: Vec<String>, values: Vec<Vec<Value>>, meta: Option<(Vec<String>, Vec<Vec<Value>>)>) -> Value {
    let mut record = grid(fields, values);
    let meta = match meta {
        None => Value::Union(0, Box::new(Value::Null)),
        Some((fields, values)) => Value::Union(1, Box::new(Value::Record(grid(fields, values)))),
    };
    record.push(("meta".into(), meta));
    Value::Union(1, Box::new(Value::Record(record)))
}

fn grid(fields: Vec<String>, values: Vec<Vec<Value>>) -> Vec<(String, Value)> {
    let names = fields.into_iter().map(Value::String).collect();
    let rows = values.into_iter().map(Value::Array).collect();
    vec![("fields".into(), Value::Array(names)), ("values".into(), Value::Array(rows))]
}

/// A cell: the place in the schema's union goes by the kind of the value.
pub fn cell(value: Value) -> Value {
    let place = match value {
        Value::Null => 0,
        Value::Boolean(_) => 1,
        Value::Long(_) => 2,
        Value::Double(_) => 3,
        Value::String(_) => 4,
        _ => 5, // an array of cells
    };
    Value::Union(place, Box::new(value))
}

impl Event {
    fn into_value(self) -> Value {
        let attributes = self.attributes.into_iter().map(|(name, text)| (name, Value::String(text))).collect();
        Value::Record(vec![
            ("binding".into(), nullable(self.binding.map(Value::String))),
            ("asset".into(), Value::String(self.asset)),
            ("deployment".into(), nullable(None)), // the subscription's first
            ("scoring_id".into(), nullable(Some(Value::String(self.scoring_id)))),
            ("scored_at".into(), nullable(self.scored_at.map(Value::TimestampMicros))),
            ("response_time_ms".into(), nullable(self.response_time_ms.map(Value::Long))),
            ("request".into(), self.request),
            ("response".into(), self.response),
            ("attributes".into(), Value::Map(attributes)),
        ])
    }
}

fn nullable(value: Option<Value>) -> Value {
    match value {
        None => Value::Union(0, Box::new(Value::Null)),
        Some(value) => Value::Union(1, Box::new(value)),
    }
}

/// What is not acknowledged, and why not, by scoring id.
type Open = Arc<Mutex<BTreeMap<String, String>>>;

struct Reports(Open);

impl ClientContext for Reports {}

impl ProducerContext for Reports {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, _: ()) {
        let mut open = self.0.lock().unwrap();
        let (message, reason) = match result {
            Ok(message) => (message, None),
            Err((error, message)) => (message, Some(error.to_string())),
        };
        let id = String::from_utf8_lossy(message.key().unwrap_or_default()).into_owned();
        match reason {
            None => open.remove(&id),
            Some(reason) => open.insert(id, reason),
        };
    }
}

/// Sends events idempotently with acks=all.
pub struct PayloadProducer {
    producer: ThreadedProducer<Reports>,
    topic: String,
    schema: Schema,
    open: Open,
}

impl PayloadProducer {
    /// Reads the schema's file; reaches for the broker only when something is sent.
    pub fn new(bootstrap: &str, topic: &str, schema_file: &str) -> Result<Self, Box<dyn Error>> {
        let schema = Schema::parse_str(&std::fs::read_to_string(schema_file)?)?;
        let open = Open::default();
        let producer = ClientConfig::new()
            .set("bootstrap.servers", bootstrap)
            .set("enable.idempotence", "true") // retried without duplicates, and acks=all with it
            .set("acks", "all")
            .set("linger.ms", "5")
            .set("compression.type", "lz4")
            .set("delivery.timeout.ms", "60000")
            .set("partitioner", "murmur2_random") // a key's partition is then the same from every language
            .create_with_context(Reports(open.clone()))?;
        Ok(Self { producer, topic: topic.into(), schema, open })
    }

    /// Hands an event over; waits only while the queue is full.
    pub fn send(&self, event: Event) -> Result<(), Box<dyn Error>> {
        let key = event.scoring_id.clone();
        let mut value = CONFLUENT_ID_1.to_vec();
        let writer = GenericDatumWriter::builder(&self.schema).build()?;
        value.extend(writer.write_value_to_vec(event.into_value())?);
        self.open.lock().unwrap().insert(key.clone(), "never answered".into());
        let mut record = BaseRecord::to(&self.topic).key(&key).payload(&value);
        while let Err((error, back)) = self.producer.send(record) {
            if error != KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull) {
                return Err(error.into());
            }
            std::thread::sleep(Duration::from_millis(10)); // reports are taken on a thread of the producer's own
            record = back;
        }
        Ok(())
    }

    /// Waits until each event is acknowledged or given up; what was not delivered, and why.
    pub fn close(self) -> Result<BTreeMap<String, String>, Box<dyn Error>> {
        self.producer.flush(Duration::from_secs(70))?; // longer than delivery.timeout.ms
        Ok(std::mem::take(&mut self.open.lock().unwrap()))
    }
}
