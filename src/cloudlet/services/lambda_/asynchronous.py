"""Asynchronous invocations: accepted durably, run from the delivery engine.

An error of the function is followed by two more tries, after one and two minutes; a throttle or an error of the
platform by as many as fit into six hours, one second to five minutes apart.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
"""

import logging
from functools import partial
from typing import Any

import orjson

from cloudlet.clock import now_ms
from cloudlet.compute.counting import FUNCTION_RESERVED
from cloudlet.compute.function import ComputeError, Invocation, TooManyRequests
from cloudlet.delivery.backoff import Backoff
from cloudlet.delivery.delivery import Delivery, Done, Fail, Keep, Outcome, Retry
from cloudlet.delivery.engine import Engine
from cloudlet.iam.principals import Principal, RequestContext
from cloudlet.services.base import Platform
from cloudlet.services.lambda_ import invocation_record, limits, recursion, tables
from cloudlet.services.lambda_.destination import Destinations
from cloudlet.services.lambda_.engines import Compute, Logged
from cloudlet.services.lambda_.errors import LambdaError, RecursiveInvocation, ResourceNotFound
from cloudlet.services.lambda_.event_invoke_config import lookup
from cloudlet.services.lambda_.function_metrics import FunctionMetrics
from cloudlet.services.lambda_.invocation_record import SUCCESS, Ending
from cloudlet.services.lambda_.names import LATEST, FunctionRef
from cloudlet.services.lambda_.routes import Route, Routes
from cloudlet.services.lambda_.version import Version, find
from cloudlet.services.targets import Message
from cloudlet.store.base import Reader, Transaction

logger = logging.getLogger(__name__)

KIND = "lambda-async"
SERVICE = "lambda.amazonaws.com"
RETRY_AFTER_S = (60.0, 120.0)
"""After the first and the second error of a function."""
BACKOFF = Backoff(first_s=1.0, maximum_s=300.0)
CONCURRENCY = 512
FUNCTION_CONCURRENCY = 256
"""Of one function's events at once on a node: each holds its payload in memory while it waits for an environment."""


