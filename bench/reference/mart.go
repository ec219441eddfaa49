package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"
)

const (
	dataMart    = "00000000-0000-0000-0000-000000000000"
	commitEvery = time.Second
	timeout     = 30 * time.Second
)

var buffers = sync.Pool{New: func() any { made := make([]byte, 0, 1<<19); return &made }}

// target has the ids of a record.
type target struct {
	Binding      string `json:"binding_id"`
	Subscription string `json:"subscription_id"`
	Deployment   string `json:"deployment_id"`
}

// mart is the endpoint: targets are by asset.
type mart struct {
	client   *http.Client
	url      string
	token    string
	targets  map[string]target
	payloads string
}

func newMart(base string) (*mart, error) {
	transport := &http.Transport{MaxIdleConnsPerHost: inFlight}
	made := &mart{
		client: &http.Client{Timeout: timeout, Transport: transport},
		url:    base + "/v1/data_marts/" + dataMart, targets: map[string]target{},
	}
	made.payloads = made.url + "/scoring_payloads"
	if err := made.authenticate(base); err != nil {
		return nil, err
	}
	return made, made.find()
}

func (m *mart) authenticate(base string) error {
	form := url.Values{"grant_type": {"urn:ibm:params:oauth:grant-type:apikey"}, "apikey": {"bench"}}
	answer, err := m.client.PostForm(base+"/v1/preauth/validateAuth", form)
	if err != nil {
		return err
	}
	var found struct {
		Token string `json:"access_token"`
	}
	defer answer.Body.Close()
	err = json.NewDecoder(answer.Body).Decode(&found)
	m.token = "Bearer " + found.Token
	return err
}

func (m *mart) find() error {
	type metadata struct {
		GUID string `json:"guid"`
	}
	var bindings struct {
		Each []struct {
			Metadata metadata `json:"metadata"`
		} `json:"service_bindings"`
	}
	if err := m.get("/service_bindings", &bindings); err != nil {
		return err
	}
	for _, binding := range bindings.Each {
		var subscriptions struct {
			Each []struct {
				Metadata metadata `json:"metadata"`
				Entity   struct {
					Asset struct {
						ID string `json:"asset_id"`
					} `json:"asset"`
					Deployments []struct {
						ID string `json:"deployment_id"`
					} `json:"deployments"`
				} `json:"entity"`
			} `json:"subscriptions"`
		}
		if err := m.get("/service_bindings/"+binding.Metadata.GUID+"/subscriptions", &subscriptions); err != nil {
			return err
		}
		for _, each := range subscriptions.Each {
			m.targets[each.Entity.Asset.ID] = target{
				binding.Metadata.GUID, each.Metadata.GUID, each.Entity.Deployments[0].ID,
			}
		}
	}
	return nil
}

func (m *mart) get(path string, found any) error {
	request, err := http.NewRequest(http.MethodGet, m.url+path, nil)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", m.token)
	answer, err := m.client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	return json.NewDecoder(answer.Body).Decode(found)
}

// post sends a batch; anything but an acceptance is an error.
func (m *mart) post(body []byte) error {
	request, err := http.NewRequest(http.MethodPost, m.payloads, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", m.token)
	request.Header.Set("Content-Type", "application/json")
	answer, err := m.client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return err
	}
	if answer.StatusCode != http.StatusAccepted && answer.StatusCode != http.StatusNoContent {
		return fmt.Errorf("the mart answered %s", answer.Status)
	}
	return nil
}
