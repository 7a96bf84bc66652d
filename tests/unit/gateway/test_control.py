from collections.abc import Mapping
from typing import Any, cast

import orjson
import pytest

from cloudlet.config import Config
from cloudlet.delivery.by_hand import ByHand
from cloudlet.errors import AccessDenied
from cloudlet.gateway.control import MAX_ADVANCE_S, Control
from cloudlet.iam.principals import Principal
from cloudlet.wire.http import HttpRequest, HttpResponse

OPEN = Config()
ENFORCED = Config(auth="enforced")
PUBLIC = Config(host="0.0.0.0")


class Node:
    """A node of which only the control interface's part is there. Its time is a round number."""

    is_ready = True

    def __init__(self) -> None:
        self.moved_s: list[float] = []
        self.resets = 0

    @property
    def deliveries(self) -> ByHand:
        raise AssertionError("not asked for here")

    def now(self) -> float:
        return 1_000_000_000.0 + sum(self.moved_s)

    def offset_s(self) -> float:
        return sum(self.moved_s)

    async def develop(self, function_arn: str, copy: str) -> None:
        self.developed = (function_arn, copy)

    async def debug(self, function_arn: str, event: bytes, port: int) -> Mapping[str, Any]:
        return {"id": f"{function_arn} {event.decode()}", "port": port}

    async def debugged(self, identifier: str) -> Mapping[str, Any]:
        return {"state": "waiting", "id": identifier}

    async def end_debugging(self, identifier: str) -> None:
        self.ended = identifier

    async def advance(self, duration_s: float) -> None:
        self.moved_s.append(duration_s)

    async def reset(self) -> None:
        self.resets += 1

    async def status(self) -> Mapping[str, Any]:
        return {"version": "1"}


async def authenticate(request: HttpRequest) -> Principal:
    """The header says who signed."""
    if "authorization" not in request.headers:
        raise AccessDenied("not signed")
    return Principal.root(request.headers["authorization"])


class World:
    """A node with its control interface, and requests to it."""

    def __init__(self, config: Config = OPEN) -> None:
        self.node = Node()
        self.control = Control(config, self.node, authenticate)

    async def ask(
        self, method: str, command: str, body: object = None, *, sandboxed: bool = False, **headers: str
    ) -> tuple[int, dict[str, Any]]:
        named = {"host": "127.0.0.1:4566", "content-type": "application/json"}
        named |= {name.replace("_", "-"): value for name, value in headers.items()}
        request = HttpRequest(method, f"/_cloudlet/{command}", "", named, b"" if body is None else orjson.dumps(body))
        answer = await self.control.handle(request, sandboxed=sandboxed)
        assert isinstance(answer.body, bytes)
        return answer.status, orjson.loads(answer.body)


@pytest.fixture
def world() -> World:
    return World()


async def test_health_and_readiness(world: World) -> None:
    assert await world.ask("GET", "health") == (200, {"status": "ok"})
    assert await world.ask("HEAD", "health") == (200, {"status": "ok"})
    assert (await world.ask("GET", "ready"))[0] == 200
    world.node.is_ready = False
    assert (await world.ask("GET", "ready"))[0] == 503


async def test_time_moves_by_seconds_and_to_moments(world: World) -> None:
    assert (await world.ask("POST", "clock", {"advance_s": 5}))[1]["offset_s"] == 5
    status, answer = await world.ask("POST", "clock", {"set": "2001-09-09T01:47:00Z"})
    assert (status, answer["now"], answer["time"]) == (200, 1_000_000_020.0, "2001-09-09T01:47:00.000Z")
    assert (await world.ask("GET", "clock"))[1] == answer


@pytest.mark.parametrize(
    "body",
    [
        {"advance_s": -1},
        {"advance_s": MAX_ADVANCE_S + 1},
        {"advance_s": True},
        {"advance_s": "5"},
        {"set": "2001-01-01T00:00:00Z"},
        {"set": "tomorrow"},
        {},
        [],
        None,
    ],
)
async def test_time_does_not_move_otherwise(world: World, body: object) -> None:
    assert (await world.ask("POST", "clock", body))[0] == 400
    assert world.node.moved_s == []


