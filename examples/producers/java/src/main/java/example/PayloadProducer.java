package example;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ConcurrentSkipListMap;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.EncoderFactory;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** What a scoring service copies: sends payload events idempotently with acks=all, and knows what was delivered. */
final class PayloadProducer implements AutoCloseable {
    private static final byte[] CONFLUENT_ID_1 = {0, 0, 0, 0, 1}; // schema id 1, as in schemas/index.json

    private final Schema schema;
    private final GenericDatumWriter<GenericData.Record> writer;
    private final KafkaProducer<String, byte[]> producer;
    private final String topic;
    private final Map<String, String> open = new ConcurrentSkipListMap<>(); // what is not acknowledged, and why not

    PayloadProducer(String bootstrap, String topic, Path schemaFile) throws IOException {
        this.topic = topic;
        schema = new Schema.Parser().parse(schemaFile.toFile());
        writer = new GenericDatumWriter<>(schema);
        Properties settings = new Properties();
        settings.put(ProducerConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap);
        settings.put(ProducerConfig.ENABLE_IDEMPOTENCE_CONFIG, true); // retried without duplicates
        settings.put(ProducerConfig.ACKS_CONFIG, "all");
        settings.put(ProducerConfig.LINGER_MS_CONFIG, 5);
        settings.put(ProducerConfig.MAX_BLOCK_MS_CONFIG, 10_000); // how long send() may wait for a broker or for room
        settings.put(ProducerConfig.COMPRESSION_TYPE_CONFIG, "lz4");
        settings.put(ProducerConfig.DELIVERY_TIMEOUT_MS_CONFIG, 60_000); // its partitioner is murmur2 already
        producer = new KafkaProducer<>(settings, new StringSerializer(), new ByteArraySerializer());
    }

    /** An event whose optional fields are null; the caller puts asset, scoring_id, request and response. */
    GenericData.Record event() {
        GenericData.Record event = new GenericData.Record(schema);
        event.put("attributes", Map.of());
        return event;
    }

    /** A native request or response, exactly as the service holds it. */
    GenericData.Record body(byte[] json) {
        GenericData.Record body = new GenericData.Record(type("openscale.payload.Body"));
        body.put("content_type", "application/json");
        body.put("data", ByteBuffer.wrap(json));
        return body;
    }

    /** Rows; a cell is null, Boolean, Long, Double, String, or a List of cells. Columns that are no features: meta. */
    GenericData.Record table(Iterable<String> fields, Iterable<?> values, GenericData.Record meta) {
        GenericData.Record table = new GenericData.Record(type("openscale.payload.Table"));
        table.put("fields", fields);
        table.put("values", values);
        table.put("meta", meta);
        return table;
    }

    GenericData.Record meta(Iterable<String> fields, Iterable<?> values) {
        Schema union = type("openscale.payload.Table").getField("meta").schema();
        GenericData.Record meta = new GenericData.Record(union.getTypes().get(1));
        meta.put("fields", fields);
        meta.put("values", values);
        return meta;
    }

    private Schema type(String name) {
        Schema union = schema.getField("request").schema();
        return union.getTypes().get(union.getIndexNamed(name));
    }

    /** Hands an event over; waits only while the buffer is full. */
    void send(GenericData.Record event) throws IOException {
        ByteArrayOutputStream value = new ByteArrayOutputStream();
        value.write(CONFLUENT_ID_1);
        BinaryEncoder encoder = EncoderFactory.get().binaryEncoder(value, null);
        writer.write(event, encoder);
        encoder.flush();
        String key = event.get("scoring_id").toString();
        open.put(key, "never answered");
        producer.send(new ProducerRecord<>(topic, key, value.toByteArray()), (metadata, error) -> {
            if (error == null) {
                open.remove(key);
            } else {
                open.put(key, String.valueOf(error.getMessage()));
            }
        });
    }

    /** Waits until each event is acknowledged or given up, no longer than delivery.timeout.ms. */
    @Override
    public void close() {
        producer.flush();
        producer.close();
    }

    /** What was not delivered, and why, by scoring id; complete once closed. */
    Map<String, String> failed() {
        return open;
    }
}
