package example;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.apache.avro.generic.GenericData;

/** Scores once and sends the event; --cases FILE and --count N send what the tests compare. */
public final class Main {
    private static final ObjectMapper JSON = new ObjectMapper();

    private final Map<String, String> options;
    private final PayloadProducer producer;
    private int sent;

    private Main(Map<String, String> options, PayloadProducer producer) {
        this.options = options;
        this.producer = producer;
    }

    public static void main(String[] arguments) throws IOException {
        Map<String, String> options = new HashMap<>(Map.of(
                "--bootstrap", "localhost:9092", "--topic", "payload-events", "--asset", "action",
                "--schema", "schemas/payload_event.avsc"));
        for (int at = 0; at + 1 < arguments.length; at += 2) {
            options.put(arguments[at], arguments[at + 1]);
        }
        Path schema = Path.of(options.get("--schema"));
        var producer = new PayloadProducer(options.get("--bootstrap"), options.get("--topic"), schema);
        Main main = new Main(options, producer);
        try (producer) {
            main.run();
        }
        producer.failed().forEach((id, reason) -> System.err.println("not delivered: " + id + ": " + reason));
        System.out.println("delivered: " + (main.sent - producer.failed().size()) + " of " + main.sent);
        System.exit(producer.failed().isEmpty() ? 0 : 1);
    }

    private void run() throws IOException {
        if (options.containsKey("--cases")) {
            for (GenericData.Record event : new Cases(producer).read(Path.of(options.get("--cases")))) {
                send(event);
            }
        } else if (options.containsKey("--count")) {
            for (int number = 0; number < Integer.parseInt(options.get("--count")); number++) {
                send(scored("java-" + number, List.of(number, number + 0.1, 52000, "retail")));
            }
        } else {
            send(scored(UUID.randomUUID().toString(), List.of(41, 37.5, 52000, "retail")));
        }
    }

    private void send(GenericData.Record event) throws IOException {
        event.put("binding", options.get("--binding"));
        event.put("asset", options.get("--asset")); // the subscription's asset id or name, or the subscription's own id
        producer.send(event);
        sent++;
    }

    /** Scores a row, and is the event that tells of it. */
    private GenericData.Record scored(String id, List<Object> row) throws IOException {
        long began = System.nanoTime();
        Map<String, Object> response = score(row);
        GenericData.Record event = producer.event();
        event.put("scoring_id", id);
        event.put("scored_at", ChronoUnit.MICROS.between(Instant.EPOCH, Instant.now()));
        event.put("response_time_ms", (System.nanoTime() - began) / 1_000_000);
        var request = Map.of("fields", List.of("age", "hours", "income", "sector"), "values", List.of(row));
        event.put("request", producer.body(JSON.writeValueAsBytes(request)));
        event.put("response", producer.body(JSON.writeValueAsBytes(response)));
        event.put("attributes", Map.of("service", "example"));
        return event;
    }

    /** Stands for the model: one row in, one row out. */
    private static Map<String, Object> score(List<Object> row) {
        double probability = ((Integer) row.get(0) % 100 + 0.5) / 101;
        List<Double> probabilities = List.of(1 - probability, probability);
        List<Object> answer = List.of(probability > 0.5 ? "yes" : "no", probabilities);
        return Map.of("fields", List.of("prediction", "probability"), "values", List.of(answer));
    }
}
