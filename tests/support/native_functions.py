"""The same function in Go and in Rust, on the official libraries: what custom runtimes are tested with.

It answers `{"hello": name, "request": id}`, logs a line, and fails when the event has an `error_msg`.
"""

from tests.support import builds

_GO = """
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

type Event struct {
	Name         string `json:"name"`
	ErrorMessage string `json:"error_msg"`
}

func handle(ctx context.Context, event Event) (map[string]string, error) {
	if event.ErrorMessage != "" {
		return nil, errors.New("Error: " + event.ErrorMessage)
	}
	fmt.Println("from go")
	known, _ := lambdacontext.FromContext(ctx)
	version := os.Getenv("AWS_LAMBDA_FUNCTION_VERSION")
	return map[string]string{"hello": event.Name, "request": known.AwsRequestID, "version": version}, nil
}

func main() { lambda.Start(handle) }
"""
_RUST = """
use lambda_runtime::{run, service_fn, Error, LambdaEvent};
use serde_json::{json, Value};

async fn handle(event: LambdaEvent<Value>) -> Result<Value, Error> {
    if let Some(message) = event.payload["error_msg"].as_str() {
        return Err(format!("Error: {message:?}").into());
    }
    println!("from rust");
    Ok(json!({
        "hello": event.payload["name"],
        "request": event.context.request_id,
        "version": event.context.env_config.version,
    }))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(handle)).await
}
"""


def go() -> builds.Files:
    """A package with the Go function."""
    return builds.go(_GO, "github.com/aws/aws-lambda-go@v1.55.1")


def rust() -> builds.Files:
    """A package with the Rust function. It takes a minute to build, once."""
    return builds.rust(
        _RUST,
        lambda_runtime='{version = "=0.13.0", default-features = false}',
        serde_json='"1"',
        tokio='{version = "1", features = ["macros", "rt"]}',
    )


LANGUAGES = {"go": go, "rust": rust}
