"""AWS Identity and Access Management: users, groups, roles, policies, and what they show who they are with.

https://docs.aws.amazon.com/IAM/latest/APIReference/welcome.html
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from cloudlet.arn import Arn
from cloudlet.iam import user_credential_table
from cloudlet.iam.facts import ResourceFacts
from cloudlet.iam.key_uses import KeyUses
from cloudlet.iam.tables import MIGRATIONS
from cloudlet.services.base import Platform
from cloudlet.services.iam.access_key_operations import AccessKeyOperations
from cloudlet.services.iam.account_operations import AccountOperations
from cloudlet.services.iam.attachment_operations import AttachmentOperations
from cloudlet.services.iam.credential_operations import CredentialOperations
from cloudlet.services.iam.facts import entity_facts
from cloudlet.services.iam.group_operations import GroupOperations
from cloudlet.services.iam.inline_operations import InlinePolicyOperations
from cloudlet.services.iam.instance_profile_operations import InstanceProfileOperations
from cloudlet.services.iam.login_operations import LoginOperations
from cloudlet.services.iam.policy_operations import PolicyOperations
from cloudlet.services.iam.provider_operations import ProviderOperations
from cloudlet.services.iam.role_operations import RoleOperations
from cloudlet.services.iam.server_certificate_operations import ServerCertificateOperations
from cloudlet.services.iam.service_linked_operations import ServiceLinkedOperations
from cloudlet.services.iam.simulation_operations import SimulationOperations
from cloudlet.services.iam.tag_operations import TagOperations
from cloudlet.services.iam.user_credential import SERVICE
from cloudlet.services.iam.user_operations import UserOperations


class IamService(
    UserOperations,
    GroupOperations,
    RoleOperations,
    ServiceLinkedOperations,
    PolicyOperations,
    InlinePolicyOperations,
    AttachmentOperations,
    TagOperations,
    AccessKeyOperations,
    LoginOperations,
    CredentialOperations,
    InstanceProfileOperations,
    ProviderOperations,
    ServerCertificateOperations,
    AccountOperations,
    SimulationOperations,
):
    """The IAM service. Its tables belong to `cloudlet.iam`, whose decisions rest on them."""

    name = "iam"
    migrations = MIGRATIONS

    def __init__(self, platform: Platform, uses: KeyUses) -> None:
        super().__init__(platform)
        self._uses = uses

    async def facts(self, resource: Arn) -> ResourceFacts | None:
        return await self.platform.store.read(lambda reader: entity_facts(reader, resource))

    async def condition_keys(
        self,
        action: str,  # noqa: ARG002 - one answer for all that are asked about
        resource: Arn,
        params: Mapping[str, Any],
    ) -> Mapping[str, Sequence[str]]:
        """The service that a password is for, of those that are for one service each."""
        identifier = params.get("ServiceSpecificCredentialId")
        if not isinstance(identifier, str) or not identifier.isalnum():
            return {}
        found = await self.platform.store.read(
            lambda reader: user_credential_table.find(reader, resource.account, SERVICE, identifier)
        )
        return {"iam:servicespecificcredentialservicename": (found.content["service"],)} if found is not None else {}

    async def start(self, tasks: asyncio.TaskGroup) -> None:
        """Write down now and then who was here."""
        tasks.create_task(self._uses.write_forever(), name="iam: write when keys were used")

    async def stop(self) -> None:
        """Write down who was here since."""
        await self._uses.write()

    async def reset(self) -> None:
        """Forget who was here."""
        self._uses.forget()
