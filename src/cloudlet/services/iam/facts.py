"""What decisions on permissions ask of IAM: a role's trust policy, and the tags of whatever has some."""

from cloudlet.arn import Arn
from cloudlet.iam import role_table
from cloudlet.iam.facts import ResourceFacts
from cloudlet.services.iam.resource_tags import resource_tags
from cloudlet.store.base import Reader


def entity_facts(reader: Reader, resource: Arn) -> ResourceFacts | None:
    """The facts of an entity; None for a role that is not there. A trust policy is the policy on its role."""
    kind, _, path = resource.resource.partition("/")
    if kind != role_table.KIND:
        return ResourceFacts(tags=resource_tags(reader, resource))
    role = role_table.find(reader, resource.account, path.rpartition("/")[2])
    return None if role is None else ResourceFacts(role.trust_policy, resource_tags(reader, resource))
