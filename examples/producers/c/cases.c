#include "cases.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TABLE = 1, NULL_CELL = 0, BOOLEAN_CELL, LONG_CELL, DOUBLE_CELL, STRING_CELL, ARRAY_CELL };

static int set_cells(avro_value_t *array, const json_t *cells);

/* Jansson keeps a number as it is written: whole ones in 64 bits, those with a point or exponent as double. */
static int set_cell(avro_value_t *cell, const json_t *json) {
    avro_value_t value;
    switch (json_typeof(json)) {
    case JSON_NULL:
        return avro_value_set_branch(cell, NULL_CELL, &value) || avro_value_set_null(&value);
    case JSON_TRUE:
    case JSON_FALSE:
        return avro_value_set_branch(cell, BOOLEAN_CELL, &value) || avro_value_set_boolean(&value, json_is_true(json));
    case JSON_INTEGER:
        return avro_value_set_branch(cell, LONG_CELL, &value) || avro_value_set_long(&value, json_integer_value(json));
    case JSON_REAL:
        return avro_value_set_branch(cell, DOUBLE_CELL, &value) || avro_value_set_double(&value, json_real_value(json));
    case JSON_STRING:
        return avro_value_set_branch(cell, STRING_CELL, &value) ||
               avro_value_set_string(&value, json_string_value(json));
    case JSON_ARRAY:
        return avro_value_set_branch(cell, ARRAY_CELL, &value) || set_cells(&value, json);
    default:
        return -1;
    }
}

static int set_cells(avro_value_t *array, const json_t *cells) {
    size_t at;
    json_t *each;
    json_array_foreach(cells, at, each) {
        avro_value_t cell;
        if (avro_value_append(array, &cell, NULL) || set_cell(&cell, each))
            return -1;
    }
    return 0;
}

static int set_grid(avro_value_t *record, const json_t *grid) {
    avro_value_t names, rows, item;
    size_t at;
    json_t *each;
    if (avro_value_get_by_name(record, "fields", &names, NULL) || avro_value_get_by_name(record, "values", &rows, NULL))
        return -1;
    json_array_foreach(json_object_get(grid, "fields"), at, each) {
        if (avro_value_append(&names, &item, NULL) || avro_value_set_string(&item, json_string_value(each)))
            return -1;
    }
    json_array_foreach(json_object_get(grid, "values"), at, each) {
        if (avro_value_append(&rows, &item, NULL) || set_cells(&item, each))
            return -1;
    }
    return 0;
}

static int set_table(avro_value_t *event, const char *side, const json_t *grid) {
    avro_value_t either, table, field, meta;
    const json_t *other = json_object_get(grid, "meta");
    if (avro_value_get_by_name(event, side, &either, NULL) || avro_value_set_branch(&either, TABLE, &table) ||
        set_grid(&table, grid) || avro_value_get_by_name(&table, "meta", &field, NULL) ||
        avro_value_set_branch(&field, other ? 1 : 0, &meta))
        return -1;
    return other ? set_grid(&meta, other) : avro_value_set_null(&meta);
}

static int set_json_body(avro_value_t *event, const char *side, const json_t *json) {
    char *text = json_dumps(json, JSON_COMPACT);
    int failed = !text || payload_set_body(event, side, "application/json", text, strlen(text));
    free(text);
    return failed;
}

static int set_beside(avro_value_t *event, json_t *each) {
    static const char *const LONGS[] = {"scored_at", "response_time_ms"};
    const char *name;
    json_t *value;
    for (size_t at = 0; at < 2; at++) {
        value = json_object_get(each, LONGS[at]);
        if (!json_is_null(value) && payload_set_nullable_long(event, LONGS[at], json_integer_value(value)))
            return -1;
    }
    json_object_foreach(json_object_get(each, "attributes"), name, value) {
        if (payload_set_attribute(event, name, json_string_value(value)))
            return -1;
    }
    return 0;
}

static int send_case(struct payload_producer *producer, json_t *each, int table, const char *asset, const char *binding) {
    int (*set_side)(avro_value_t *, const char *, const json_t *) = table ? set_table : set_json_body;
    avro_value_t event;
    char id[128];
    const char *name = json_string_value(json_object_get(each, "name"));
    snprintf(id, sizeof id, "c-%s-%s", table ? "table" : "body", name);
    if (payload_event(producer, &event))
        return -1;
    int failed = payload_set_text(&event, "asset", asset) || payload_set_nullable_text(&event, "binding", binding) ||
                 set_beside(&event, each) || set_side(&event, "request", json_object_get(each, "request")) ||
                 set_side(&event, "response", json_object_get(each, "response")) ||
                 payload_send(producer, &event, id);
    avro_value_decref(&event);
    return failed;
}

int send_cases(struct payload_producer *producer, const char *file, const char *asset, const char *binding) {
    json_error_t error;
    size_t at;
    json_t *each, *cases = json_load_file(file, 0, &error);
    int failed = !cases;
    if (failed)
        fprintf(stderr, "%s: %s\n", file, error.text);
    json_array_foreach(cases, at, each) {
        failed = failed || send_case(producer, each, 1, asset, binding) || send_case(producer, each, 0, asset, binding);
    }
    json_decref(cases);
    return failed;
}
