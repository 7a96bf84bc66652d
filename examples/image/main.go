// A function that is a program of its own, with no library: it asks Lambda's Runtime API for events and answers them.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

func main() {
	api := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/invocation/"
	for {
		next, err := http.Get(api + "next")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		body, _ := io.ReadAll(next.Body)
		next.Body.Close()
		id := next.Header.Get("Lambda-Runtime-Aws-Request-Id")

		event := struct{ Name string }{"world"}
		path, answer := "/response", ""
		if err := json.Unmarshal(body, &event); err != nil {
			path, answer = "/error", fmt.Sprintf(`{"errorType": "BadEvent", "errorMessage": %q}`, err.Error())
		} else {
			answer = fmt.Sprintf("%q", os.Getenv("GREETING")+", "+event.Name+"!")
		}
		fmt.Println("answering", id)
		sent, err := http.Post(api+id+path, "application/json", strings.NewReader(answer))
		if err == nil {
			sent.Body.Close()
		}
	}
}
