"""What all of Lambda's operations share."""

import asyncio
from dataclasses import replace
from typing import Any

from cloudlet.compute.function import RuntimeMissing
from cloudlet.iam.principals import RequestContext
from cloudlet.services.base import Platform, Service
from cloudlet.services.lambda_ import network_config, role
from cloudlet.services.lambda_.activation import Activation
from cloudlet.services.lambda_.changes import Changes
from cloudlet.services.lambda_.destination import Destinations
from cloudlet.services.lambda_.engines import Compute, Limits, Prepare, RuntimeFinder
from cloudlet.services.lambda_.errors import InvalidParameterValue
from cloudlet.services.lambda_.event_sources.pollers import Pollers
from cloudlet.services.lambda_.function import Maker
from cloudlet.services.lambda_.names import FunctionRef
from cloudlet.services.lambda_.provisioning import Provisioning
from cloudlet.services.lambda_.version import PUBLISHED_VERSIONS, Configuration, Version, find
from cloudlet.store.base import Reader

SETTLE_S = 10.0
"""How long an operation waits for a function that is still being created."""


class LambdaParts(Service):
    """The service's parts, for the operations in other modules."""

    destinations: Destinations
    pollers: Pollers
    provisioning: Provisioning

    def __init__(
        self, platform: Platform, compute: Compute, counting: Limits, runtimes: RuntimeFinder, prepare: Prepare
    ) -> None:
        super().__init__(platform)
        self.store = platform.store
        self.make = Maker(platform.ids, platform.clock)
        self.changes = Changes(platform, compute, counting)
        self.activation = Activation(platform, self.changes, prepare)
        self._runtimes = runtimes

    async def check_role(self, context: RequestContext, params: dict[str, Any], ref: FunctionRef) -> None:
        """Raises InvalidParameterValue when `params` name a role that Lambda cannot assume."""
        if params.get("Role"):
            await role.check_role(self.platform, context, params["Role"], ref.arn)

    async def check_dead_letters(self, params: dict[str, Any], ref: FunctionRef, role_arn: str) -> None:
        """Raises InvalidParameterValue when `params` name a dead-letter target that the role cannot use."""
        if target_arn := (params.get("DeadLetterConfig") or {}).get("TargetArn"):
            await self.destinations.check_dead_letter(ref, role_arn, target_arn)

    async def check_network(self, params: dict[str, Any], ref: FunctionRef, role_arn: str) -> None:
        """Raises InvalidParameterValue when `params` ask for a VPC in which the role may make no interfaces."""
        asked = any((params.get("VpcConfig") or {}).values())
        if asked and not await self.destinations.roles.may(role_arn, ref.region, network_config.CREATE_INTERFACE, "*"):
            raise InvalidParameterValue(network_config.NO_INTERFACE)

    async def with_runtime(self, configuration: Configuration) -> Configuration:
        """`configuration` with what its runtime really is on this machine. Raises InvalidParameterValue."""
        try:
            found = await asyncio.to_thread(self._runtimes.resolve, configuration.runtime)
        except RuntimeMissing as error:
            raise InvalidParameterValue(str(error)) from error
        return replace(configuration, runs_on="" if found.name == configuration.runtime else found.name)

    async def check_snapshot(self, configuration: Configuration) -> None:
        """Raises InvalidParameterValue when a version of this configuration needs a snapshot that cannot be taken."""
        if configuration.snap_start != PUBLISHED_VERSIONS:
            return
        if self.platform.config.isolation == "process":
            obstacle = "it needs isolation by namespaces, and this node runs with --isolation process."
        else:
            try:
                obstacle = await asyncio.to_thread(self._runtimes.snapshot_obstacle, configuration.runtime)
            except RuntimeMissing as error:
                obstacle = str(error)
        if obstacle:
            raise InvalidParameterValue(
                f"Cloudlet cannot publish a version of a {configuration.runtime} function with SnapStart: {obstacle}"
            )

    async def settled(self, ref: FunctionRef, *, updates: bool = False) -> None:
        """Wait a while for a function that is being created, and with `updates` for one that is being updated.

        AWS would refuse what comes next; here creation takes so short that programs need not know of it.
        """

        def is_settled(reader: Reader) -> bool:
            version: Version = find(reader, ref.qualified(""))
            return not (version.is_changing if updates else version.state == "Pending")

        if not await self.store.read(is_settled):
            await self.changes.wait(ref, until=is_settled, timeout_s=SETTLE_S)
