package main

import (
	"sync/atomic"
	"time"
)

// manner is how the endpoint behaves: with a knee it is one that degrades, where n posts at once above it take
// (n/knee)² times the latency each, so that all of them together get less done the more there are.
type manner struct {
	latency time.Duration
	knee    int
	limit   int
	now     atomic.Int64
}

// enter counts a post in, and says how many there are with it.
func (m *manner) enter() int { return int(m.now.Add(1)) }

func (m *manner) leave() { m.now.Add(-1) }

func (m *manner) tooMany(atOnce int) bool { return m.limit > 0 && atOnce > m.limit }

// wait returns when a post that arrived then, as one of so many, is to be answered.
func (m *manner) wait(arrived time.Time, atOnce int) {
	if wanted := m.takes(atOnce); wanted > 0 {
		time.Sleep(wanted - time.Since(arrived))
	}
}

func (m *manner) takes(atOnce int) time.Duration {
	if m.knee == 0 || atOnce <= m.knee {
		return m.latency
	}
	excess := float64(atOnce) / float64(m.knee)
	return time.Duration(float64(m.latency) * excess * excess)
}