_KEPT = ("request_id", "invoked_function_arn", "client_context", "cognito_identity", "trace_id")
ZERO_RESERVED = "ZeroReservedConcurrency"
"""The condition of an event of a function that may not run at all."""


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
        metrics: FunctionMetrics,
    ) -> None:
        self._metrics = metrics
        self._platform = platform
        self._engine = engine
        self._compute = compute
        self._routes = routes
        self._logged = logged
        self._destinations = destinations
        engine.register(KIND, self, concurrency=CONCURRENCY, target_concurrency=FUNCTION_CONCURRENCY, backoff=BACKOFF)

    async def queue(self, route: Route, invocation: Invocation) -> None:
        """Keep the event, in the account of its function; when this returns, it will be run."""
        payload = encode(invocation)
        config = route.event_invoke
        attempts = config.attempts if config is not None else limits.ASYNCHRONOUS_ATTEMPTS
        age_s = config.age_s if config is not None else limits.ASYNCHRONOUS_EVENT_AGE_S
        await self._platform.store.transact(
            lambda tx: self._engine.enqueue(
                tx,
                KIND,
                route.function.account,
                route.function.region,
                payload,
                target=route.function_key,
                max_attempts=attempts,
                max_age_s=age_s,
            )
        )
        self._metrics.event(invocation.invoked_function_arn, "AsyncEventsReceived")

    async def deliver(self, delivery: Delivery) -> Outcome:
        """Run the event once."""
        invocation = decode(delivery.payload)
        try:
            route = await self._route(delivery, invocation)
            route.enter(invocation)
            function = route.pick(self._platform.ids)
            age_ms = max(0, now_ms(self._platform.clock) - delivery.created_ms)
            self._metrics.event(invocation.invoked_function_arn, "AsyncEventAge", float(age_ms), "Milliseconds")
            result = await self._compute.invoke(function, invocation)
        except ResourceNotFound:
            logger.info("an event's function is gone", extra={"function": invocation.invoked_function_arn})
            return Done()
        except TooManyRequests as error:
            detail = Ending(status=429, message=str(error)).encode()
            if error.reason == FUNCTION_RESERVED and await self._may_not_run(delivery):
                return Fail(detail, ZERO_RESERVED)
            return Retry(counted=False, detail=detail)
        except RecursiveInvocation as error:
            return Fail(Ending(status=error.status, message=error.message).encode(), recursion.CONDITION)
        except (ComputeError, LambdaError) as error:
            return Retry(counted=False, detail=Ending(status=500, message=str(error)).encode())
        # An event that is done is not run again: then its lines must not be lost with the node either.
        await self._logged()
        if result.function_error:
            detail = Ending.of(result, function.version).encode()
            return Retry(RETRY_AFTER_S[min(delivery.attempt, len(RETRY_AFTER_S)) - 1], detail=detail)
        if (config := route.event_invoke) is None or not config.on_success:
            return Done()
        ending = Ending.of(result, function.version)
        message = self._record(delivery, invocation, ending, SUCCESS)
        return Done(partial(self._tell, delivery, invocation, function.role_arn, [(config.on_success, message)]))

    async def dead(self, delivery: Delivery) -> Outcome:
        """Tell the destination for failures and the dead-letter queue, both where there are both; else keep it."""
        invocation, ending = decode(delivery.payload), Ending.decode(delivery.detail)
        ref = FunctionRef.parse(invocation.invoked_function_arn)
        try:  # not by a route: the function may be one that cannot run
            version, config = await self._platform.store.read(lambda reader: (find(reader, ref), lookup(reader, ref)))
        except ResourceNotFound:
            return Done()
        self._metrics.event(invocation.invoked_function_arn, "AsyncEventsDropped")
        told: list[tuple[str, Message]] = []
        if config is not None and config.on_failure:
            told.append((config.on_failure, self._record(delivery, invocation, ending, delivery.reason)))
        if dead_letter_arn := await self._dead_letter_target(delivery, ending.executed_version or version.number):
            told.append((dead_letter_arn, invocation_record.dead_letter(invocation, ending)))
        if not told:
            return Keep()
        return Done(partial(self._tell, delivery, invocation, version.configuration.role, told))

    async def _route(self, delivery: Delivery, invocation: Invocation) -> Route:
        principal = Principal.service(SERVICE, delivery.account)
        context = RequestContext(principal, delivery.region, invocation.request_id, operation="Invoke")
        return await self._routes.find(context, invocation.invoked_function_arn, "")

    async def _may_not_run(self, delivery: Delivery) -> bool:
        row = await self._platform.store.read(lambda reader: tables.function(reader, _function(delivery)))
        return row is not None and row[2] == 0

    async def _dead_letter_target(self, delivery: Delivery, version: str) -> str:
        def read(reader: Reader) -> str:
            try:
                found: Version = find(reader, _function(delivery).qualified(version))
            except ResourceNotFound:
                return ""
            return found.configuration.dead_letter_arn

        return await self._platform.store.read(read)

    def _record(self, delivery: Delivery, invocation: Invocation, ending: Ending, condition: str) -> Message:
        now, arn = self._platform.clock.now(), _qualified(invocation.invoked_function_arn)
        content = invocation_record.record(delivery, invocation, arn, ending, condition, now)
        succeeded = condition == SUCCESS
        return invocation_record.record_message(content, arn, succeeded=succeeded, ids=self._platform.ids, now=now)

    def _tell(
        self,
        delivery: Delivery,
        invocation: Invocation,
        role_arn: str,
        told: list[tuple[str, Message]],
        tx: Transaction,
    ) -> None:
        arn = _qualified(invocation.invoked_function_arn)
        for target, message in told:
            self._destinations.enqueue(tx, delivery, arn, role_arn, target, message)


def encode(invocation: Invocation) -> bytes:
    """The invocation as one piece: a line of JSON, then the payload as it is."""
    header = {name: value for name in _KEPT if (value := getattr(invocation, name))}
    return orjson.dumps(header) + b"\n" + invocation.payload


def decode(encoded: bytes) -> Invocation:
    """What `encode` made it from, but for the tail of the log, which nobody waits for."""
    header, _, payload = encoded.partition(b"\n")
    fields: dict[str, Any] = orjson.loads(header)
    return Invocation(payload=payload, is_event=True, **fields)


def _function(delivery: Delivery) -> FunctionRef:
    return FunctionRef.from_key(delivery.target)


def _qualified(arn: str) -> str:
    """The ARN of an invocation with its qualifier, $LATEST where the caller named none."""
    return arn if arn.count(":") > 6 else f"{arn}:{LATEST}"
