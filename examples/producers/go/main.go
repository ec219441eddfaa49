// Scores once and sends the event; -cases FILE and -count N send what the tests compare.
package main

import (
	"crypto/rand"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"time"
)

var (
	bootstrap = flag.String("bootstrap", "localhost:9092", "the brokers")
	topic     = flag.String("topic", "payload-events", "the topic")
	asset     = flag.String("asset", "action", "the subscription's asset id or asset name")
	binding   = flag.String("binding", "", "the service binding, where the asset is in several")
	schema    = flag.String("schema", "schemas/payload_event.avsc", "the event's schema")
	cases     = flag.String("cases", "", "a file of test cases to send")
	count     = flag.Int("count", 0, "how many simple events to send")
)

// score stands for the model: one row in, one row out.
func score(row []any) any {
	probability := (float64(row[0].(int)%100) + 0.5) / 101
	answer := "no"
	if probability > 0.5 {
		answer = "yes"
	}
	values := [][]any{{answer, []float64{1 - probability, probability}}}
	return map[string]any{"fields": []string{"prediction", "probability"}, "values": values}
}

// scored scores a row, and is the event that tells of it.
func scored(id string, row ...any) (Event, error) {
	began := time.Now()
	response := score(row)
	now, took := time.Now().UnixMicro(), time.Since(began).Milliseconds()
	fields := []string{"age", "hours", "income", "sector"}
	asked, err := body(map[string]any{"fields": fields, "values": [][]any{row}})
	if err != nil {
		return Event{}, err
	}
	answered, err := body(response)
	return Event{
		Binding: optional(*binding), Asset: *asset, ScoringID: &id, ScoredAt: &now, ResponseTimeMs: &took,
		Request: asked, Response: answered, Attributes: map[string]string{"service": "example"},
	}, err
}

// body is JSON as a Body; a service that has its bytes in hand passes those.
func body(value any) (Body, error) {
	data, err := json.Marshal(value)
	return Body{"application/json", data}, err
}

func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

func run(producer *Producer) (int, error) {
	if *cases != "" {
		return sendCases(producer, *cases)
	}
	if *count == 0 {
		event, err := scored(rand.Text(), 41, 37.5, 52000, "retail")
		if err != nil {
			return 0, err
		}
		return 1, producer.Send(event)
	}
	for number := range *count {
		event, err := scored(fmt.Sprintf("go-%d", number), number, float64(number)+0.1, 52000, "retail")
		if err == nil {
			err = producer.Send(event)
		}
		if err != nil {
			return number, err
		}
	}
	return *count, nil
}

func main() {
	flag.Parse()
	producer, err := NewProducer(*bootstrap, *topic, *schema)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	sent, err := run(producer)
	failed := producer.Close()
	for id, reason := range failed {
		fmt.Fprintf(os.Stderr, "not delivered: %s: %v\n", id, reason)
	}
	fmt.Printf("delivered: %d of %d\n", sent-len(failed), sent)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	if err != nil || len(failed) > 0 {
		os.Exit(1)
	}
}
