"""What an open node does not take."""

import pytest

from cloudlet.compute.images.registry_client import OWN_AGENT
from cloudlet.config import Config
from cloudlet.gateway.walls import host_name, obstacle
from cloudlet.wire.http import HttpRequest

OPEN = Config(names="aws.corp.example, Dev.Example")
SIGNED = {"authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/sqs/aws4_request"}
IN_URL = "Action=DeleteQueue&X-Amz-Credential=test%2F20260101"


def asked(host: str = "localhost:4566", query: str = "", **headers: str) -> str:
    named = {"host": host} | {name.replace("_", "-"): value for name, value in headers.items()}
    return obstacle(HttpRequest("GET", "/", query, named), OPEN)


@pytest.mark.parametrize(
    "host",
    [
        "localhost:4566", "LOCALHOST", "127.0.0.1:4566", "127.1.2.3", "[::1]:4566", "sqs.us-east-1.localhost:4566",
        "aws.corp.example:4566", "dev.example",
    ],
)  # fmt: skip
def test_names_of_this_machine_may_be_used_in_any_way(host: str) -> None:
    assert asked(host, **SIGNED) == asked(host, IN_URL) == ""


@pytest.mark.parametrize(
    "host",
    [
        "sqs.us-east-1.amazonaws.com", "cloudlet:4566", "host.docker.internal:4566", "192.168.1.5:4566", "0.0.0.0:4566",
        "localhost.localstack.cloud:4566", "s3.localhost.localstack.cloud:4566", "aws.local", "[fe80::1]:4566",
    ],
)  # fmt: skip
def test_names_that_no_other_site_can_have_need_a_signature_in_a_header(host: str) -> None:
    assert asked(host, **SIGNED) == ""
    assert asked(host, "Action=AssumeRoleWithWebIdentity") == ""  # who is nobody can do nothing
    assert "has to name localhost" in asked(host, IN_URL)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:4566",
        "localhost.evil.example",
        "127.0.0.1.nip.io:4566",
        "amazonaws.com.evil.example",
        "lvh.me",
        "",
    ],
)
def test_names_that_may_be_another_sites_are_refused(host: str) -> None:
    assert "is not known to be this machine" in asked(host, **SIGNED)


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://x.lambda-url.us-east-1.localhost:4566"])
def test_scripts_of_other_sites_are_refused(origin: str) -> None:
    assert "another site" in asked(origin=origin, **SIGNED)
    assert asked(origin="http://localhost:3000", **SIGNED) == ""


def test_what_other_sites_embed_is_refused() -> None:
    assert "another site" in asked(query=IN_URL, sec_fetch_site="cross-site")
    for own in ("same-origin", "same-site", "none"):
        assert asked(query=IN_URL, sec_fetch_site=own) == ""


def test_what_a_page_at_a_function_url_embeds_is_refused() -> None:
    """To browsers it is of the same site as every other name below the region's."""
    for host in ("sqs.us-east-1.localhost:4566", "x.localhost"):
        assert "another site" in asked(host, IN_URL, sec_fetch_site="same-site")
        assert asked(host, IN_URL, sec_fetch_site="same-origin") == ""


def test_the_node_does_not_call_itself() -> None:
    assert asked(query=IN_URL, user_agent=f"{OWN_AGENT}1.0") == "The node does not call itself."
    assert asked(user_agent=f"{OWN_AGENT}1.0") == ""  # its own registry


def test_what_a_topic_delivers_is_refused() -> None:
    assert "topic" in asked(query=IN_URL, x_amz_sns_message_type="Notification")


@pytest.mark.parametrize(
    ("host", "name"), [("A.b:1", "a.b"), ("[::1]:80", "::1"), ("localhost.", "localhost"), ("[", ""), (":80", "")]
)
def test_a_host_without_its_port(host: str, name: str) -> None:
    assert host_name(host) == name
