// Reference does the peers' work in Go: franz-go, hamba/avro, several posts in flight, at least once.
// It is run as `reference [-lean] BOOTSTRAP TOPIC GROUP URL SCHEMA` and ends when it is killed, or at the first error.
//
// As one would write it: events are decoded into values, bodies too, and encoding/json writes the records. With -lean
// it is the limit: fields that are not posted are skipped, JSON is written by hand, and that of bodies is checked and
// taken over as it is. Each batch is decoded and posted by a goroutine of its own, so that both cores are used.
package main

import (
	"context"
	"flag"
	"log"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	batch    = 500
	inFlight = 6
)

// work is a batch on its way; done is closed once it was accepted.
type work struct {
	records []*kgo.Record
	done    chan struct{}
}

func main() {
	isLean := flag.Bool("lean", false, "with as little between Avro and JSON as there can be")
	flag.Parse()
	if flag.NArg() != 5 {
		log.Fatal("expected [-lean] BOOTSTRAP TOPIC GROUP URL SCHEMA")
	}
	bootstrap, topic, group, url, schema := flag.Arg(0), flag.Arg(1), flag.Arg(2), flag.Arg(3), flag.Arg(4)
	mart, err := newMart(url)
	if err != nil {
		log.Fatal(err)
	}
	encoder, err := newEncoder(schema, mart.targets, *isLean)
	if err != nil {
		log.Fatal(err)
	}
	// what is marked is committed by the client, every second, and when partitions are revoked
	client, err := kgo.NewClient(
		kgo.SeedBrokers(bootstrap), kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.AutoCommitMarks(), kgo.AutoCommitInterval(commitEvery),
	)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	open := make(chan work, inFlight-1) // and the one that is waited for
	go mark(client, open)
	for {
		fetched := client.PollRecords(context.Background(), batch)
		if err := fetched.Err(); err != nil {
			log.Fatal(err)
		}
		if fetched.NumRecords() == 0 {
			continue
		}
		next := work{fetched.Records(), make(chan struct{})}
		open <- next // waits while too many are in flight
		go post(mart, encoder, next)
	}
}

func post(mart *mart, encoder encoder, batch work) {
	body := buffers.Get().(*[]byte)
	defer buffers.Put(body)
	var err error
	if *body, err = encoder.encode((*body)[:0], batch.records); err != nil {
		log.Fatal(err)
	}
	if err := mart.post(*body); err != nil {
		log.Fatal(err)
	}
	close(batch.done)
}

// mark marks batches for the commit in the order in which they were read.
func mark(client *kgo.Client, open <-chan work) {
	for batch := range open {
		<-batch.done
		client.MarkCommitRecords(batch.records...)
	}
}
