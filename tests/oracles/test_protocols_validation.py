"""Inputs that AWS has refused are refused with the texts and codes that were recorded."""

from typing import Any

import pytest

from cloudlet.errors import ValidationError
from cloudlet.wire.model import ServiceModels
from tests.support.oracles import ORACLES, recorded

pytestmark = pytest.mark.skipif(not ORACLES.exists(), reason="the oracles are not beside the checkout")

MODELS = ServiceModels()
ROLE = "arn:aws:iam::111111111111:role/r"
LAYER = "arn:<partition>:lambda:<region>:111111111111:layer:<resource:1>"
ALIAS = {"FunctionName": "f", "Name": "a", "FunctionVersion": "1"}
FUNCTION = {"FunctionName": "f", "Role": ROLE, "Code": {}}
UNFIT_WEIGHTS = "TestLambdaAlias::test_notfound_and_invalid_routingconfigs"
MESSAGE_ATTRIBUTES = "TestSNSSubscriptionSQS::test_empty_or_wrong_message_attributes"
FILTERS = "TestMetricFiltersValidation"


def weights(weights: dict[str, float]) -> dict[str, Any]:
    return {**ALIAS, "RoutingConfig": {"AdditionalVersionWeights": weights}}


CASES: list[tuple[str, str, dict[str, Any], str, str]] = [
    (
        "sts",
        "AssumeRole",
        {"RoleArn": ROLE, "RoleSessionName": "Session1:2"},
        "TestSTSIntegrations::test_sts_invalid_parameters",
        "invalid-session-name",
    ),
    ("lambda", "CreateAlias", weights({"2": -1.0}), UNFIT_WEIGHTS, "routing_config_exc_subzero"),
    ("lambda", "CreateAlias", weights({"2": 2.0}), UNFIT_WEIGHTS, "routing_config_exc_toohigh"),
    ("lambda", "CreateAlias", weights({"$LATEST": 0.5}), UNFIT_WEIGHTS, "routing_config_exc_version_latest"),
    (
        "lambda",
        "CreateEventSourceMapping",
        {
            "FunctionName": "f",
            "EventSourceArn": "arn:aws:kinesis:us-east-1:111111111111:stream/s",
            "StartingPosition": "invalid",
        },
        "TestLambdaEventSourceMappings::test_create_event_source_validation_kinesis",
        "invalid_starting_position",
    ),
    (
        "lambda",
        "CreateFunction",
        {**FUNCTION, "VpcConfig": {"SubnetIds": ["<subnet_id_2>"]}},
        "TestLambdaFunction::test_invalid_vpc_config_subnet",
        "create-response-invalid-format-subnet-id",
    ),
    (
        "lambda",
        "UpdateFunctionConfiguration",
        {"FunctionName": "f", "Role": "r1"},
        "TestLambdaFunction::test_update_lambda_exceptions",
        "invalid_role_arn_exc",
    ),
    (
        "lambda",
        "CreateFunction",
        {**FUNCTION, "Layers": [LAYER]},
        "TestLambdaLayer::test_layer_function_exceptions",
        "add_layer_arn_without_version_exc",
    ),
    (
        "lambda",
        "AddLayerVersionPermission",
        {"LayerName": "l", "VersionNumber": 1, "StatementId": "s", "Action": "*", "Principal": "*"},
        "TestLambdaLayer::test_layer_policy_exceptions",
        "layer_permission_action_invalid",
    ),
    (
        "logs",
        "FilterLogEvents",
        {"logGroupName": "g", "limit": 10001},
        "TestFilterLogEvents::test_filter_log_events_limit_validation",
        "error-limit-exceeded",
    ),
    (
        "logs",
        "PutMetricFilter",
        {
            "logGroupName": "g",
            "filterName": "X" * 513,
            "filterPattern": "",
            "metricTransformations": [{"metricName": "m", "metricNamespace": "n", "metricValue": "1"}],
        },
        f"{FILTERS}::test_put_metric_filter_invalid_filter_name",
        "error-invalid-filter-name",
    ),
    (
        "logs",
        "PutMetricFilter",
        {
            "logGroupName": "g",
            "filterName": "f",
            "filterPattern": "",
            "metricTransformations": [
                {"metricName": f"metric{number}", "metricNamespace": f"namespace{number}", "metricValue": "1"}
                for number in (1, 2)
            ],
        },
        f"{FILTERS}::test_put_metric_filter_too_many_transformations",
        "error-too-many-transformations",
    ),
    (
        "sns",
        "SetPlatformApplicationAttributes",
        {"PlatformApplicationArn": "arn"},
        "TestSNSPlatformApplicationCrud::test_set_platform_application_attributes_non_existing_app",
        "non_existing-application-arn",
    ),
    (
        "sns",
        "PublishBatch",
        {
            "TopicArn": "arn",
            "PublishBatchRequestEntries": [
                {"Id": "1", "Message": "m", "MessageAttributes": {"attr1": {"StringValue": "v"}}}
            ],
        },
        MESSAGE_ATTRIBUTES,
        "batch-fully_missing_data_type",
    ),
    (
        "sns",
        "Publish",
        {"Message": "m", "MessageAttributes": {"attr1": {"StringValue": "v"}}},
        MESSAGE_ATTRIBUTES,
        "fully_missing_data_type",
    ),
]

MODEL_HAS_CHANGED = {
    "add_layer_arn_without_version_exc": ("((arn", "(arn", "+))", "+)"),
    "error-too-many-transformations": ("dimensions=null, unit=null", "unit=null, dimensions=null"),
}
"""What botocore's model spells otherwise than the one that AWS's servers had when the answer was recorded, and what
they had."""


@pytest.mark.parametrize(
    ("service", "operation", "params", "scenario", "answer"), [pytest.param(*case, id=case[4]) for case in CASES]
)
def test_an_input_is_refused_as_recorded(
    service: str, operation: str, params: dict[str, Any], scenario: str, answer: str
) -> None:
    expected = recorded(service)[scenario]["answers"][answer]["Error"]
    with pytest.raises(ValidationError) as refusal:
        MODELS.service(service).operation(operation).validate(params)
    message = refusal.value.message
    spellings = MODEL_HAS_CHANGED.get(answer, ())
    for ours, theirs in zip(spellings[::2], spellings[1::2], strict=True):
        message = message.replace(ours, theirs)
    assert message == expected["Message"]
    assert refusal.value.code == expected["Code"]
