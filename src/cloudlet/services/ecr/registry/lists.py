"""Repositories and tags, page by page.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-tags
"""

from typing import Any
from urllib.parse import quote

import orjson

from cloudlet.errors import ServiceError
from cloudlet.services.ecr.registry.answers import RegistryError, answer, translated
from cloudlet.services.ecr.registry.exchange import Exchange
from cloudlet.wire.http import HttpResponse

_PAGE = 1000


async def catalog(exchange: Exchange) -> HttpResponse:
    """GET /v2/_catalog."""
    names: list[str] = []
    token: dict[str, str] = {}
    while True:
        found = await _describe(exchange, token)
        names += [one["repositoryName"] for one in found["repositories"]]
        if not found.get("nextToken"):
            break
        token = {"nextToken": found["nextToken"]}
    return _list(exchange, "/v2/_catalog", "repositories", sorted(names), {})


async def _describe(exchange: Exchange, token: dict[str, str]) -> dict[str, Any]:
    params = {"registryId": exchange.caller.account, "maxResults": _PAGE, **token}
    try:
        found: dict[str, Any] = await exchange.registry.platform.calls.call(
            exchange.caller.context, "ecr", "DescribeRepositories", params
        )
    except ServiceError as error:
        raise translated(error) from error
    return found


async def tags(exchange: Exchange) -> HttpResponse:
    """GET /v2/<name>/tags/list."""
    tags: list[str] = []
    token: dict[str, Any] = {}
    while True:
        found = await exchange.call("ListImages", maxResults=_PAGE, filter={"tagStatus": "TAGGED"}, **token)
        tags += [one["imageTag"] for one in found["imageIds"]]
        if not found.get("nextToken"):
            break
        token = {"nextToken": found["nextToken"]}
    return _list(exchange, f"/v2/{exchange.name}/tags/list", "tags", sorted(tags), {"name": exchange.name})


def _list(exchange: Exchange, path: str, member: str, values: list[str], more: dict[str, str]) -> HttpResponse:
    """A page of `values`, as `n` and `last` in the query ask for."""
    wanted, last = exchange.query("n"), exchange.query("last")
    if wanted and not (wanted.isascii() and wanted.isdigit() and len(wanted) < 10):
        raise RegistryError(400, "PAGINATION_NUMBER_INVALID", f"Not a number: {wanted[:100]}")
    values = [value for value in values if value > last]
    headers = {"content-type": "application/json"}
    count = int(wanted) if wanted else len(values)
    page = values[:count]
    if page and len(values) > count:
        headers["link"] = f'<{path}?n={count}&last={quote(page[-1])}>; rel="next"'
    return answer(200, headers, orjson.dumps({**more, member: page}))
