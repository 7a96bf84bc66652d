"""The operations that run functions."""

from typing import Any

from cloudlet.iam.principals import RequestContext
from cloudlet.services.base import Result, operation
from cloudlet.services.lambda_.base import LambdaParts
from cloudlet.services.lambda_.invocation import Invoker


class InvokeOperations(LambdaParts):
    """Invoke, and what it was called before."""

    invoker: Invoker

    @operation("Invoke")
    async def invoke(self, context: RequestContext, params: dict[str, Any]) -> Result:
        return await self.invoker.invoke(context, params)

    @operation("InvokeWithResponseStream")
    async def invoke_with_response_stream(self, context: RequestContext, params: dict[str, Any]) -> Result:
        return await self.invoker.stream(context, params)

    @operation("InvokeAsync")
    async def invoke_async(self, context: RequestContext, params: dict[str, Any]) -> Result:
        event = {"FunctionName": params["FunctionName"], "InvocationType": "Event", "Payload": params["InvokeArgs"]}
        answer = await self.invoker.invoke(context, event)
        return {"Status": answer["StatusCode"]}