async def test_reset_empties_the_node(world: World) -> None:
    assert (await world.ask("POST", "reset", {}))[0] == 200
    assert world.node.resets == 1


@pytest.mark.parametrize("command", ["health", "ready", "status", "clock", "debug", "nonsense"])
async def test_functions_cannot_look(world: World, command: str) -> None:
    assert (await world.ask("GET", command, sandboxed=True))[0] == 403


@pytest.mark.parametrize("command", ["clock", "reset", "development", "debug", "debug/end"])
async def test_functions_cannot_change(world: World, command: str) -> None:
    assert (await world.ask("POST", command, {"advance_s": 1}, sandboxed=True, authorization=OPEN.account))[0] == 403
    assert (world.node.resets, world.node.moved_s) == (0, [])


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "https://evil.example:4566",
        "null",
        "http://127.0.0.1.evil.example",
        "http://[",
        "http://abc.lambda-url.us-east-1.localhost:4566",
    ],
)
async def test_other_sites_pages_cannot_change(world: World, origin: str) -> None:
    assert (await world.ask("POST", "reset", {}, origin=origin))[0] == 403
    assert world.node.resets == 0


async def test_what_another_sites_page_embeds_cannot_change(world: World) -> None:
    assert (await world.ask("POST", "reset", {}, sec_fetch_site="cross-site"))[0] == 403
    assert (await world.ask("POST", "reset", {}, sec_fetch_site="same-origin"))[0] == 200


async def test_topics_cannot_change(world: World) -> None:
    assert (await world.ask("POST", "reset", {}, x_amz_sns_message_type="Notification"))[0] == 403
    assert world.node.resets == 0


@pytest.mark.parametrize("origin", ["http://localhost:3000", "http://127.0.0.1:4566", "http://[::1]:8000"])
async def test_this_machines_pages_can(world: World, origin: str) -> None:
    assert (await world.ask("POST", "reset", {}, origin=origin))[0] == 200


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_a_plain_html_form_cannot_change(world: World, content_type: str) -> None:
    assert (await world.ask("POST", "reset", {}, content_type=content_type))[0] == 415
    assert (await world.ask("POST", "reset", {}, content_type=content_type, x_cloudlet="1"))[0] == 200


@pytest.mark.parametrize(
    ("method", "command"), [("POST", "reset"), ("POST", "clock"), ("GET", "status"), ("GET", "clock")]
)
async def test_a_foreign_name_for_this_machine_is_refused(world: World, method: str, command: str) -> None:
    assert (await world.ask(method, command, {"advance_s": 1}, host="evil.example:4566"))[0] == 403
    assert (await world.ask(method, command, {"advance_s": 1}, host="[::1]:4566"))[0] == 200


@pytest.mark.parametrize("config", [ENFORCED, PUBLIC])
async def test_a_node_that_is_not_open_wants_the_root_key(config: Config) -> None:
    world = World(config)
    for method, command, body in (("GET", "status", None), ("POST", "clock", {"advance_s": 1})):
        assert (await world.ask(method, command, body))[0] == 403
        assert (await world.ask(method, command, body, authorization="999999999999"))[0] == 403
        assert (await world.ask(method, command, body, authorization=config.account))[0] == 200
    assert world.node.moved_s == [1]


async def test_reset_is_for_dev_mode_only() -> None:
    world = World(ENFORCED)
    assert (await world.ask("POST", "reset", {}, authorization=ENFORCED.account))[0] == 403
    world = World(PUBLIC)
    assert (await world.ask("POST", "reset", {}))[0] == 403
    assert (await world.ask("POST", "reset", {}, authorization=PUBLIC.account))[0] == 200


async def test_what_is_not_there_is_said(world: World) -> None:
    assert (await world.ask("GET", "nonsense"))[0] == 404
    assert (await world.ask("DELETE", "clock"))[0] == 405
    assert (await world.ask("GET", "reset"))[0] == 405


