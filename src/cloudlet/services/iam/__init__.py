"""AWS Identity and Access Management: roles and policies. Users and groups come beside them.

https://docs.aws.amazon.com/IAM/latest/APIReference/welcome.html
"""

from cloudlet.arn import Arn
from cloudlet.iam.facts import ResourceFacts
from cloudlet.iam.tables import MIGRATIONS
from cloudlet.services.iam.facts import entity_facts
from cloudlet.services.iam.policy_operations import PolicyOperations
from cloudlet.services.iam.role_operations import RoleOperations


class IamService(RoleOperations, PolicyOperations):
    """The IAM service. Its tables belong to `cloudlet.iam`, whose decisions rest on them."""

    name = "iam"
    migrations = MIGRATIONS

    async def facts(self, resource: Arn) -> ResourceFacts | None:
        return await self.platform.store.read(lambda reader: entity_facts(reader, resource))
