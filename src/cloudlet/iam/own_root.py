"""What binds the root of an account within its own: organisations' policies, and a Deny in a resource's policy.

A resource's policy that denies everybody denies root too: "an explicit deny overrides". So that nobody is locked out of
what is theirs, root may still look at such a policy, change it, and take it away.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-denyallow.html,
https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketPolicy.html,
https://docs.aws.amazon.com/aws-managed-policy/latest/reference/SQSUnlockQueuePolicy.html
"""

from collections.abc import Iterator, Mapping
from typing import Any

from cloudlet.iam.compiled import compiled
from cloudlet.iam.evaluate import Source
from cloudlet.iam.naming.sqs import queue_of_url
from cloudlet.iam.policy import PolicyError
from cloudlet.iam.principals import RequestContext

MENDS = frozenset(
    {
        "ecr:DeleteRepositoryPolicy",
        "ecr:GetRepositoryPolicy",
        "ecr:SetRepositoryPolicy",
        "sns:GetTopicAttributes",
        "sns:RemovePermission",
        "sns:SetTopicAttributes",
        "sqs:GetQueueAttributes",
        "sqs:GetQueueUrl",
        "sqs:RemovePermission",
        "sqs:SetQueueAttributes",
    }
)
"""What root may do with a resource of its account, whatever its policy says."""
_WITH_POLICIES = frozenset({"ecr", "sns", "sqs"})
"""The services whose resources' policies customers write themselves. Those of functions and layers only allow."""


def named_resources(context: RequestContext, params: Mapping[str, Any]) -> Iterator[str]:
    """The ARNs of what a call may be about, where that may have a policy that denies. This is on the way of each call
    of root, so that it names without looking anything up; who decides in earnest looks exactly."""
    if context.service not in _WITH_POLICIES:
        return
    if context.service == "sqs":
        if isinstance(url := params.get("QueueUrl"), str) and (queue := queue_of_url(url)):
            yield f"arn:aws:sqs:{context.region}:{queue[0]}:{queue[1]}"
        if name := params.get("QueueName"):
            yield f"arn:aws:sqs:{context.region}:{context.account}:{name}"
    elif name := params.get("repositoryName"):
        yield f"arn:aws:ecr:{context.region}:{context.account}:repository/{name}"
    for value in params.values():
        if isinstance(value, str) and value[:4] == "arn:":
            yield value


def denies(policy: str | None) -> bool:
    """True when there is a Deny in this policy, about whatever. One that cannot be read says nothing."""
    if not policy:
        return False
    try:
        return any(statement.effect == "Deny" for statement in compiled(policy, Source.RESOURCE.value).statements)
    except PolicyError:
        return False
