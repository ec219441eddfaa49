package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/hamba/avro/v2"
	"github.com/twmb/franz-go/pkg/kgo"
)

// whole is an event with all that it has.
type whole struct {
	Binding      *string           `avro:"binding"`
	Asset        string            `avro:"asset"`
	Deployment   *string           `avro:"deployment"`
	ScoringID    *string           `avro:"scoring_id"`
	ScoredAt     *time.Time        `avro:"scored_at"`
	ResponseTime *int64            `avro:"response_time_ms"`
	Request      any               `avro:"request"`
	Response     any               `avro:"response"`
	Attributes   map[string]string `avro:"attributes"`
}

// rows are a side of an event in the form that is posted.
type rows struct {
	Fields []string `json:"fields"`
	Values [][]any  `json:"values"`
}

// scoring is a record as it is posted.
type scoring struct {
	target
	ScoringID    string `json:"scoring_id"`
	Timestamp    string `json:"scoring_timestamp"`
	ResponseTime *int64 `json:"response_time"`
	Request      rows   `json:"request"`
	Response     rows   `json:"response"`
}

// objects makes JSON records of events as one would write it: values in between, and encoding/json.
type objects struct {
	schema  avro.Schema
	targets map[string]target
}

// encode appends the body of one post.
func (o *objects) encode(to []byte, records []*kgo.Record) ([]byte, error) {
	made := make([]scoring, len(records))
	for number, record := range records {
		if err := o.record(&made[number], record); err != nil {
			return nil, placed(record, err)
		}
	}
	buffer := bytes.NewBuffer(to)
	if err := json.NewEncoder(buffer).Encode(made); err != nil {
		return nil, err
	}
	return buffer.Bytes(), nil
}

func (o *objects) record(to *scoring, record *kgo.Record) error {
	var found whole
	if len(record.Value) < header {
		return fmt.Errorf("too short")
	}
	if err := avro.Unmarshal(o.schema, record.Value[header:], &found); err != nil {
		return err
	}
	target, known := o.targets[found.Asset]
	if !known {
		return fmt.Errorf("unknown asset")
	}
	to.target = target
	if found.ScoringID != nil {
		to.ScoringID = *found.ScoringID
	} else {
		to.ScoringID = string(scoringID(nil, record))
	}
	at := record.Timestamp
	if found.ScoredAt != nil {
		at = *found.ScoredAt
	}
	to.Timestamp, to.ResponseTime = at.UTC().Format(stamp), found.ResponseTime
	var err error
	if to.Request, err = side(found.Request); err != nil {
		return err
	}
	if to.Response, err = side(found.Response); err != nil {
		return err
	}
	if len(to.Request.Values) != len(to.Response.Values) {
		return fmt.Errorf("as many rows as answers are needed")
	}
	return nil
}

// side is what a table holds, or what the JSON of a body says, with as many cells in each row as there are names.
func side(found any) (rows, error) {
	var made rows
	switch side := found.(type) {
	case body:
		if err := json.Unmarshal(side.Data, &made); err != nil {
			return made, fmt.Errorf("a body is not what is posted: %w", err)
		}
	case table:
		made = rows{side.Fields, side.Values}
	default:
		return made, fmt.Errorf("a side is a %T", found)
	}
	for _, row := range made.Values {
		if len(row) != len(made.Fields) {
			return made, fmt.Errorf("%d cells of %d columns", len(row), len(made.Fields))
		}
	}
	return made, nil
}
