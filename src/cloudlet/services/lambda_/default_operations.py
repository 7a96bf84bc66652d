"""Reads of what functions cannot have here yet: their answers for a function that has none of it.

Tools such as Terraform ask for these after each creation. What would change them is not implemented, and says so.
"""

from typing import Any

from cloudlet.iam.principals import RequestContext
from cloudlet.services.base import Result, operation
from cloudlet.services.lambda_.base import LambdaParts
from cloudlet.services.lambda_.function import check_exists
from cloudlet.services.lambda_.names import LATEST, FunctionRef, resolve
from cloudlet.services.lambda_.version import find


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

    @operation("ListCodeSigningConfigs")
    async def list_code_signing_configs(self, _context: RequestContext, _params: dict[str, Any]) -> Result:
        return {"CodeSigningConfigs": []}

    async def _existing(self, context: RequestContext, params: dict[str, Any]) -> FunctionRef:
        ref = resolve(context, params["FunctionName"])
        await self.store.read(lambda reader: check_exists(reader, ref))
        return ref
