package main

import (
	"bytes"
	"time"
)

var stamp = []byte(`"scoring_timestamp":"`)

const longest = 60_000

// ages is a histogram of how old records were when they were stored, by whole milliseconds; the last holds all above.
type ages struct {
	counts [longest + 1]int
	unread int
}

// summary tells the least age, in milliseconds, that a share of the records did not exceed.
type summary struct {
	Records int `json:"records"`
	Unread  int `json:"unread"`
	P50     int `json:"p50_ms"`
	P90     int `json:"p90_ms"`
	P99     int `json:"p99_ms"`
	Max     int `json:"max_ms"`
}

func (a *ages) note(body []byte, stored time.Time) {
	for {
		at := bytes.Index(body, stamp)
		if at < 0 {
			return
		}
		body = body[at+len(stamp):]
		end := bytes.IndexByte(body, '"')
		if end < 0 {
			return
		}
		if scored, err := time.Parse(time.RFC3339Nano, string(body[:end])); err != nil {
			a.unread++
		} else {
			a.counts[min(max(stored.Sub(scored).Milliseconds(), 0), longest)]++
		}
		body = body[end:]
	}
}

func (a *ages) summary() summary {
	total := 0
	for _, count := range a.counts {
		total += count
	}
	return summary{total, a.unread, a.at(total, 0.5), a.at(total, 0.9), a.at(total, 0.99), a.at(total, 1)}
}

func (a *ages) at(total int, share float64) int {
	passed := 0
	for age, count := range a.counts {
		passed += count
		if count > 0 && float64(passed) >= share*float64(total) {
			return age
		}
	}
	return 0
}
