package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

const (
	bindingID = "00000000-0000-4000-8000-00000000b001"
	created   = "2019-06-11T10:00:00.000Z"
)

type object = map[string]any

// answerCatalogue adds what a worker asks before it posts: a token, the data mart, its binding and its subscriptions.
func answerCatalogue(handler *http.ServeMux, dataMart string, subscriptions int) {
	mart := "/v1/data_marts/" + dataMart
	bindings := mart + "/service_bindings"
	listed := make([]object, subscriptions)
	for number := range listed {
		listed[number] = subscription(number, bindings)
	}
	say := func(path string, found object) {
		handler.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) { answer(w, found) })
	}
	handler.HandleFunc("/v1/preauth/validateAuth", func(w http.ResponseWriter, _ *http.Request) { answer(w, token()) })
	say(mart, object{"internal_database": true, "status": object{"state": "active"}, "service_instance_crn": "N/A"})
	say(bindings, object{"service_bindings": []object{binding(bindings)}})
	say(bindings+"/"+bindingID, binding(bindings))
	say(bindings+"/"+bindingID+"/subscriptions", object{"subscriptions": listed})
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

func binding(bindings string) object {
	return object{
		"metadata": object{"guid": bindingID, "url": bindings + "/" + bindingID, "created_at": created},
		"entity": object{
			"name": "scoring service", "service_type": "custom_machine_learning", "instance_id": bindingID,
			"credentials": object{"url": "http://127.0.0.1"}, "status": object{"state": "active"},
		},
	}
}

func subscription(number int, bindings string) object {
	guid := fmt.Sprintf("00000000-0000-4000-8000-0000c%07d", number)
	url := bindings + "/" + bindingID + "/subscriptions/" + guid
	asset := fmt.Sprintf("asset-%06d", number)
	return object{
		"metadata": object{"guid": guid, "url": url, "created_at": created, "modified_at": created},
		"entity": object{
			"service_binding_id": bindingID,
			"status":             object{"state": "active"},
			"asset":              object{"asset_id": asset, "asset_type": "model", "name": "model " + asset, "url": "", "created_at": created},
			"asset_properties":   object{"input_data_type": "structured", "problem_type": "binary", "prediction_field": "predicted_label"},
			"deployments": []object{{
				"deployment_id": fmt.Sprintf("00000000-0000-4000-8000-0000d%07d", number), "name": "deployment of " + asset,
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
