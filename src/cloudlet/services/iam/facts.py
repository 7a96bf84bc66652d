"""What decisions on permissions ask of IAM: a role's trust policy, and the tags of whatever has some."""

from cloudlet.arn import Arn
from cloudlet.iam import entity_table, role_table
from cloudlet.iam.facts import ResourceFacts
from cloudlet.store.base import Reader


def entity_facts(reader: Reader, resource: Arn) -> ResourceFacts | None:
    """The facts of an entity; None for a role that is not there."""
    kind, _, path = resource.resource.partition("/")
    name = path.rpartition("/")[2]
    if kind == role_table.KIND:
        role = role_table.find(reader, resource.account, name)
        if role is None:
            return None
        return ResourceFacts(role.trust_policy, dict(entity_table.tags(reader, role.account, kind, role.key)))
    return ResourceFacts(tags=dict(entity_table.tags(reader, resource.account, kind, name.lower())))
