"""Greets, and asks the platform who it runs as: `boto3` in a function talks to the node that it runs on."""

import boto3

sts = boto3.client("sts")


def handler(event, context):
    name = event.get("name", "world")
    identity = sts.get_caller_identity()
    print(f"greeting {name} as {identity['Arn']}")
    return {
        "greeting": f"Hello, {name}!",
        "account": identity["Account"],
        "role": identity["Arn"],
        "request_id": context.aws_request_id,
        "remaining_ms": context.get_remaining_time_in_millis(),
    }
