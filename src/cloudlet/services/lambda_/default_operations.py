"""Reads of what functions cannot have here yet: their answers for a function that has none of it.

Tools such as Terraform ask for these after each creation. What would change them is not implemented, and says so.
"""

from typing import Any

from cloudlet.iam.principals import RequestContext
from cloudlet.services.base import Result, operation
from cloudlet.services.lambda_ import alias
from cloudlet.services.lambda_.base import LambdaParts
from cloudlet.services.lambda_.errors import (
    InvalidParameterValue,
    ProvisionedConcurrencyConfigNotFound,
)
from cloudlet.services.lambda_.function import check_exists
from cloudlet.services.lambda_.names import LATEST, FunctionRef, is_alias, resolve
from cloudlet.services.lambda_.version import find
from cloudlet.store.base import Reader


class DefaultOperations(LambdaParts):
    """Code signing, runtime management, event source mappings."""

    @operation("GetFunctionCodeSigningConfig")
    async def get_function_code_signing_config(self, context: RequestContext, params: dict[str, Any]) -> Result:
        await self._existing(context, params)
        return {}  # AWS names the function only where it has a configuration

    @operation("GetRuntimeManagementConfig")
    async def get_runtime_management_config(self, context: RequestContext, params: dict[str, Any]) -> Result:
        ref = resolve(context, params["FunctionName"], params.get("Qualifier"))
        await self.store.read(lambda reader: find(reader, ref))
        return {"UpdateRuntimeOn": "Auto", "FunctionArn": ref.qualified(ref.qualifier or LATEST).qualified_arn}

    @operation("GetProvisionedConcurrencyConfig")
    async def get_provisioned_concurrency_config(self, context: RequestContext, params: dict[str, Any]) -> Result:
        if params["Qualifier"] == LATEST:
            raise InvalidParameterValue("The function resource provided must be an alias or a published version.")
        ref = resolve(context, params["FunctionName"], params["Qualifier"])

        def check(reader: Reader) -> None:
            if is_alias(ref.qualifier):
                alias.get(reader, ref, ref.qualifier)
            find(reader, ref)

        await self.store.read(check)
        raise ProvisionedConcurrencyConfigNotFound("No Provisioned Concurrency Config found for this function")

    @operation("ListProvisionedConcurrencyConfigs")
    async def list_provisioned_concurrency_configs(self, context: RequestContext, params: dict[str, Any]) -> Result:
        await self._existing(context, params)
        return {"ProvisionedConcurrencyConfigs": []}

    @operation("ListEventSourceMappings")
    async def list_event_source_mappings(self, _context: RequestContext, _params: dict[str, Any]) -> Result:
        return {"EventSourceMappings": []}

    @operation("ListCodeSigningConfigs")
    async def list_code_signing_configs(self, _context: RequestContext, _params: dict[str, Any]) -> Result:
        return {"CodeSigningConfigs": []}

    async def _existing(self, context: RequestContext, params: dict[str, Any]) -> FunctionRef:
        ref = resolve(context, params["FunctionName"])
        await self.store.read(lambda reader: check_exists(reader, ref))
        return ref