async def test_services_routes_are_served_to_functions_too(world: World) -> None:
    async def download(_: HttpRequest) -> HttpResponse:
        return HttpResponse(200, {}, b'{"code": 1}')

    world.control.add_routes({"lambda": download})
    for sandboxed in (False, True):
        assert await world.ask("GET", "lambda/code/abc", sandboxed=sandboxed) == (200, {"code": 1})
    with pytest.raises(ValueError, match="clock"):
        world.control.add_routes({"clock": download})


COPY = {"function": "arn", "copy": "a" * 32}
DEBUG = {"function": "arn", "payload": "{}", "port": 5678}


async def test_a_function_runs_a_copy_of_its_project(world: World) -> None:
    assert await world.ask("POST", "development", COPY, authorization=OPEN.account) == (200, COPY)
    assert world.node.developed == ("arn", "a" * 32)


async def test_a_function_is_debugged(world: World) -> None:
    key = OPEN.account
    assert await world.ask("POST", "debug", DEBUG, authorization=key) == (200, {"id": "arn {}", "port": 5678})
    assert (await world.ask("GET", "debug", authorization=key))[1] == {"state": "waiting", "id": ""}
    assert await world.ask("POST", "debug/end", {"id": "x"}, authorization=key) == (200, {})
    assert world.node.ended == "x"


@pytest.mark.parametrize(("command", "body"), [("development", COPY), ("debug", DEBUG), ("debug/end", {"id": "x"})])
async def test_work_on_functions_is_the_operators_alone(command: str, body: dict[str, Any]) -> None:
    closed = World(ENFORCED)
    assert (await closed.ask("POST", command, body))[0] == 403
    assert (await closed.ask("POST", command, body, authorization=ENFORCED.account))[0] == 200
    key = OPEN.account
    assert (await World(OPEN).ask("POST", command, body, authorization=key, origin="http://evil.example"))[0] == 403


@pytest.mark.parametrize(
    ("method", "command", "body"),
    [
        ("POST", "development", COPY),
        ("POST", "debug", DEBUG),
        ("POST", "debug/end", {"id": "x"}),
        ("GET", "debug", None),
    ],
)
async def test_what_opens_the_machine_wants_the_root_key_of_an_open_node_too(
    world: World, method: str, command: str, body: object
) -> None:
    for key in ("", "999999999999"):
        given = {"authorization": key} if key else {}
        status, answer = await world.ask(method, command, body, sandboxed=False, **given)
        assert (status, "root key, which is in the file credentials" in answer["message"]) == (403, True)
    assert (await world.ask(method, command, body, authorization=OPEN.account, host="evil.example"))[0] == 403
    assert (await world.ask(method, command, body, authorization=OPEN.account))[0] == 200


@pytest.mark.parametrize(
    ("command", "body"),
    [("development", {}), ("development", {"function": 1, "copy": ""}), ("debug", {**DEBUG, "port": "1"})],
)
async def test_what_makes_no_sense_for_work_on_functions(world: World, command: str, body: dict[str, Any]) -> None:
    assert (await world.ask("POST", command, body, authorization=OPEN.account))[0] == 400


class Delivering(Node):
    """One that may be asked for its deliveries."""

    @property
    def deliveries(self) -> ByHand:
        return cast(ByHand, None)


@pytest.mark.parametrize("path", ["debug", "deliveries", "deliveries/payload"])
async def test_too_many_parameters_are_the_callers_fault(path: str) -> None:
    query = "&".join(f"p{number}=1" for number in range(11))
    headers = {"host": "localhost", "authorization": OPEN.account}
    request = HttpRequest("GET", f"/_cloudlet/{path}", query, headers)
    response = await Control(OPEN, Delivering(), authenticate).handle(request, sandboxed=False)
    assert (response.status, response.body) == (400, b'{"message":"At most 10 parameters."}')
