/* What a scoring service copies: the payload event, and a producer that knows what was delivered. */
#ifndef PAYLOAD_H
#define PAYLOAD_H

#include <avro.h>
#include <librdkafka/rdkafka.h>
#include <stdint.h>

struct payload_producer {
    rd_kafka_t *kafka;
    const char *topic;
    avro_schema_t schema;
    avro_value_iface_t *events;
    unsigned long sent, delivered;
};

/* Reads the schema's file; reaches for the broker only when something is sent. 0, or -1 with a line on stderr. */
int payload_open(struct payload_producer *producer, const char *bootstrap, const char *topic, const char *schema_file);

/* A new event, whose optional fields are null; to be ended with avro_value_decref. */
int payload_event(struct payload_producer *producer, avro_value_t *event);

/* Fields of an event; text is UTF-8, and NULL leaves a nullable field null. */
int payload_set_text(avro_value_t *event, const char *field, const char *text);
int payload_set_nullable_text(avro_value_t *event, const char *field, const char *text);
int payload_set_nullable_long(avro_value_t *event, const char *field, int64_t number);
int payload_set_attribute(avro_value_t *event, const char *name, const char *text);

/* A native request or response, exactly as the service holds it; `side` is "request" or "response". */
int payload_set_body(avro_value_t *event, const char *side, const char *content_type, const void *data, size_t size);

/* Hands an event over; waits only while the queue is full. The key is the scoring id. */
int payload_send(struct payload_producer *producer, avro_value_t *event, const char *scoring_id);

/* Waits until each event is acknowledged or given up; how many were not delivered, each told on stderr. */
unsigned long payload_close(struct payload_producer *producer);

#endif
