// Sink is a data mart that is never the bottleneck, unless it is told to be one: it answers what a worker needs to
// run, takes scoring records, and counts them. It prints its address on standard output and ends when standard input
// does.
package main

import (
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"time"
)

func main() {
	address := flag.String("address", "127.0.0.1:0", "where to listen")
	dataMart := flag.String("data-mart", "00000000-0000-0000-0000-000000000000", "id of the data mart")
	subscriptions := flag.Int("subscriptions", 1, "how many subscriptions the custom binding has")
	timed := flag.Bool("timed", false, "tell how old records were when they were stored, by their scoring_timestamp")
	var manner manner
	flag.DurationVar(&manner.latency, "latency", 0, "how long a post waits for its answer")
	flag.IntVar(&manner.knee, "knee", 0, "posts at once above which all of them take longer; 0: never")
	flag.IntVar(&manner.limit, "limit", 0, "posts at once above which a post is answered 429; 0: never")
	flag.Parse()

	listener, err := net.Listen("tcp", *address)
	if err != nil {
		log.Fatal(err)
	}
	tally := newTally(*timed)
	handler := http.NewServeMux()
	answerCatalogue(handler, *dataMart, *subscriptions)
	takePayloads(handler, tally, *dataMart, &manner)
	fmt.Printf("http://%s\n", listener.Addr())
	go endWithInput()
	log.Fatal(http.Serve(listener, handler))
}

func endWithInput() {
	io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

// takePayloads adds the endpoint for scoring records, and the ones to read and to reset what was counted.
func takePayloads(handler *http.ServeMux, tally *tally, dataMart string, manner *manner) {
	handler.HandleFunc("/v1/data_marts/"+dataMart+"/scoring_payloads", func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		take(w, r, tally, manner)
	})
	handler.HandleFunc("/count", func(w http.ResponseWriter, _ *http.Request) { answer(w, tally.read()) })
	handler.HandleFunc("/ages", func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodDelete {
			tally.forgetAges()
		}
		answer(w, tally.readAges())
	})
	handler.HandleFunc("/reset", func(w http.ResponseWriter, _ *http.Request) {
		tally.reset()
		answer(w, tally.read())
	})
}

// take answers one post. What it brings counts as stored when the answer goes out, so after the latency.
func take(w http.ResponseWriter, r *http.Request, tally *tally, manner *manner) {
	arrived := time.Now()
	atOnce := manner.enter()
	defer manner.leave()
	tally.saw(arrived, atOnce)
	if manner.tooMany(atOnce) {
		io.Copy(io.Discard, r.Body)
		tally.refuse()
		http.Error(w, `{"errors":[{"code":"too_many_requests"}]}`, http.StatusTooManyRequests)
		return
	}
	held, err := tally.readBody(r)
	if err != nil {
		http.Error(w, "the body could not be read", http.StatusBadRequest)
		return
	}
	manner.wait(arrived, atOnce)
	tally.add(held)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusAccepted)
	io.WriteString(w, "{}")
}
