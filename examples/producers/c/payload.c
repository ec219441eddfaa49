#include "payload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const unsigned char CONFLUENT_ID_1[5] = {0, 0, 0, 0, 1}; /* schema id 1, as in schemas/index.json */
enum { NULLABLE_VALUE = 1, BODY = 0, SCHEMA_BYTES = 1 << 20 };

static const char *const SETTINGS[][2] = {
    {"enable.idempotence", "true"}, /* retried without duplicates, and acks=all with it */
    {"acks", "all"},
    {"linger.ms", "5"},
    {"compression.type", "lz4"},
    {"delivery.timeout.ms", "60000"},
    {"partitioner", "murmur2_random"}, /* a key's partition is then the same from every language */
};

/* Called from poll and flush, once for each event. */
static void reported(rd_kafka_t *kafka, const rd_kafka_message_t *message, void *opaque) {
    struct payload_producer *producer = opaque;
    (void)kafka;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
        producer->delivered++;
    else
        fprintf(stderr, "not delivered: %.*s: %s\n", (int)message->key_len, (const char *)message->key,
                rd_kafka_err2str(message->err));
}

static int read_schema(struct payload_producer *producer, const char *file) {
    char *text = malloc(SCHEMA_BYTES);
    FILE *stream = fopen(file, "rb");
    size_t size = text && stream ? fread(text, 1, SCHEMA_BYTES, stream) : 0;
    int failed = size == 0 || avro_schema_from_json_length(text, size, &producer->schema);
    if (failed)
        fprintf(stderr, "%s: %s\n", file, stream ? avro_strerror() : "cannot be read");
    if (stream)
        fclose(stream);
    free(text);
    if (!failed)
        producer->events = avro_generic_class_from_schema(producer->schema);
    return failed || !producer->events ? -1 : 0;
}

int payload_open(struct payload_producer *producer, const char *bootstrap, const char *topic, const char *schema_file) {
    char reason[512] = "no memory";
    memset(producer, 0, sizeof *producer);
    producer->topic = topic;
    if (read_schema(producer, schema_file))
        return -1;
    rd_kafka_conf_t *settings = rd_kafka_conf_new();
    rd_kafka_conf_res_t set = rd_kafka_conf_set(settings, "bootstrap.servers", bootstrap, reason, sizeof reason);
    for (size_t at = 0; at < sizeof SETTINGS / sizeof *SETTINGS && set == RD_KAFKA_CONF_OK; at++)
        set = rd_kafka_conf_set(settings, SETTINGS[at][0], SETTINGS[at][1], reason, sizeof reason);
    rd_kafka_conf_set_dr_msg_cb(settings, reported);
    rd_kafka_conf_set_opaque(settings, producer);
    if (set == RD_KAFKA_CONF_OK)
        producer->kafka = rd_kafka_new(RD_KAFKA_PRODUCER, settings, reason, sizeof reason);
    if (!producer->kafka)
        fprintf(stderr, "%s\n", reason);
    return producer->kafka ? 0 : -1;
}

int payload_event(struct payload_producer *producer, avro_value_t *event) {
    static const char *const NULLABLE[] = {"binding", "deployment", "scoring_id", "scored_at", "response_time_ms"};
    int failed = avro_generic_value_new(producer->events, event);
    for (size_t at = 0; at < sizeof NULLABLE / sizeof *NULLABLE && !failed; at++)
        failed = payload_set_nullable_text(event, NULLABLE[at], NULL);
    return failed;
}

int payload_set_text(avro_value_t *event, const char *field, const char *text) {
    avro_value_t value;
    return avro_value_get_by_name(event, field, &value, NULL) || avro_value_set_string(&value, text);
}

int payload_set_nullable_text(avro_value_t *event, const char *field, const char *text) {
    avro_value_t either, value;
    if (avro_value_get_by_name(event, field, &either, NULL) ||
        avro_value_set_branch(&either, text ? NULLABLE_VALUE : 0, &value))
        return -1;
    return text ? avro_value_set_string(&value, text) : avro_value_set_null(&value);
}

int payload_set_nullable_long(avro_value_t *event, const char *field, int64_t number) {
    avro_value_t either, value;
    return avro_value_get_by_name(event, field, &either, NULL) ||
           avro_value_set_branch(&either, NULLABLE_VALUE, &value) || avro_value_set_long(&value, number);
}

int payload_set_attribute(avro_value_t *event, const char *name, const char *text) {
    avro_value_t map, value;
    return avro_value_get_by_name(event, "attributes", &map, NULL) ||
           avro_value_add(&map, name, &value, NULL, NULL) || avro_value_set_string(&value, text);
}

int payload_set_body(avro_value_t *event, const char *side, const char *content_type, const void *data, size_t size) {
    avro_value_t either, body, value;
    if (avro_value_get_by_name(event, side, &either, NULL) || avro_value_set_branch(&either, BODY, &body) ||
        avro_value_get_by_name(&body, "content_type", &value, NULL) || avro_value_set_string(&value, content_type) ||
        avro_value_get_by_name(&body, "data", &value, NULL))
        return -1;
    return avro_value_set_bytes(&value, (void *)(uintptr_t)data, size); /* copied */
}

static int encode(avro_value_t *event, char **value, size_t *size) {
    size_t body = 0;
    if (avro_value_sizeof(event, &body))
        return -1;
    *size = sizeof CONFLUENT_ID_1 + body;
    *value = malloc(*size);
    if (!*value)
        return -1;
    memcpy(*value, CONFLUENT_ID_1, sizeof CONFLUENT_ID_1);
    avro_writer_t writer = avro_writer_memory(*value + sizeof CONFLUENT_ID_1, (int64_t)body);
    int failed = avro_value_write(writer, event);
    avro_writer_free(writer);
    return failed;
}

int payload_send(struct payload_producer *producer, avro_value_t *event, const char *scoring_id) {
    char *value = NULL;
    size_t size = 0;
    if (payload_set_nullable_text(event, "scoring_id", scoring_id) || encode(event, &value, &size)) {
        fprintf(stderr, "%s: not an event: %s\n", scoring_id, avro_strerror());
        free(value);
        return -1;
    }
    rd_kafka_resp_err_t error;
    while ((error = rd_kafka_producev(producer->kafka, RD_KAFKA_V_TOPIC(producer->topic),
                                      RD_KAFKA_V_KEY(scoring_id, strlen(scoring_id)), RD_KAFKA_V_VALUE(value, size),
                                      RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END)) ==
           RD_KAFKA_RESP_ERR__QUEUE_FULL)
        rd_kafka_poll(producer->kafka, 100);
    free(value);
    producer->sent++;
    if (error)
        fprintf(stderr, "not delivered: %s: %s\n", scoring_id, rd_kafka_err2str(error));
    rd_kafka_poll(producer->kafka, 0);
    return 0;
}

unsigned long payload_close(struct payload_producer *producer) {
    if (producer->kafka) {
        rd_kafka_flush(producer->kafka, -1); /* no longer than delivery.timeout.ms */
        rd_kafka_destroy(producer->kafka);
    }
    if (producer->events)
        avro_value_iface_decref(producer->events);
    if (producer->schema)
        avro_schema_decref(producer->schema);
    return producer->sent - producer->delivered;
}
