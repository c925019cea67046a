//go:build ignore

// The function of the gobinary project: Lambda's Runtime API and a push, with the standard library only.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"os"
)

type event struct {
	RequestContext struct {
		RouteKey     string `json:"routeKey"`
		ConnectionID string `json:"connectionId"`
		APIID        string `json:"apiId"`
		Stage        string `json:"stage"`
	} `json:"requestContext"`
	Body string `json:"body"`
}

func main() {
	runtime := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/invocation/"
	for {
		if err := serveNext(runtime); err != nil {
			log.Fatal(err)
		}
	}
}

func serveNext(runtime string) error {
	resp, err := http.Get(runtime + "next")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var e event
	if err := json.NewDecoder(resp.Body).Decode(&e); err != nil {
		return err
	}
	id := resp.Header.Get("Lambda-Runtime-Aws-Request-Id")

	kind := "/response"
	result, err := handle(e)
	if err != nil {
		kind, result = "/error", map[string]any{"errorType": "error", "errorMessage": err.Error()}
	}
	body, err := json.Marshal(result)
	if err != nil {
		return err
	}
	done, err := http.Post(runtime+id+kind, "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	return done.Body.Close()
}

func handle(e event) (map[string]any, error) {
	c := e.RequestContext
	switch c.RouteKey {
	case "whoami":
		return map[string]any{"statusCode": 200, "body": c.ConnectionID}, nil
	case "fetch":
		if _, err := http.Get("https://elsewhere.example/"); err != nil {
			return map[string]any{"statusCode": 200, "body": err.Error()}, nil
		}
	case "push":
		endpoint := fmt.Sprintf("https://%s.execute-api.%s.amazonaws.com/%s/@connections/%s",
			c.APIID, os.Getenv("AWS_REGION"), c.Stage, url.PathEscape(c.ConnectionID))
		resp, err := http.Post(endpoint, "text/plain", bytes.NewReader([]byte("pushed "+e.Body)))
		if err != nil {
			return nil, err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			text, err := io.ReadAll(resp.Body)
			return nil, fmt.Errorf("%s %s: %s %w", endpoint, resp.Status, text, err)
		}
	}
	return map[string]any{"statusCode": 200}, nil
}
