package main

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"os"
	"strconv"

	"github.com/hamba/avro/v2"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	header = 5 // bytes of Confluent's wire format before the Avro body
	stamp  = "2006-01-02T15:04:05.000000Z"
)

type body struct {
	ContentType string `avro:"content_type"`
	Data        []byte `avro:"data"`
}

type table struct {
	Fields []string `avro:"fields"`
	Values [][]any  `avro:"values"`
}

// encoder appends the body of a post: the JSON records of these events.
type encoder interface {
	encode(to []byte, records []*kgo.Record) ([]byte, error)
}

// newEncoder reads the schema of the events; lean or as one would write it.
func newEncoder(path string, targets map[string]target, isLean bool) (encoder, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	schema, err := avro.ParseBytes(text)
	if err != nil {
		return nil, err
	}
	avro.Register("openscale.payload.Body", body{})
	avro.Register("openscale.payload.Table", table{})
	avro.Register("array:union", []any{})
	if isLean {
		return newLean(schema, targets), nil
	}
	return &objects{schema, targets}, nil
}

// placed says of which event an error is.
func placed(record *kgo.Record, err error) error {
	return fmt.Errorf("%s/%d/%d: %w", record.Topic, record.Partition, record.Offset, err)
}

// namespace is the UUIDv5 of the name "naive" among URLs, as the other peers have it.
var namespace = func() []byte {
	url, _ := hex.DecodeString("6ba7b8119dad11d180b400c04fd430c8")
	return version5(append(url, "naive"...))
}()

func version5(text []byte) []byte {
	sum := sha1.Sum(text)
	sum[6], sum[8] = sum[6]&0x0f|0x50, sum[8]&0x3f|0x80
	return sum[:16]
}

// scoringID appends the UUIDv5 of an event's place in Kafka.
func scoringID(to []byte, record *kgo.Record) []byte {
	place := append(make([]byte, 0, 128), namespace...)
	place = append(append(place, record.Topic...), '/')
	place = append(strconv.AppendInt(place, int64(record.Partition), 10), '/')
	sum := version5(strconv.AppendInt(place, record.Offset, 10))
	for number, part := range [][]byte{sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:]} {
		if number > 0 {
			to = append(to, '-')
		}
		to = hex.AppendEncode(to, part)
	}
	return to
}
