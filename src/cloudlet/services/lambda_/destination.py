"""Where the outcome of an asynchronous invocation goes: destinations' records and dead letters.

A record is queued in the transaction that ends its event, and sent with the function's role until it arrives.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
"""

import datetime as dt
import logging
from dataclasses import asdict
from typing import Any

import orjson

from cloudlet.compute.function import Invocation
from cloudlet.delivery.backoff import Backoff
from cloudlet.delivery.delivery import Delivery, Done, Fail, Outcome, Retry
from cloudlet.delivery.engine import Engine
from cloudlet.errors import ServiceError
from cloudlet.services import targets
from cloudlet.services.base import Platform
from cloudlet.services.lambda_.names import LATEST
from cloudlet.services.lambda_.role import SERVICE
from cloudlet.services.targets import Letter
from cloudlet.store.base import Transaction

logger = logging.getLogger(__name__)

KIND = "lambda-destination"
SUCCESS = "Success"
ATTEMPTS = 12
AGE_S = 6 * 3600.0
BACKOFF = Backoff(first_s=1.0, maximum_s=1800.0)
ERROR_MESSAGE_BYTES = 1024


class Destinations:
    """Sends records, and is their handler in the delivery engine."""

    def __init__(self, platform: Platform, engine: Engine) -> None:
        self._platform = platform
        self._engine = engine
        engine.register(KIND, self, concurrency=64, target_concurrency=8, backoff=BACKOFF)

    def queue(self, tx: Transaction, account: str, region: str, role_arn: str, function_arn: str, arn: str, letter: Letter) -> None:  # fmt: skip # noqa: E501
        """Have `letter` sent to `arn` once `tx` is on disk."""
        payload = orjson.dumps({"arn": arn, "role": role_arn, "function": function_arn, "letter": asdict(letter)})
        self._engine.enqueue(tx, KIND, account, region, payload, target=arn, max_attempts=ATTEMPTS, max_age_s=AGE_S)

    async def deliver(self, delivery: Delivery) -> Outcome:
        """Send it once."""
        kept = orjson.loads(delivery.payload)
        letter = Letter(**kept["letter"])
        try:
            context = await targets.as_role(self._platform, kept["role"], SERVICE, delivery.region, kept["function"])
            await targets.send(self._platform, context, kept["arn"], letter)
        except targets.TargetMissing as error:
            return Fail(str(error).encode())
        except ServiceError as error:
            logger.info("a record could not be sent", extra={"target": kept["arn"], "reason": str(error)})
            return Retry(detail=str(error).encode())
        return Done()

    async def dead(self, delivery: Delivery) -> Outcome:
        """AWS counts it (DestinationDeliveryFailures, DeadLetterErrors) and drops it; the node's log says so."""
        logger.warning(
            "a record of an asynchronous invocation was dropped",
            extra={"target": delivery.target, "reason": delivery.detail.decode(errors="replace")},
        )
        return Done()


def record(
    invocation: Invocation,
    condition: str,
    attempts: int,
    moment_s: float,
    executed_version: str = "",
    answer: bytes = b"",
    function_error: str = "",
) -> Letter:
    """AWS's record of an invocation; without an `executed_version` it never ran."""
    arn = invocation.invoked_function_arn
    qualified = arn if arn.count(":") > 6 else f"{arn}:{LATEST}"
    content: dict[str, Any] = {
        "version": "1.0",
        "timestamp": dt.datetime.fromtimestamp(moment_s, dt.UTC).isoformat(timespec="milliseconds")[:-6] + "Z",
        "requestContext": {
            "requestId": invocation.request_id,
            "functionArn": qualified,
            "condition": condition,
            "approximateInvokeCount": attempts,
        },
        "requestPayload": orjson.Fragment(invocation.payload or b"{}"),
    }
    if executed_version:
        context = {"statusCode": 200, "executedVersion": executed_version}
        content["responseContext"] = context | ({"functionError": function_error} if function_error else {})
        content["responsePayload"] = orjson.Fragment(answer or b"null")
    outcome = "Success" if condition == SUCCESS else "Failure"
    return Letter(
        orjson.dumps(content).decode(),
        source="lambda",
        detail_type=f"Lambda Function Invocation Result - {outcome}",
        resources=(qualified,),
        key=f"aws/lambda/async/{qualified.rpartition('function:')[2].replace(':', '/')}/{invocation.request_id}",
    )


def dead_letter(invocation: Invocation, answer: bytes) -> Letter:
    """The event itself, for a dead-letter queue or topic; its error in the attributes."""
    try:
        message = str(orjson.loads(answer).get("errorMessage") or "")
    except (orjson.JSONDecodeError, AttributeError):
        message = answer.decode(errors="replace")
    attributes = {
        "RequestID": ("String", invocation.request_id),
        "ErrorCode": ("Number", "200"),
    }
    if message:
        attributes["ErrorMessage"] = ("String", message.encode()[:ERROR_MESSAGE_BYTES].decode(errors="ignore"))
    return Letter((invocation.payload or b"{}").decode(), attributes)
