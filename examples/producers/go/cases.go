// The test cases: each is sent as tables and as bodies. A service has no need of this file.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

type testCase struct {
	Name           string            `json:"name"`
	ScoredAt       *int64            `json:"scored_at"`
	ResponseTimeMs *int64            `json:"response_time_ms"`
	Attributes     map[string]string `json:"attributes"`
	Request        json.RawMessage   `json:"request"`
	Response       json.RawMessage   `json:"response"`
}

type rows struct {
	Fields []string `json:"fields"`
	Values [][]any  `json:"values"`
	Meta   *rows    `json:"meta"`
}

func sendCases(producer *Producer, file string) (int, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	var cases []testCase
	if err := json.Unmarshal(text, &cases); err != nil {
		return 0, err
	}
	sent := 0
	for _, each := range cases {
		for kind, make := range map[string]func(json.RawMessage) (any, error){"table": tableOf, "body": bodyOf} {
			id := fmt.Sprintf("go-%s-%s", kind, each.Name)
			event := Event{
				Binding: optional(*binding), Asset: *asset, ScoringID: &id, ScoredAt: each.ScoredAt,
				ResponseTimeMs: each.ResponseTimeMs, Attributes: each.Attributes,
			}
			if event.Request, err = make(each.Request); err != nil {
				return sent, err
			}
			if event.Response, err = make(each.Response); err != nil {
				return sent, err
			}
			if err := producer.Send(event); err != nil {
				return sent, err
			}
			sent++
		}
	}
	return sent, nil
}

func bodyOf(text json.RawMessage) (any, error) {
	return Body{"application/json", text}, nil
}

func tableOf(text json.RawMessage) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber() // as text: an integer beyond 2^53 would not survive float64
	var found rows
	if err := decoder.Decode(&found); err != nil {
		return nil, err
	}
	table := Table{Fields: found.Fields, Values: cells(found.Values)}
	if found.Meta != nil {
		table.Meta = &Meta{found.Meta.Fields, cells(found.Meta.Values)}
	}
	return table, nil
}

func cells(values [][]any) [][]any {
	for _, row := range values {
		for at := range row {
			row[at] = cell(row[at])
		}
	}
	return values
}

// cell makes a number an int64 or a float64 by how it is written.
func cell(value any) any {
	switch value := value.(type) {
	case json.Number:
		if strings.ContainsAny(value.String(), ".eE") {
			double, _ := value.Float64()
			return double
		}
		long, _ := value.Int64()
		return long
	case []any:
		for at := range value {
			value[at] = cell(value[at])
		}
	}
	return value
}
