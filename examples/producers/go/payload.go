// What a scoring service copies: the payload event, and a producer that knows what was delivered.
package main

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"github.com/hamba/avro/v2"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Event is one scoring. Request and Response are a Body or a Table.
type Event struct {
	Binding        *string           `avro:"binding"`
	Asset          string            `avro:"asset"` // the subscription's asset id or name, or the subscription's own id
	Deployment     *string           `avro:"deployment"`
	ScoringID      *string           `avro:"scoring_id"`
	ScoredAt       *int64            `avro:"scored_at"` // microseconds from 1970, UTC
	ResponseTimeMs *int64            `avro:"response_time_ms"`
	Request        any               `avro:"request"`
	Response       any               `avro:"response"`
	Attributes     map[string]string `avro:"attributes"`
}

// Body is a native request or response, exactly as the service holds it.
type Body struct {
	ContentType string `avro:"content_type"`
	Data        []byte `avro:"data"`
}

// Table is rows that the service has made itself. A cell is nil, bool, int64, float64, string, or an array of cells.
type Table struct {
	Fields []string `avro:"fields"`
	Values [][]any  `avro:"values"`
	Meta   *Meta    `avro:"meta"`
}

// Meta is columns that are no features, one row a row.
type Meta struct {
	Fields []string `avro:"fields"`
	Values [][]any  `avro:"values"`
}

// Producer sends events idempotently with acks=all.
type Producer struct {
	client *kgo.Client
	api    avro.API
	schema avro.Schema
	mutex  sync.Mutex
	open   map[string]error // what is not acknowledged, and why not
}

// NewProducer reads the schema's file; it reaches for the broker only when something is sent.
func NewProducer(bootstrap, topic, schemaFile string) (*Producer, error) {
	text, err := os.ReadFile(schemaFile)
	if err != nil {
		return nil, err
	}
	schema, err := avro.ParseBytes(text)
	if err != nil {
		return nil, err
	}
	client, err := kgo.NewClient(
		kgo.SeedBrokers(bootstrap),
		kgo.DefaultProduceTopic(topic),
		kgo.RequiredAcks(kgo.AllISRAcks()), // idempotent too, which is franz-go's default
		kgo.ProducerLinger(5*time.Millisecond),
		kgo.ProducerBatchCompression(kgo.Lz4Compression()),
		kgo.RecordDeliveryTimeout(time.Minute),
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)), // murmur2: a key's partition is the same from every language
	)
	if err != nil {
		return nil, err
	}
	api := avro.Config{}.Freeze()
	api.Register("openscale.payload.Body", Body{})
	api.Register("openscale.payload.Table", Table{})
	api.Register("array", []any{}) // a cell that is a vector
	return &Producer{client: client, api: api, schema: schema, open: map[string]error{}}, nil
}

// Send hands an event over; it waits only while the buffer is full.
func (p *Producer) Send(event Event) error {
	encoded, err := p.api.Marshal(p.schema, event)
	if err != nil {
		return err
	}
	value := append([]byte{0, 0, 0, 0, 1}, encoded...) // Confluent framing: schema id 1, as in schemas/index.json
	record := &kgo.Record{Key: []byte(*event.ScoringID), Value: value}
	p.settle(record, errors.New("never answered"))
	p.client.Produce(context.Background(), record, p.settle)
	return nil
}

func (p *Producer) settle(record *kgo.Record, err error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if err == nil {
		delete(p.open, string(record.Key))
	} else {
		p.open[string(record.Key)] = err
	}
}

// Close waits until each event is acknowledged or given up, and returns what was not delivered, by scoring id.
func (p *Producer) Close() map[string]error {
	_ = p.client.Flush(context.Background()) // no longer than RecordDeliveryTimeout
	p.client.Close()
	return p.open
}
