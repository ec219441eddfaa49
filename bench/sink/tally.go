package main

import (
	"bytes"
	"crypto/md5"
	"net/http"
	"sync"
	"time"
)

var marker = []byte(`"scoring_id":"`)

// count is what the sink has seen since it was reset. The two times are in nanoseconds since then: the arrival of the
// first post, and the end of the last one that brought an id which was new.
type count struct {
	Posts    int   `json:"posts"`
	Records  int   `json:"records"`
	Distinct int   `json:"distinct"`
	Bytes    int64 `json:"bytes"`
	First    int64 `json:"first_ns"`
	Last     int64 `json:"last_ns"`
}

type tally struct {
	lock  sync.Mutex
	began time.Time
	count count
	seen  map[[16]byte]struct{}
	pool  sync.Pool
}

func newTally() *tally {
	made := &tally{pool: sync.Pool{New: func() any { return &buffers{} }}}
	made.reset()
	return made
}

// buffers are what one post needs, kept for the next.
type buffers struct {
	body bytes.Buffer
	ids  [][16]byte
}

func (t *tally) reset() {
	t.lock.Lock()
	defer t.lock.Unlock()
	t.began, t.count, t.seen = time.Now(), count{}, make(map[[16]byte]struct{}, 1<<17)
}

func (t *tally) read() count {
	t.lock.Lock()
	defer t.lock.Unlock()
	return t.count
}

// take reads a post and counts its records: by the key of their ids, which is far cheaper than reading JSON.
func (t *tally) take(r *http.Request, arrived time.Time) error {
	held := t.pool.Get().(*buffers)
	defer t.pool.Put(held)
	held.body.Reset()
	if r.ContentLength > 0 {
		held.body.Grow(int(r.ContentLength) + bytes.MinRead)
	}
	if _, err := held.body.ReadFrom(r.Body); err != nil {
		return err
	}
	held.ids = hashes(held.ids[:0], held.body.Bytes())
	t.add(held.ids, int64(held.body.Len()), arrived)
	return nil
}

func hashes(ids [][16]byte, body []byte) [][16]byte {
	for {
		at := bytes.Index(body, marker)
		if at < 0 {
			return ids
		}
		body = body[at+len(marker):]
		end := bytes.IndexByte(body, '"')
		if end < 0 {
			return ids
		}
		ids = append(ids, md5.Sum(body[:end]))
		body = body[end:]
	}
}

func (t *tally) add(ids [][16]byte, size int64, arrived time.Time) {
	t.lock.Lock()
	defer t.lock.Unlock()
	if t.count.Posts == 0 {
		t.count.First = int64(arrived.Sub(t.began))
	}
	for _, id := range ids {
		t.seen[id] = struct{}{}
	}
	if len(t.seen) > t.count.Distinct {
		t.count.Last = int64(time.Since(t.began))
	}
	t.count.Posts++
	t.count.Records += len(ids)
	t.count.Bytes += size
	t.count.Distinct = len(t.seen)
}
