"""Where the outcome of an asynchronous invocation goes: checked when it is configured, sent when an event is over.

What is to be sent is a row of its own in the delivery engine, written in the transaction that ends the event. It is
sent with the function's role, and tried again until it is taken or too old; then it is kept for people to see.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
"""

from dataclasses import replace
from typing import Any

import orjson

from cloudlet.arn import PARTITION, Arn
from cloudlet.delivery.backoff import Backoff
from cloudlet.delivery.delivery import Delivery, Done, Fail, Keep, Outcome, Retry
from cloudlet.delivery.engine import MAX_PAYLOAD_BYTES, Engine
from cloudlet.errors import ServiceError
from cloudlet.iam.principals import Principal
from cloudlet.services.base import Platform
from cloudlet.services.lambda_ import invocation_record
from cloudlet.services.lambda_.errors import InvalidParameterValue
from cloudlet.services.lambda_.function_metrics import FunctionMetrics
from cloudlet.services.lambda_.names import FunctionRef
from cloudlet.services.lambda_.role import SERVICE
from cloudlet.services.role_session import RoleSessions
from cloudlet.services.targets import (
    Attribute,
    Message,
    NoSuchService,
    NoSuchTarget,
    SendFailed,
    Targets,
    action_of,
)
from cloudlet.store.base import Transaction

KIND = "lambda-destination"
BACKOFF = Backoff(first_s=1.0, maximum_s=300.0)
ATTEMPTS = 1000
"""More than fit into the age: it is the age that ends it."""
AGE_S = 6 * 3600.0
CONCURRENCY = 64
TARGET_CONCURRENCY = 32
_SERVICES = frozenset({"sqs", "sns", "lambda", "events", "s3"})
_DEAD_LETTER_CALLS = {"sqs": "SendMessage on SQS", "sns": "Publish on SNS"}


