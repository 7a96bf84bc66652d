"""Code locations."""

from urllib.parse import urlsplit

import pytest

from cloudlet.services.lambda_.limits import CODE_URL_S
from cloudlet.wire.http import HttpRequest, HttpResponse
from tests.support.lambda_world import World, zip_of

PACKAGE = zip_of(index_py="code")


async def get(world: World, url: str, method: str = "GET") -> HttpResponse:
    parts = urlsplit(url)
    return await world.service.routes()["lambda"](HttpRequest(method, parts.path, parts.query, {}))


@pytest.fixture
async def url(world: World) -> str:
    await world.create(Code={"ZipFile": PACKAGE})
    location: str = (await world.call("GetFunction", FunctionName="fn"))["Code"]["Location"]
    return location


async def test_a_location_downloads_the_package(world: World, url: str) -> None:
    assert url.startswith("http://127.0.0.1:4566/_cloudlet/lambda/code/")
    answer = await get(world, url)
    assert (answer.status, answer.body) == (200, PACKAGE)
    assert answer.headers["content-type"] == "application/zip"


async def test_a_location_is_on_the_node_as_the_client_knows_it(world: World, url: str) -> None:
    context = world.context()
    context.endpoint = "https://lambda.example:8443"
    answer = await world.dispatcher.call(context, "lambda", "GetFunction", {"FunctionName": "fn"})
    assert answer["Code"]["Location"].startswith("https://lambda.example:8443/_cloudlet/lambda/code/")


async def test_a_location_expires(world: World, url: str) -> None:
    await world.clock.advance(CODE_URL_S + 1)
    answer = await get(world, url)
    assert answer.status == 403
    assert b"Request has expired" in bytes(answer.body)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("old", "new", "status"),
    [
        ("signature=", "signature=0", 403),
        ("expires=", "expires=9", 403),
        ("expires=", "expires=x", 403),
        ("?expires=", "?other=", 403),
        ("/code/", "/code/../", 404),
        ("/code/", "/other/", 404),
    ],
)
async def test_a_location_that_was_changed_is_refused(world: World, url: str, old: str, new: str, status: int) -> None:
    assert (await get(world, url.replace(old, new))).status == status


async def test_a_location_is_only_read(world: World, url: str) -> None:
    assert (await get(world, url, "PUT")).status == 404


async def test_code_that_is_gone_is_not_found(world: World, url: str) -> None:
    await world.blobs.reset()
    assert (await get(world, url)).status == 404
