"""Asynchronous invocations: accepted durably, run from the delivery engine.

An error of the function is followed by two more tries, after one and two minutes; a throttle or an error of the
platform by as many as fit into six hours, one second to five minutes apart.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
"""

import logging
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import orjson

from cloudlet.compute.function import ComputeError, Invocation
from cloudlet.delivery.backoff import Backoff
from cloudlet.delivery.delivery import EVENT_AGE_EXCEEDED, Delivery, Done, Outcome, Retry
from cloudlet.delivery.engine import Engine
from cloudlet.iam.principals import Principal, RequestContext
from cloudlet.services.base import Platform
from cloudlet.services.lambda_.destination import SUCCESS, Destinations, dead_letter, record
from cloudlet.services.lambda_.engines import Compute, Logged
from cloudlet.services.lambda_.errors import LambdaError, ResourceNotFound
from cloudlet.services.lambda_.routes import Route, Routes
from cloudlet.services.targets import Letter
from cloudlet.store.base import Transaction

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

    def __init__(
        self,
        platform: Platform,
        engine: Engine,
        compute: Compute,
        routes: Routes,
        logged: Logged,
        destinations: Destinations,
    ) -> None:
        self._platform = platform
        self._engine = engine
        self._compute = compute
        self._routes = routes
        self._logged = logged
        self._destinations = destinations
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
                max_attempts=route.event_invoke.attempts,
                max_age_s=route.event_invoke.max_age_s,
            )
        )

    async def deliver(self, delivery: Delivery) -> Outcome:
        """Run the event once."""
        invocation = decode(delivery.payload)
        try:
            route = await self._route(delivery, invocation)
            function = route.pick(self._platform.ids)
            result = await self._compute.invoke(function, invocation)
        except ResourceNotFound:
            logger.info("an event's function is gone", extra={"function": invocation.invoked_function_arn})
            return Done()
        except (ComputeError, LambdaError) as error:
            return Retry(counted=False, detail=str(error).encode())
        # An event that is done is not run again: then its lines must not be lost with the node either.
        await self._logged()
        if result.function_error:
            detail = f"{function.version}\n".encode() + result.payload
            return Retry(RETRY_AFTER_S[min(delivery.attempt, len(RETRY_AFTER_S)) - 1], detail=detail)
        if arn := route.event_invoke.on_success:
            letter = record(
                invocation, SUCCESS, delivery.attempt, self._platform.clock.now(), function.version, result.payload
            )
            return Done(lambda tx: self._send(tx, delivery, route, [(arn, letter)]))
        return Done()

    async def dead(self, delivery: Delivery) -> Outcome:
        """Hand what is known of the event to the destination for failures and the dead-letter queue, if there are any;
        they are queued in the transaction that ends the event."""
        invocation = decode(delivery.payload)
        try:
            route = await self._route(delivery, invocation)
        except ResourceNotFound:
            return Done()
        version, _, answer = delivery.detail.partition(b"\n")
        has_run = bool(answer) and delivery.reason != EVENT_AGE_EXCEEDED
        letters: list[tuple[str, Letter]] = []
        if arn := route.event_invoke.on_failure:
            now = self._platform.clock.now()
            ran = (version.decode(), answer, "Unhandled") if answer else ()
            letters.append((arn, record(invocation, delivery.reason, delivery.attempt, now, *ran)))
        if arn := route.dead_letter_target:
            letters.append((arn, dead_letter(invocation, answer if has_run else delivery.reason.encode())))
        if not letters:
            logger.warning(
                "an event was dropped",
                extra={
                    "function": invocation.invoked_function_arn,
                    "reason": delivery.reason,
                    "attempts": delivery.attempt,
                },
            )
        return Done(lambda tx: self._send(tx, delivery, route, letters))

    async def _route(self, delivery: Delivery, invocation: Invocation) -> Route:
        principal = Principal.service(SERVICE, delivery.account)
        context = RequestContext(principal, delivery.region, invocation.request_id, operation="Invoke")
        return await self._routes.find(context, invocation.invoked_function_arn, "")

    def _send(self, tx: Transaction, delivery: Delivery, route: Route, letters: Sequence[tuple[str, Letter]]) -> None:
        role_arn, function_arn = route.function.role_arn, route.function.function_arn
        for arn, letter in letters:
            self._destinations.queue(tx, delivery.account, delivery.region, role_arn, function_arn, arn, letter)


def encode(invocation: Invocation) -> bytes:
    """The invocation as one piece: a line of JSON, then the payload as it is."""
    header = {name: value for name, value in asdict(invocation).items() if name not in ("payload", "tail_log")}
    return orjson.dumps(header) + b"\n" + invocation.payload


def decode(encoded: bytes) -> Invocation:
    """What `encode` made it from, but for the tail of the log, which nobody waits for."""
    header, _, payload = encoded.partition(b"\n")
    fields: dict[str, Any] = orjson.loads(header)
    return Invocation(payload=payload, **fields)
