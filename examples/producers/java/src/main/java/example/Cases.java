package example;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.avro.generic.GenericData;

/** The test cases: each as tables and as bodies. A service has no need of this class. */
final class Cases {
    private static final ObjectMapper JSON = new ObjectMapper();

    private final PayloadProducer producer;

    Cases(PayloadProducer producer) {
        this.producer = producer;
    }

    List<GenericData.Record> read(Path file) throws IOException {
        List<GenericData.Record> events = new ArrayList<>();
        for (JsonNode each : JSON.readTree(file.toFile())) {
            for (String kind : List.of("table", "body")) {
                GenericData.Record event = producer.event();
                event.put("scoring_id", "java-" + kind + "-" + each.get("name").textValue());
                event.put("scored_at", cell(each.get("scored_at")));
                event.put("response_time_ms", cell(each.get("response_time_ms")));
                event.put("attributes", texts(each.get("attributes")));
                for (String side : List.of("request", "response")) {
                    event.put(side, kind.equals("table") ? table(each.get(side)) : body(each.get(side)));
                }
                events.add(event);
            }
        }
        return events;
    }

    private GenericData.Record body(JsonNode side) throws IOException {
        return producer.body(JSON.writeValueAsBytes(side));
    }

    private GenericData.Record table(JsonNode side) {
        JsonNode meta = side.get("meta");
        var other = meta == null ? null : producer.meta(names(meta), (List<?>) cell(meta.get("values")));
        return producer.table(names(side), (List<?>) cell(side.get("values")), other);
    }

    private static List<String> names(JsonNode side) {
        List<String> names = new ArrayList<>();
        side.path("fields").forEach(each -> names.add(each.textValue()));
        return names;
    }

    private static Map<String, String> texts(JsonNode object) {
        Map<String, String> texts = new HashMap<>();
        object.fields().forEachRemaining(each -> texts.put(each.getKey(), each.getValue().textValue()));
        return texts;
    }

    /** Jackson keeps a number as it is written: whole ones become Long, those with a point or exponent Double. */
    private static Object cell(JsonNode node) {
        if (node.isArray()) {
            List<Object> cells = new ArrayList<>();
            node.forEach(each -> cells.add(cell(each)));
            return cells;
        }
        if (node.isIntegralNumber()) {
            return node.longValue();
        }
        if (node.isNumber()) {
            return node.doubleValue();
        }
        return node.isBoolean() ? (Object) node.booleanValue() : node.textValue(); // null for null
    }
}
