"""SNS's resources: a topic comes by its ARN, in one of three members, or by the name that it is to have.

What a message says is not looked at, though it may be an ARN.
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsns.html
"""

from cloudlet.iam.naming.base import ANY, NamedRequest, Spellings
from cloudlet.store.base import Reader


def sns_resources(request: NamedRequest, _reader: Reader) -> list[Spellings]:
    """The topic; any resource where the request names none."""
    if arn := request.text("TopicArn", "TargetArn", "ResourceArn"):
        return [(arn,)]
    if request.action.name == "sns:CreateTopic" and (name := request.text("Name")):
        return [(request.arn(name),)]
    return [ANY]
