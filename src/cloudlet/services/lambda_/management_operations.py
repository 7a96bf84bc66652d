"""Runtime management and recursion: how a function follows its runtime's versions, and whether it may loop."""

from dataclasses import replace
from typing import Any

from cloudlet.compute.reports import runtime_version_arn
from cloudlet.iam.principals import RequestContext
from cloudlet.services.base import Result, operation
from cloudlet.services.lambda_ import code_signing_tables, recursion
from cloudlet.services.lambda_.base import LambdaParts
from cloudlet.services.lambda_.errors import InvalidParameterValue
from cloudlet.services.lambda_.function import changed, check_exists
from cloudlet.services.lambda_.names import LATEST, FunctionRef, is_alias, resolve
from cloudlet.services.lambda_.version import Version, find
from cloudlet.store.base import Reader, Transaction

MANUAL = "Manual"


class ManagementOperations(LambdaParts):
    """PutRuntimeManagementConfig, PutFunctionRecursionConfig, and what reads them.

    This machine has one version of each runtime, which changes when its owner changes it. So `Manual` can only hold a
    function to the version that is there, and the other two modes differ in nothing but what is shown.
    https://docs.aws.amazon.com/lambda/latest/dg/runtimes-update.html
    """

    @operation("PutRuntimeManagementConfig")
    async def put_runtime_management_config(self, context: RequestContext, params: dict[str, Any]) -> Result:
        ref = _version_ref(context, params)
        mode, arn = params["UpdateRuntimeOn"], params.get("RuntimeVersionArn") or ""
        if bool(arn) != (mode == MANUAL):
            raise InvalidParameterValue(
                "RuntimeVersionArn is required when UpdateRuntimeOn is set to Manual."
                if mode == MANUAL
                else f"RuntimeVersionArn is not supported when UpdateRuntimeOn is set to {mode}."
            )

        def put(tx: Transaction) -> Version:
            found = find(tx, ref)
            if found.configuration.image is not None and mode != "Auto":
                raise InvalidParameterValue("The runtime of a container image is its own: nobody else updates it.")
            here = runtime_version_arn(found.configuration.runs_on or found.configuration.runtime, ref.region)
            if arn and arn != here:
                raise InvalidParameterValue(
                    f"Runtime version {arn} is not on this machine, which runs {found.configuration.runtime} as {here}."
                )
            configuration = replace(found.configuration, update_runtime_on=mode, runtime_version_arn=arn)
            kept = replace(found, configuration=configuration, revision_id=self.platform.ids.uuid())
            kept.put(tx)
            changed(tx, found.ref)
            return kept

        return _shown(ref, await self.store.transact(put))

    @operation("GetRuntimeManagementConfig")
    async def get_runtime_management_config(self, context: RequestContext, params: dict[str, Any]) -> Result:
        ref = _version_ref(context, params)
        return _shown(ref, await self.store.read(lambda reader: find(reader, ref)))

    @operation("PutFunctionRecursionConfig")
    async def put_function_recursion_config(self, context: RequestContext, params: dict[str, Any]) -> Result:
        ref, recursive_loop = resolve(context, params["FunctionName"]), params["RecursiveLoop"]

        def put(tx: Transaction) -> None:
            check_exists(tx, ref)
            code_signing_tables.set_recursive_loop(tx, ref, recursive_loop)
            changed(tx, ref)

        await self.store.transact(put)
        return {"RecursiveLoop": recursive_loop}

    @operation("GetFunctionRecursionConfig")
    async def get_function_recursion_config(self, context: RequestContext, params: dict[str, Any]) -> Result:
        ref = resolve(context, params["FunctionName"])

        def read(reader: Reader) -> str:
            check_exists(reader, ref)
            return recursion.setting(reader, ref)

        return {"RecursiveLoop": await self.store.read(read)}


def _version_ref(context: RequestContext, params: dict[str, Any]) -> FunctionRef:
    ref = resolve(context, params["FunctionName"], params.get("Qualifier"))
    if is_alias(ref.qualifier):
        raise InvalidParameterValue(
            f"The runtime management configuration is one of a version: {ref.qualifier} is an alias."
        )
    return ref


def _shown(ref: FunctionRef, version: Version) -> Result:
    configuration = version.configuration
    shown = {
        "UpdateRuntimeOn": configuration.update_runtime_on,
        "FunctionArn": ref.qualified(ref.qualifier or LATEST).qualified_arn,
    }
    pinned = configuration.runtime_version_arn
    return {**shown, "RuntimeVersionArn": pinned} if pinned else shown
