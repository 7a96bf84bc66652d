"""Where AWS's service authorisation reference and its operations differ. The one table of exceptions.

An operation means the action of its own name, unless this table says otherwise.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

PREFIXES: Mapping[str, str] = {
    "apigatewayv2": "apigateway",
    "cognito-idp": "cognito-idp",
    "efs": "elasticfilesystem",
    "resourcegroupstaggingapi": "tag",
    "stepfunctions": "states",
}
"""botocore's name of a service -> the prefix of its actions, where the two are not the same."""

OPERATIONS: Mapping[tuple[str, str], str] = {
    ("lambda", "Invoke"): "lambda:InvokeFunction",
    ("lambda", "InvokeWithResponseStream"): "lambda:InvokeFunction",
    ("lambda", "GetLayerVersionByArn"): "lambda:GetLayerVersion",
    ("sqs", "ChangeMessageVisibilityBatch"): "sqs:ChangeMessageVisibility",
    ("sqs", "DeleteMessageBatch"): "sqs:DeleteMessage",
    ("sqs", "SendMessageBatch"): "sqs:SendMessage",
    ("sns", "PublishBatch"): "sns:Publish",
}
"""(service, operation) -> the action that it means."""

UNRESTRICTED = frozenset(
    {
        ("sts", "GetCallerIdentity"),
        ("sts", "GetSessionToken"),
        ("sts", "AssumeRoleWithWebIdentity"),
        ("sts", "AssumeRoleWithSAML"),
    }
)
"""Operations that need no permission: AWS answers them to whoever has credentials, or decides by the trust policy."""

ACTIONS: Mapping[str, Mapping[str, Any]] = {"ecr": {"ListImageReferrers": ["List", {"repository": True}, [], []]}}
"""Actions that the reference lacks: prefix -> name -> [level, resource types, keys, needs]."""

HIDDEN: Mapping[tuple[str, str], tuple[str, str]] = {
    ("sqs", "GetQueueUrl"): (
        "QueueDoesNotExist",
        "The specified queue does not exist or you do not have access to it.",
    ),
}
"""Operations whose refusal does not show whether another account has such a resource: (service, operation) -> the code
and the text that are answered then."""

NEEDS: Mapping[str, Sequence[str]] = {
    "cloudtrail:CreateTrail": ("iam:PassRole",),
    "cloudtrail:StartImport": ("iam:PassRole",),
    "cloudtrail:UpdateTrail": ("iam:PassRole",),
    "cloudwatch:PutMetricStream": ("iam:PassRole",),
    "ecr:CreatePullThroughCacheRule": ("iam:PassRole",),
    "ecr:UpdatePullThroughCacheRule": ("iam:PassRole",),
    "lambda:UpdateFunctionConfiguration": ("iam:PassRole",),
    "logs:CreateImportTask": ("iam:PassRole",),
    "logs:CreateScheduledQuery": ("iam:PassRole",),
    "logs:PutIntegration": ("iam:PassRole",),
    "logs:UpdateScheduledQuery": ("iam:PassRole",),
    "sns:Subscribe": ("iam:PassRole",),
}
"""Actions that the caller has to be allowed as well, where the reference does not say so. Whoever may give a function a
role that he may not pass is as mighty as the mightiest role.

https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html
"""

SPOKEN: Mapping[str, Callable[[str], str]] = {"sns": lambda action: f"SNS{action[3:]}", "sqs": str.lower}
"""How services spell their actions when they refuse, where it is not as in policies: prefix -> spelling."""

UNEXPLAINED = frozenset({"sts:AssumeRole"})
"""Actions whose refusal does not say which kind of policy did not allow."""

POLICY_SPEAKS_OF: Mapping[str, str] = {"iam": "sts"}
"""A service's prefix -> that of the actions which the policies on its resources are about, where it is another one: a
role's trust policy says who may assume it."""

ASKED_OF_SERVICE = frozenset(
    {
        "iam:DeleteServiceSpecificCredential",
        "iam:ResetServiceSpecificCredential",
        "iam:UpdateServiceSpecificCredential",
        "lambda:DeleteFunctionUrlConfig",
        "lambda:GetFunctionUrlConfig",
        "lambda:RemovePermission",
        "lambda:UpdateFunctionUrlConfig",
    }
)
"""Actions with condition keys that neither the request nor the resource's ARN tells (`FactSource.condition_keys`)."""
