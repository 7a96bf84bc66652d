"""ECR's resources: repositories come by name, and maybe by another registry's account.

https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerregistry.html
"""

from cloudlet.iam.naming.base import ANY, NamedRequest, Spellings
from cloudlet.store.base import Reader


def ecr_resources(request: NamedRequest, _reader: Reader) -> list[Spellings]:
    """The repository, or each of several; any where none is named."""
    if arn := request.text("resourceArn"):
        return [(arn,)]
    account = request.text("registryId") or request.principal.account
    names = request.params.get("repositoryNames")
    named = [request.text("repositoryName"), *(names if isinstance(names, list) else ())]
    found = [
        f"arn:aws:ecr:{request.region}:{account}:repository/{name}" for name in named if isinstance(name, str) and name
    ]
    if not found and account != request.principal.account:
        return [(f"arn:aws:ecr:{request.region}:{account}:repository/*",)]
    return [(one,) for one in found] or [ANY]
