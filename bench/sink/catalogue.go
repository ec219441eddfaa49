package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

const created = "2019-06-11T10:00:00.000Z"

type object = map[string]any

// service is a bound engine; `features` is what its subscriptions say of their columns, where its requests name none.
type service struct {
	guid, engine, asset string
	digit               string
	subscriptions       int
	features            []string
}

// features are the columns of the benchmark's model, as bench/events.py has them.
var features = []string{
	"checking_status", "loan_duration_months", "credit_history", "loan_purpose", "loan_amount", "existing_savings",
	"employment_duration", "installment_percent", "age", "owns_property", "existing_credits_count", "monthly_income",
	"debt_to_income", "foreign_worker",
}

// services are the bindings of the data mart: many subscriptions of a custom engine, one of each of two others.
func services(subscriptions int) []service {
	return []service{
		{"00000000-0000-4000-8000-00000000b001", "custom_machine_learning", "asset", "0", subscriptions, nil},
		{"00000000-0000-4000-8000-00000000b002", "azure_machine_learning", "studio", "1", 1, nil},
		{"00000000-0000-4000-8000-00000000b003", "amazon_sagemaker", "sagemaker", "2", 1, features},
	}
}

// answerCatalogue adds what a worker asks before it posts: a token, the data mart, its bindings and subscriptions.
func answerCatalogue(handler *http.ServeMux, dataMart string, subscriptions int) {
	mart := "/v1/data_marts/" + dataMart
	bindings := mart + "/service_bindings"
	say := func(path string, found object) {
		handler.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) { answer(w, found) })
	}
	bound := []object{}
	for _, service := range services(subscriptions) {
		listed := make([]object, service.subscriptions)
		for number := range listed {
			listed[number] = subscription(service, number, bindings)
		}
		bound = append(bound, binding(service, bindings))
		say(bindings+"/"+service.guid, binding(service, bindings))
		say(bindings+"/"+service.guid+"/subscriptions", object{"subscriptions": listed})
	}
	handler.HandleFunc("/v1/preauth/validateAuth", func(w http.ResponseWriter, _ *http.Request) { answer(w, token()) })
	say(mart, object{"internal_database": true, "status": object{"state": "active"}, "service_instance_crn": "N/A"})
	say(bindings, object{"service_bindings": bound})
}

func answer(w http.ResponseWriter, found any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(found)
}

// token is a JWT by its shape, which clients read the end of its life from; nobody checks its signature.
func token() object {
	part := base64.RawURLEncoding.EncodeToString
	expires := time.Now().Add(time.Hour).Unix()
	text := part([]byte(`{"alg":"none"}`)) + "." + part([]byte(fmt.Sprintf(`{"exp":%d}`, expires))) + ".none"
	return object{
		"access_token": text, "accessToken": text, "refresh_token": "none", "token_type": "Bearer",
		"expires_in": 3600, "expiration": expires,
	}
}

func binding(of service, bindings string) object {
	return object{
		"metadata": object{"guid": of.guid, "url": bindings + "/" + of.guid, "created_at": created},
		"entity": object{
			"name": "scoring service of " + of.engine, "service_type": of.engine, "instance_id": of.guid,
			"credentials": object{"url": "http://127.0.0.1"}, "status": object{"state": "active"},
		},
	}
}

func subscription(of service, number int, bindings string) object {
	guid := fmt.Sprintf("00000000-0000-4000-8000-%sc%010d", of.digit, number)
	url := bindings + "/" + of.guid + "/subscriptions/" + guid
	asset := fmt.Sprintf("%s-%06d", of.asset, number)
	properties := object{"input_data_type": "structured", "problem_type": "binary", "prediction_field": "predicted_label"}
	if of.features != nil {
		properties["feature_fields"] = of.features
	}
	return object{
		"metadata": object{"guid": guid, "url": url, "created_at": created, "modified_at": created},
		"entity": object{
			"service_binding_id": of.guid,
			"status":             object{"state": "active"},
			"asset":              object{"asset_id": asset, "asset_type": "model", "name": "model " + asset, "url": "", "created_at": created},
			"asset_properties":   properties,
			"deployments": []object{{
				"deployment_id": fmt.Sprintf("00000000-0000-4000-8000-%sd%010d", of.digit, number), "name": "deployment of " + asset,
				"deployment_type": "online", "created_at": created, "url": "", "deployment_rn": "",
				"scoring_endpoint": object{"url": ""},
			}},
			"configurations": []object{{
				"type": "payload_logging", "monitor_definition_id": "payload_logging", "enabled": true,
				"url": url + "/configurations/payload_logging",
			}},
		},
	}
}
