"""Asynchronous invocations: accepted durably, run from the delivery engine.

An error of the function is followed by two more tries, after one and two minutes; a throttle or an error of the
platform by as many as fit into six hours, one second to five minutes apart.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
"""

import logging
from dataclasses import asdict
from typing import Any

import orjson

from cloudlet.compute.function import ComputeError, Invocation
from cloudlet.delivery.backoff import Backoff
from cloudlet.delivery.delivery import Delivery, Done, Outcome, Retry
from cloudlet.delivery.engine import Engine
from cloudlet.iam.principals import Principal, RequestContext
from cloudlet.services.base import Platform
from cloudlet.services.lambda_ import limits
from cloudlet.services.lambda_.engines import Compute, Logged
from cloudlet.services.lambda_.errors import LambdaError, ResourceNotFound
from cloudlet.services.lambda_.routes import Route, Routes

logger = logging.getLogger(__name__)

KIND = "lambda-async"
SERVICE = "lambda.amazonaws.com"
RETRY_AFTER_S = (60.0, 120.0)
"""After the first and the second error of a function."""
BACKOFF = Backoff(first_s=1.0, maximum_s=300.0)
CONCURRENCY = 512
FUNCTION_CONCURRENCY = 256
"""Of one function's events at once on a node: each holds its payload in memory while it waits for an environment."""


class Asynchronous:
    """Queues events, and is their handler in the delivery engine."""

    def __init__(self, platform: Platform, engine: Engine, compute: Compute, routes: Routes, logged: Logged) -> None:
        self._platform = platform
        self._engine = engine
        self._compute = compute
        self._routes = routes
        self._logged = logged
        engine.register(KIND, self, concurrency=CONCURRENCY, target_concurrency=FUNCTION_CONCURRENCY, backoff=BACKOFF)

    async def queue(self, context: RequestContext, route: Route, invocation: Invocation) -> None:
        """Keep the event; when this returns, it will be run."""
        payload = encode(invocation)
        await self._platform.store.transact(
            lambda tx: self._engine.enqueue(
                tx,
                KIND,
                context.account,
                context.region,
                payload,
                target=route.function_key,
                max_attempts=limits.ASYNCHRONOUS_ATTEMPTS,
                max_age_s=limits.ASYNCHRONOUS_EVENT_AGE_S,
            )
        )

    async def deliver(self, delivery: Delivery) -> Outcome:
        """Run the event once."""
        invocation = decode(delivery.payload)
        principal = Principal.service(SERVICE, delivery.account)
        context = RequestContext(principal, delivery.region, invocation.request_id, operation="Invoke")
        try:
            route = await self._routes.find(context, invocation.invoked_function_arn, "")
            result = await self._compute.invoke(route.pick(self._platform.ids), invocation)
        except ResourceNotFound:
            logger.info("an event's function is gone", extra={"function": invocation.invoked_function_arn})
            return Done()
        except (ComputeError, LambdaError) as error:
            return Retry(counted=False, detail=str(error).encode())
        # An event that is done is not run again: then its lines must not be lost with the node either.
        await self._logged()
        if result.function_error:
            return Retry(RETRY_AFTER_S[min(delivery.attempt, len(RETRY_AFTER_S)) - 1], detail=result.payload)
        return Done()

    async def dead(self, delivery: Delivery) -> Outcome:
        """Say in the node's log that the event is dropped: where it could go instead is not built yet."""
        logger.warning(
            "an event was dropped",
            extra={
                "function": decode(delivery.payload).invoked_function_arn,
                "reason": delivery.reason,
                "attempts": delivery.attempt,
            },
        )
        return Done()


def encode(invocation: Invocation) -> bytes:
    """The invocation as one piece: a line of JSON, then the payload as it is."""
    header = {name: value for name, value in asdict(invocation).items() if name not in ("payload", "tail_log")}
    return orjson.dumps(header) + b"\n" + invocation.payload


def decode(encoded: bytes) -> Invocation:
    """What `encode` made it from, but for the tail of the log, which nobody waits for."""
    header, _, payload = encoded.partition(b"\n")
    fields: dict[str, Any] = orjson.loads(header)
    return Invocation(payload=payload, **fields)
