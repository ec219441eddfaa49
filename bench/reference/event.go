package main

import (
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/hamba/avro/v2"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	header = 5 // bytes of Confluent's wire format before the Avro body
	stamp  = "2006-01-02T15:04:05.000000Z"
)

// event has the fields that are posted; the decoder skips the others.
type event struct {
	Asset        string     `avro:"asset"`
	ScoringID    *string    `avro:"scoring_id"`
	ScoredAt     *time.Time `avro:"scored_at"`
	ResponseTime *int64     `avro:"response_time_ms"`
	Request      any        `avro:"request"`
	Response     any        `avro:"response"`
}

type body struct {
	ContentType string `avro:"content_type"`
	Data        []byte `avro:"data"`
}

type table struct {
	Fields []string `avro:"fields"`
	Values [][]any  `avro:"values"`
}

// decoder makes JSON records of events.
type decoder struct {
	schema  avro.Schema
	targets map[string][]byte
}

func newDecoder(path string, targets map[string][]byte) (*decoder, error) {
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
	return &decoder{schema, targets}, nil
}

// encode appends the body of one post.
func (d *decoder) encode(to []byte, records []*kgo.Record) ([]byte, error) {
	var err error
	to = append(to, '[')
	for number, record := range records {
		if number > 0 {
			to = append(to, ',')
		}
		if to, err = d.record(to, record); err != nil {
			return nil, fmt.Errorf("%s/%d/%d: %w", record.Topic, record.Partition, record.Offset, err)
		}
	}
	return append(to, ']'), nil
}

func (d *decoder) record(to []byte, record *kgo.Record) ([]byte, error) {
	var found event
	if len(record.Value) < header {
		return nil, fmt.Errorf("too short")
	}
	if err := avro.Unmarshal(d.schema, record.Value[header:], &found); err != nil {
		return nil, err
	}
	target, known := d.targets[found.Asset]
	if !known {
		return nil, fmt.Errorf("unknown asset")
	}
	to = append(to, target...)
	if found.ScoringID != nil {
		to = append(to, *found.ScoringID...)
	} else {
		to = scoringID(to, record)
	}
	at := record.Timestamp
	if found.ScoredAt != nil {
		at = *found.ScoredAt
	}
	to = append(to, `","scoring_timestamp":"`...)
	to = at.UTC().AppendFormat(to, stamp)
	to = append(to, `","response_time":`...)
	if found.ResponseTime != nil {
		to = strconv.AppendInt(to, *found.ResponseTime, 10)
	} else {
		to = append(to, "null"...)
	}
	return sides(to, found)
}

func sides(to []byte, found event) ([]byte, error) {
	to, err := content(append(to, `,"request":`...), found.Request)
	if err != nil {
		return nil, err
	}
	to, err = content(append(to, `,"response":`...), found.Response)
	return append(to, '}'), err
}

func content(to []byte, found any) ([]byte, error) {
	switch side := found.(type) {
	case body:
		if !json.Valid(side.Data) {
			return nil, fmt.Errorf("a body is no JSON")
		}
		return append(to, side.Data...), nil
	case table:
		to = append(to, `{"fields":[`...)
		for number, name := range side.Fields {
			if number > 0 {
				to = append(to, ',')
			}
			to = text(to, name)
		}
		to = append(to, `],"values":[`...)
		for number, row := range side.Values {
			if number > 0 {
				to = append(to, ',')
			}
			var err error
			if to, err = cells(to, row); err != nil {
				return nil, err
			}
		}
		return append(to, "]}"...), nil
	}
	return nil, fmt.Errorf("a side is a %T", found)
}

func cells(to []byte, row []any) ([]byte, error) {
	var err error
	to = append(to, '[')
	for number, cell := range row {
		if number > 0 {
			to = append(to, ',')
		}
		switch value := cell.(type) {
		case nil:
			to = append(to, "null"...)
		case bool:
			to = strconv.AppendBool(to, value)
		case int64:
			to = strconv.AppendInt(to, value, 10)
		case int:
			to = strconv.AppendInt(to, int64(value), 10)
		case float64:
			to = strconv.AppendFloat(to, value, 'g', -1, 64)
		case string:
			to = text(to, value)
		case []any:
			if to, err = cells(to, value); err != nil {
				return nil, err
			}
		default:
			return nil, fmt.Errorf("a cell is a %T", value)
		}
	}
	return append(to, ']'), nil
}

// text appends a JSON string: at once where nothing in it needs an escape.
func text(to []byte, value string) []byte {
	for at := range len(value) {
		if char := value[at]; char < ' ' || char > '~' || char == '"' || char == '\\' {
			quoted, _ := json.Marshal(value)
			return append(to, quoted...)
		}
	}
	to = append(to, '"')
	to = append(to, value...)
	return append(to, '"')
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
