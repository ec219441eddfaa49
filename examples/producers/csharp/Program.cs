// Untested: there was no .NET where this was written. Scores once and sends the event, as a Body.
using System.Collections.Concurrent;
using System.Text.Json;
using Avro;
using Avro.Generic;
using Avro.IO;
using Confluent.Kafka;

string Option(string name, string standard) =>
    Array.IndexOf(args, name) is var at && at >= 0 && at + 1 < args.Length ? args[at + 1] : standard;

var schema = (RecordSchema)Schema.Parse(File.ReadAllText(Option("--schema", "schemas/payload_event.avsc")));
var sides = (UnionSchema)schema["request"].Schema;
var bodySchema = (RecordSchema)sides.Schemas.Single(type => type.Name == "Body");
var writer = new GenericDatumWriter<GenericRecord>(schema);
var open = new ConcurrentDictionary<string, string>(); // what is not acknowledged, and why not, by scoring id

GenericRecord Body(object value)
{
    var body = new GenericRecord(bodySchema);
    body.Add("content_type", "application/json");
    body.Add("data", JsonSerializer.SerializeToUtf8Bytes(value)); // a service passes the bytes that it has in hand
    return body;
}

byte[] Encode(GenericRecord record)
{
    using var value = new MemoryStream();
    value.Write([0, 0, 0, 0, 1]); // Confluent framing: schema id 1, as in schemas/index.json
    writer.Write(record, new BinaryEncoder(value));
    return value.ToArray();
}

// stands for the model
object[] row = [41, 37.5, 52000, "retail"];
var probability = (41 % 100 + 0.5) / 101;
object[] answer = ["no", new[] { 1 - probability, probability }];

var id = Guid.NewGuid().ToString();
var scored = new GenericRecord(schema);
scored.Add("binding", null); // every field has to be added, those of no value as null
scored.Add("asset", Option("--asset", "action")); // the subscription's asset id or asset name, or its own id
scored.Add("deployment", null);
scored.Add("scoring_id", id);
scored.Add("scored_at", DateTime.UtcNow); // the library makes microseconds of it, by the schema's logical type
scored.Add("response_time_ms", 12L);
scored.Add("request", Body(new { fields = new[] { "age", "hours", "income", "sector" }, values = new[] { row } }));
scored.Add("response", Body(new { fields = new[] { "prediction", "probability" }, values = new[] { answer } }));
scored.Add("attributes", new Dictionary<string, object> { ["service"] = "example" });

var settings = new ProducerConfig
{
    BootstrapServers = Option("--bootstrap", "localhost:9092"),
    EnableIdempotence = true, // retried without duplicates, and acks=all with it
    Acks = Acks.All,
    LingerMs = 5,
    CompressionType = CompressionType.Lz4,
    MessageTimeoutMs = 60_000,
    Partitioner = Partitioner.Murmur2Random, // a key's partition is then the same from every language
};
using (var producer = new ProducerBuilder<string, byte[]>(settings).Build())
{
    open[id] = "never answered";
    var message = new Message<string, byte[]> { Key = id, Value = Encode(scored) };
    producer.Produce(Option("--topic", "payload-events"), message, report =>
    {
        if (report.Error.IsError) open[report.Message.Key] = report.Error.Reason;
        else open.TryRemove(report.Message.Key, out _);
    });
    producer.Flush(TimeSpan.FromSeconds(70)); // longer than MessageTimeoutMs
}
foreach (var (each, reason) in open) Console.Error.WriteLine($"not delivered: {each}: {reason}");
return open.IsEmpty ? 0 : 1;