class Destinations:
    """Checks destinations, queues what they are told, and sends it as its handler in the delivery engine."""

    def __init__(self, platform: Platform, engine: Engine, metrics: FunctionMetrics) -> None:
        self._metrics = metrics
        self._engine = engine
        self._targets = Targets(platform)
        self.roles = RoleSessions(platform, SERVICE)
        engine.register(KIND, self, concurrency=CONCURRENCY, target_concurrency=TARGET_CONCURRENCY, backoff=BACKOFF)

    # -- when it is configured

    async def check(self, ref: FunctionRef, role_arn: str, on_success: str, on_failure: str) -> None:
        """Raises InvalidParameterValue for destinations that a function with this role cannot use."""
        arns = [_parse(arn) for arn in (on_success, on_failure) if arn]
        takes_failures_only = on_success.startswith("arn:aws:s3:")
        if takes_failures_only or any(arn is None or arn.service not in _SERVICES for arn in arns):
            success = f"OnSuccess(destination={on_success})" if on_success else "null"
            failure = f"OnFailure(destination={on_failure})" if on_failure else "null"
            raise InvalidParameterValue(
                "The provided destination config DestinationConfig("
                f"onSuccess={success}, onFailure={failure}) is invalid."
            )
        for arn in arns:
            if arn is not None:
                await self._check_one(ref, role_arn, arn)

    async def _check_one(self, ref: FunctionRef, role_arn: str, arn: Arn) -> None:
        if arn.service == "lambda" and str(arn).split(":")[:7] == ref.arn.split(":"):
            raise InvalidParameterValue("You can't specify the function as a destination for itself.")
        if arn.service in ("sqs", "sns") and arn.resource.endswith(".fifo"):
            raise InvalidParameterValue(f"The destination ARN {arn} is invalid.")
        await self._check_there(ref, arn, f"The destination ARN {arn} is invalid.")
        action, resource = action_of(arn)
        if not await self.roles.may(role_arn, ref.region, action, resource):
            raise InvalidParameterValue(
                f"The function's execution role does not have permissions to call {action.partition(':')[2]} on {arn}"
            )

    async def check_dead_letter(self, ref: FunctionRef, role_arn: str, target_arn: str) -> None:
        """Raises InvalidParameterValue for a dead-letter target that a function with this role cannot use."""
        arn = _parse(target_arn)
        call = _DEAD_LETTER_CALLS.get(arn.service) if arn is not None else None
        if arn is None or call is None or arn.resource.endswith(".fifo"):
            raise InvalidParameterValue(
                f"The target ARN {target_arn} is invalid: it must be a standard queue or topic."
            )
        await self._check_there(ref, arn, f"The target ARN {arn} is invalid.")
        if not await self.roles.may(role_arn, ref.region, *action_of(arn)):
            raise InvalidParameterValue(f"The provided execution role does not have permissions to call {call}")

    async def _check_there(self, ref: FunctionRef, arn: Arn, text: str) -> None:
        try:
            await self._targets.check(SERVICE, arn, ref.region)
        except NoSuchService as error:
            raise InvalidParameterValue(f"Cloudlet has no {error} yet: {arn} cannot be a destination.") from error
        except NoSuchTarget as error:
            raise InvalidParameterValue(text) from error

    # -- when an event is over

    def enqueue(
        self, tx: Transaction, delivery: Delivery, function_arn: str, role_arn: str, target: str, message: Message
    ) -> None:
        """Have `message` sent to `target` for the function of `delivery`, with its role."""
        payload = encode(role_arn, function_arn, target, message)
        if len(payload) > MAX_PAYLOAD_BYTES:
            smaller = without_payloads(message)
            payload = (
                encode(role_arn, function_arn, target, smaller)
                if smaller is not None
                else encode(role_arn, function_arn, target, Message(b"null"), len(message.body))
            )
        self._engine.enqueue(
            tx,
            KIND,
            delivery.account,
            delivery.region,
            payload,
            target=target,
            max_attempts=ATTEMPTS,
            max_age_s=AGE_S,
        )

    async def deliver(self, delivery: Delivery) -> Outcome:
        """Send it once."""
        header, message = decode(delivery.payload)
        if header.get("too_large"):
            return Fail(f"The record of {header['too_large']} bytes is larger than any target takes.".encode())
        source_arn = header["source"]
        name = source_arn.split(":")[6]
        try:
            caller = await self.roles.principal(header["role"], delivery.account, delivery.region, source_arn, name)
            await self._send(caller, Arn.parse(header["target"]), message, source_arn, delivery.region)
        except SendFailed as error:
            self._count(source_arn, message)
            text = str(error).encode()
            return Fail(text) if error.is_permanent else Retry(detail=text)
        except ServiceError as error:
            self._count(source_arn, message)
            return Retry(detail=f"The role {header['role']} cannot be assumed: {error.message}".encode())
        return Done()

    async def _send(self, caller: Principal, target: Arn, message: Message, source_arn: str, region: str) -> None:
        """Send a message; of a failure's record that is too large what is left without payloads. Raises SendFailed."""
        try:
            await self._targets.send(caller, target, message, via=SERVICE, source_arn=source_arn, region=region)
        except SendFailed as error:
            smaller = without_payloads(message) if error.is_permanent else None
            if smaller is None:
                raise
            await self._targets.send(caller, target, smaller, via=SERVICE, source_arn=source_arn, region=region)

    def _count(self, source_arn: str, message: Message) -> None:
        """A dead letter or a record could not be sent."""
        is_dead_letter = "ErrorCode" in message.attributes
        self._metrics.event(source_arn, "DeadLetterErrors" if is_dead_letter else "DestinationDeliveryFailures")

    async def dead(self, delivery: Delivery) -> Outcome:  # noqa: ARG002 - what every handler is given
        """Nobody else wants it."""
        return Keep()


def without_payloads(message: Message) -> Message | None:
    """The record of a failure without what went into the function and came out of it; None where that is no way out.

    https://docs.aws.amazon.com/lambda/latest/api/API_OnFailure.html
    """
    if message.detail_type != invocation_record.FAILURE:
        return None
    record: dict[str, Any] = orjson.loads(message.body)
    kept = {name: value for name, value in record.items() if name not in ("requestPayload", "responsePayload")}
    return replace(message, body=orjson.dumps(kept)) if kept != record else None


def encode(role_arn: str, source_arn: str, target: str, message: Message, too_large: int = 0) -> bytes:
    """One piece: a line of JSON, then the body as it is."""
    header: dict[str, Any] = {
        "role": role_arn,
        "source": source_arn,
        "target": target,
        "too_large": too_large,
        "attributes": {name: list(attribute) for name, attribute in message.attributes.items()},
        "event": [message.source, message.detail_type, *message.resources],
        "key": message.object_key,
    }
    return orjson.dumps(header) + b"\n" + message.body


def decode(payload: bytes) -> tuple[dict[str, Any], Message]:
    """What `encode` made it from."""
    line, _, body = payload.partition(b"\n")
    header = orjson.loads(line)
    source, detail_type, *resources = header["event"]
    attributes = {name: Attribute(*values) for name, values in header["attributes"].items()}
    return header, Message(
        body,
        attributes,
        source=source,
        detail_type=detail_type,
        resources=tuple(resources),
        object_key=header["key"],
    )


def _parse(text: str) -> Arn | None:
    try:
        arn = Arn.parse(text)
    except ValueError:
        return None
    return arn if arn.partition == PARTITION else None
