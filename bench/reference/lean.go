package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/hamba/avro/v2"
	"github.com/twmb/franz-go/pkg/kgo"
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

// lean makes JSON records of events with as little in between as there can be: the limit.
type lean struct {
	schema  avro.Schema
	targets map[string][]byte
}

func newLean(schema avro.Schema, targets map[string]target) *lean {
	made := &lean{schema, map[string][]byte{}}
	for asset, ids := range targets {
		made.targets[asset] = fmt.Appendf(nil,
			`{"binding_id":%q,"subscription_id":%q,"deployment_id":%q,"scoring_id":"`,
			ids.Binding, ids.Subscription, ids.Deployment)
	}
	return made
}

// encode appends the body of one post.
func (l *lean) encode(to []byte, records []*kgo.Record) ([]byte, error) {
	var err error
	to = append(to, '[')
	for number, record := range records {
		if number > 0 {
			to = append(to, ',')
		}
		if to, err = l.record(to, record); err != nil {
			return nil, placed(record, err)
		}
	}
	return append(to, ']'), nil
}

func (l *lean) record(to []byte, record *kgo.Record) ([]byte, error) {
	var found event
	if len(record.Value) < header {
		return nil, fmt.Errorf("too short")
	}
	if err := avro.Unmarshal(l.schema, record.Value[header:], &found); err != nil {
		return nil, err
	}
	target, known := l.targets[found.Asset]
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
