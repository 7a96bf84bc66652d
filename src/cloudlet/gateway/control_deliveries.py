"""The part of the control interface that is about asynchronous work: look at it, try it again, drop it."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from urllib.parse import parse_qs

from cloudlet.delivery.by_hand import MAX_LISTED, ByHand

STATES = ("waiting", "running", "dead")
MAX_AT_ONCE = 1000
MAX_PARAMETERS = 10


class BadDeliveryRequest(ValueError):
    """What was asked for makes no sense; the message says why."""


def parameters(query: str) -> dict[str, str]:
    """The parameters of a query string, the last of each name. Raises BadDeliveryRequest for too many."""
    try:
        return {name: values[-1] for name, values in parse_qs(query, max_num_fields=MAX_PARAMETERS).items()}
    except ValueError as error:
        raise BadDeliveryRequest(f"At most {MAX_PARAMETERS} parameters.") from error


class DeliveryControl:
    """Answers with JSON values."""

    def __init__(self, by_hand: ByHand) -> None:
        self._by_hand = by_hand

    async def listed(self, query: str) -> Mapping[str, Any]:
        """The work that `state=`, `kind=` and `limit=` of a query string ask for. Raises BadDeliveryRequest."""
        given = parameters(query)
        state, limit = given.get("state", ""), given.get("limit", str(MAX_LISTED))
        if state and state not in STATES:
            raise BadDeliveryRequest(f"state is one of {', '.join(STATES)}.")
        if not (limit.isascii() and limit.isdigit() and len(limit) < 10):
            raise BadDeliveryRequest("limit is a number.")
        listed = await self._by_hand.list(state, given.get("kind", ""), int(limit))
        return {"deliveries": [asdict(one) for one in listed]}

    async def show(self, query: str) -> Mapping[str, Any] | None:
        """One piece of work with its payload as text; None when there is none. Raises BadDeliveryRequest."""
        identifier = parameters(query).get("id")
        if not identifier:
            raise BadDeliveryRequest("Say which: ?id=...")
        payload = await self._by_hand.payload(identifier)
        return None if payload is None else {"id": identifier, "payload": payload.decode(errors="replace")}

    async def retry(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Try the work of `ids` again now, or with `all` what is dead (of a `kind`). Raises BadDeliveryRequest."""
        done = [identifier for identifier in await self._ids(body) if await self._by_hand.retry(identifier)]
        return {"retried": done}

    async def drop(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Forget the work of `ids`, or with `all` what is dead (of a `kind`). Raises BadDeliveryRequest."""
        done = [identifier for identifier in await self._ids(body) if await self._by_hand.drop(identifier)]
        return {"dropped": done}

    async def _ids(self, body: Mapping[str, Any]) -> list[str]:
        match body:
            case {"ids": list() as identifiers} if all(isinstance(one, str) for one in identifiers):
                if len(identifiers) > MAX_AT_ONCE:
                    raise BadDeliveryRequest(f"At most {MAX_AT_ONCE} at once.")
                return identifiers
            case {"all": True}:
                kind = body.get("kind", "")
                if not isinstance(kind, str):
                    raise BadDeliveryRequest("kind is a text.")
                return [one.id for one in await self._by_hand.list("dead", kind, MAX_AT_ONCE)]
            case _:
                raise BadDeliveryRequest('Send {"ids": [...]} or {"all": true, "kind": "..."}.')
