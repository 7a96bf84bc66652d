"""The resources that a call was about, as events name them: those that its permission was asked for.

https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_Resource.html
"""

import logging
from collections.abc import Mapping
from typing import Any, NamedTuple

from cloudlet.arn import Arn
from cloudlet.errors import ServiceError
from cloudlet.iam.principals import RequestContext
from cloudlet.iam.requirements import PASS_ROLE, action_of, requirements
from cloudlet.store.base import Reader

logger = logging.getLogger(__name__)
MOST = 20
"""More resources of one call are not named."""

_TYPES: Mapping[str, str] = {
    "dynamodb:table": "AWS::DynamoDB::Table",
    "events:event-bus": "AWS::Events::EventBus",
    "events:rule": "AWS::Events::Rule",
    "iam:group": "AWS::IAM::Group",
    "iam:instance-profile": "AWS::IAM::InstanceProfile",
    "iam:oidc-provider": "AWS::IAM::OIDCProvider",
    "iam:policy": "AWS::IAM::Policy",
    "iam:role": "AWS::IAM::Role",
    "iam:saml-provider": "AWS::IAM::SAMLProvider",
    "iam:server-certificate": "AWS::IAM::ServerCertificate",
    "iam:user": "AWS::IAM::User",
    "kinesis:stream": "AWS::Kinesis::Stream",
    "kms:key": "AWS::KMS::Key",
    "lambda:event-source-mapping": "AWS::Lambda::EventSourceMapping",
    "lambda:function": "AWS::Lambda::Function",
    "lambda:layer": "AWS::Lambda::LayerVersion",
    "logs:log-group": "AWS::Logs::LogGroup",
    "secretsmanager:secret": "AWS::SecretsManager::Secret",
    "ssm:parameter": "AWS::SSM::Parameter",
    "states:stateMachine": "AWS::StepFunctions::StateMachine",
}
"""The start of an ARN's resource -> its type."""
_WHOLE_TYPES: Mapping[str, str] = {"s3": "AWS::S3::Bucket", "sns": "AWS::SNS::Topic", "sqs": "AWS::SQS::Queue"}
"""Services whose ARNs have no type in them."""


class Resource(NamedTuple):
    """One resource of a call."""

    arn: str
    type: str
    """`AWS::Lambda::Function`; empty where there is no such name."""
    name: str
    """The last part of the ARN."""
    account: str


def resources_of(context: RequestContext, params: Mapping[str, Any], reader: Reader) -> list[Resource]:
    """The resources of a call. An event is written whatever its call looked like, so nothing is raised."""
    found = action_of(context.service, context.operation)
    if found is None:
        return []
    try:
        needed = requirements(context, found, params, reader)
    except (ServiceError, ValueError, KeyError, TypeError, AttributeError):
        # The call itself was refused for these parameters.
        logger.debug("a call's resources cannot be told", extra={"operation": context.operation}, exc_info=True)
        return []
    arns = dict.fromkeys(one.resource[0] for one in needed if one.action != PASS_ROLE)
    return [resource for arn in arns if (resource := _resource(arn)) is not None][:MOST]


def _resource(text: str) -> Resource | None:
    """The resource of an ARN; None where a call named something else."""
    try:
        arn = Arn.parse(text)
    except ValueError:
        return None
    kind = arn.resource.replace("/", ":").partition(":")[0]
    type_name = _TYPES.get(f"{arn.service}:{kind}") or _WHOLE_TYPES.get(arn.service, "")
    if arn.service == "s3" and "/" in arn.resource:
        type_name = "AWS::S3::Object"
    return Resource(text, type_name, _name(arn), arn.account)


def _name(arn: Arn) -> str:
    """`worker` of `function:worker`, `/aws/a` of `log-group:/aws/a:*`, `alice` of `user/team/alice`."""
    if arn.service in _WHOLE_TYPES:
        return arn.resource
    if ":" in arn.resource:
        return arn.resource.removesuffix(":*").partition(":")[2]
    return arn.resource.rpartition("/")[2]
