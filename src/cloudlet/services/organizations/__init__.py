"""AWS Organizations: many accounts under one, and what all of them may do at most.

https://docs.aws.amazon.com/organizations/latest/APIReference/Welcome.html
"""

from cloudlet.arn import Arn
from cloudlet.iam import organisation_table as table
from cloudlet.iam.facts import ResourceFacts
from cloudlet.services.organizations.account_operations import AccountOperations
from cloudlet.services.organizations.organization_operations import OrganizationOperations
from cloudlet.services.organizations.policy_operations import PolicyOperations
from cloudlet.services.organizations.tag_operations import TagOperations
from cloudlet.services.organizations.unit_operations import UnitOperations


class OrganizationsService(OrganizationOperations, AccountOperations, UnitOperations, PolicyOperations, TagOperations):
    """The Organizations service. Its tables belong to `cloudlet.iam`, whose decisions rest on them."""

    name = "organizations"

    async def facts(self, resource: Arn) -> ResourceFacts | None:
        """The tags of a root, a unit, an account or a policy."""
        resource_id = resource.resource.rpartition("/")[2]
        tags = await self.platform.store.read(lambda reader: table.tags(reader, resource.account, resource_id))
        return ResourceFacts(tags=dict(tags))
