/* Scores once and sends the event; --cases FILE and --count N send what the tests compare. */
#include "cases.h"
#include "payload.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct row {
    long age;
    double hours;
    long income;
    const char *sector;
};

static const char *asset = "action", *binding = NULL;

static int64_t micros(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Stands for the model: one row in, one row out. 17 digits tell each double from its neighbours. */
static int score(const struct row *row, char *response, size_t size) {
    double probability = ((double)(row->age % 100) + 0.5) / 101;
    return snprintf(response, size, "{\"fields\":[\"prediction\",\"probability\"],\"values\":[[\"%s\",[%.17g,%.17g]]]}",
                    probability > 0.5 ? "yes" : "no", 1 - probability, probability);
}

/* Scores a row, and sends the event that tells of it. */
static int send_scored(struct payload_producer *producer, const char *id, const struct row *row) {
    char request[256], response[256];
    avro_value_t event;
    int asked = snprintf(request, sizeof request,
                         "{\"fields\":[\"age\",\"hours\",\"income\",\"sector\"],\"values\":[[%ld,%.17g,%ld,\"%s\"]]}",
                         row->age, row->hours, row->income, row->sector);
    int64_t began = micros(CLOCK_MONOTONIC);
    int answered = score(row, response, sizeof response);
    int64_t took = (micros(CLOCK_MONOTONIC) - began) / 1000;
    if (payload_event(producer, &event))
        return -1;
    int failed = payload_set_text(&event, "asset", asset) || payload_set_nullable_text(&event, "binding", binding) ||
                 payload_set_nullable_long(&event, "scored_at", micros(CLOCK_REALTIME)) ||
                 payload_set_nullable_long(&event, "response_time_ms", took) ||
                 payload_set_body(&event, "request", "application/json", request, (size_t)asked) ||
                 payload_set_body(&event, "response", "application/json", response, (size_t)answered) ||
                 payload_set_attribute(&event, "service", "example") || payload_send(producer, &event, id);
    avro_value_decref(&event);
    return failed;
}

static int send_simple(struct payload_producer *producer, long count) {
    char id[64];
    if (count == 0) {
        snprintf(id, sizeof id, "c-%lld-%ld", (long long)micros(CLOCK_REALTIME), (long)getpid());
        return send_scored(producer, id, &(struct row){41, 37.5, 52000, "retail"});
    }
    for (long number = 0; number < count; number++) {
        snprintf(id, sizeof id, "c-%ld", number);
        if (send_scored(producer, id, &(struct row){number, (double)number + 0.1, 52000, "retail"}))
            return -1;
    }
    return 0;
}

int main(int argc, char **argv) {
    static const struct option OPTIONS[] = {
        {"bootstrap", required_argument, NULL, 'b'}, {"topic", required_argument, NULL, 't'},
        {"asset", required_argument, NULL, 'a'},     {"binding", required_argument, NULL, 'i'},
        {"schema", required_argument, NULL, 's'},    {"cases", required_argument, NULL, 'c'},
        {"count", required_argument, NULL, 'n'},     {NULL, 0, NULL, 0}};
    const char *bootstrap = "localhost:9092", *topic = "payload-events", *schema = "schemas/payload_event.avsc";
    const char *cases = NULL;
    long count = 0;
    for (int option; (option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1;)
        switch (option) {
        case 'b': bootstrap = optarg; break;
        case 't': topic = optarg; break;
        case 'a': asset = optarg; break;
        case 'i': binding = optarg; break;
        case 's': schema = optarg; break;
        case 'c': cases = optarg; break;
        case 'n': count = strtol(optarg, NULL, 10); break;
        default: return 2;
        }
    struct payload_producer producer;
    if (payload_open(&producer, bootstrap, topic, schema))
        return 1;
    int broken = cases ? send_cases(&producer, cases, asset, binding) : send_simple(&producer, count);
    unsigned long failed = payload_close(&producer);
    printf("delivered: %lu of %lu\n", producer.delivered, producer.sent);
    return broken || failed ? 1 : 0;
}
