"""The tags of IAM's own resources, for policies that look at `aws:ResourceTag` and `iam:ResourceTag`."""

from cloudlet.arn import Arn
from cloudlet.iam import (
    entity_table,
    instance_profile_table,
    policy_table,
    provider_table,
    role_table,
    server_certificate_table,
    user_table,
)
from cloudlet.store.base import Reader

_NAMED = frozenset(
    {
        user_table.KIND,
        role_table.KIND,
        policy_table.KIND,
        instance_profile_table.KIND,
        server_certificate_table.KIND,
    }
)
"""The kinds whose key is the name that ends their ARN, in lower case."""
_PROVIDERS = frozenset({provider_table.OIDC, provider_table.SAML})


def resource_tags(reader: Reader, resource: Arn) -> dict[str, str]:
    """The tags of the entity of this ARN; none where there is no such entity."""
    kind, _, rest = resource.resource.partition("/")
    if kind in _NAMED:
        return dict(entity_table.tags(reader, resource.account, kind, rest.rpartition("/")[2].lower()))
    if kind in _PROVIDERS:
        return dict(entity_table.tags(reader, resource.account, kind, rest))
    return {}
