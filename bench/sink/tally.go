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
// first post, and the end of the last one that brought an id which was new. `Most` is of posts at once, `Refused` of
// posts that were answered 429; `Posts` are those that were taken.
type count struct {
	Posts    int   `json:"posts"`
	Refused  int   `json:"refused"`
	Most     int   `json:"most"`
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
	timed bool
	ages  ages
}

func newTally(timed bool) *tally {
	made := &tally{timed: timed, pool: sync.Pool{New: func() any { return &buffers{} }}}
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
	t.began, t.count, t.seen = time.Now(), count{First: -1}, make(map[[16]byte]struct{}, 1<<17)
	t.ages = ages{}
}

func (t *tally) read() count {
	t.lock.Lock()
	defer t.lock.Unlock()
	return t.count
}

func (t *tally) forgetAges() {
	t.lock.Lock()
	defer t.lock.Unlock()
	t.ages = ages{}
}

func (t *tally) readAges() summary {
	t.lock.Lock()
	defer t.lock.Unlock()
	return t.ages.summary()
}

// saw notes that a post has come, whatever becomes of it.
func (t *tally) saw(arrived time.Time, atOnce int) {
	t.lock.Lock()
	defer t.lock.Unlock()
	if t.count.First < 0 {
		t.count.First = int64(arrived.Sub(t.began))
	}
	t.count.Most = max(t.count.Most, atOnce)
}

func (t *tally) refuse() {
	t.lock.Lock()
	defer t.lock.Unlock()
	t.count.Refused++
}

// readBody reads a post and finds its records: by the key of their ids, which is far cheaper than reading JSON.
func (t *tally) readBody(r *http.Request) (*buffers, error) {
	held := t.pool.Get().(*buffers)
	held.body.Reset()
	if r.ContentLength > 0 {
		held.body.Grow(int(r.ContentLength) + bytes.MinRead)
	}
	if _, err := held.body.ReadFrom(r.Body); err != nil {
		t.pool.Put(held)
		return nil, err
	}
	held.ids = hashes(held.ids[:0], held.body.Bytes())
	return held, nil
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

// add counts what a post has brought, and takes its buffers back.
func (t *tally) add(held *buffers) {
	defer t.pool.Put(held)
	t.lock.Lock()
	defer t.lock.Unlock()
	for _, id := range held.ids {
		t.seen[id] = struct{}{}
	}
	if len(t.seen) > t.count.Distinct {
		t.count.Last = int64(time.Since(t.began))
	}
	if t.timed {
		t.ages.note(held.body.Bytes(), time.Now())
	}
	t.count.Posts++
	t.count.Records += len(held.ids)
	t.count.Bytes += int64(held.body.Len())
	t.count.Distinct = len(t.seen)
}
