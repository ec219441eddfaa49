// Sink is a data mart that is never the bottleneck: it answers what a worker needs to run, takes scoring records,
// and counts them. It prints its address on standard output and ends when standard input does.
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
	subscriptions := flag.Int("subscriptions", 1, "how many subscriptions the one custom binding has")
	latency := flag.Duration("latency", 0, "how long a post waits for its answer")
	flag.Parse()

	listener, err := net.Listen("tcp", *address)
	if err != nil {
		log.Fatal(err)
	}
	tally := newTally()
	handler := http.NewServeMux()
	answerCatalogue(handler, *dataMart, *subscriptions)
	takePayloads(handler, tally, *dataMart, *latency)
	fmt.Printf("http://%s\n", listener.Addr())
	go endWithInput()
	log.Fatal(http.Serve(listener, handler))
}

func endWithInput() {
	io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

// takePayloads adds the endpoint for scoring records, and the ones to read and to reset the count.
func takePayloads(handler *http.ServeMux, tally *tally, dataMart string, latency time.Duration) {
	handler.HandleFunc("/v1/data_marts/"+dataMart+"/scoring_payloads", func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		arrived := time.Now()
		if err := tally.take(r, arrived); err != nil {
			http.Error(w, "the body could not be read", http.StatusBadRequest)
			return
		}
		if latency > 0 {
			time.Sleep(latency - time.Since(arrived))
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusAccepted)
		io.WriteString(w, "{}")
	})
	handler.HandleFunc("/count", func(w http.ResponseWriter, _ *http.Request) { answer(w, tally.read()) })
	handler.HandleFunc("/reset", func(w http.ResponseWriter, _ *http.Request) {
		tally.reset()
		answer(w, tally.read())
	})
}
