"""`cloudlet credentials --account`: another account of the node, in both modes of authentication."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.nodes import RUNTIMES, Clients, NodeProcess


def credentials(data: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run `cloudlet credentials --export`."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CLOUDLET_"))}
    return subprocess.run(
        [sys.executable, "-m", "cloudlet", "credentials", "--export", "--data", str(data), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
        env=inherited | {"CLOUDLET_RUNTIMES": str(RUNTIMES)} | environ,
    )


def variables(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    assert done.returncode == 0, done.stderr
    lines = (line.removeprefix("export ").partition("=") for line in done.stdout.splitlines())
    return {name: value.strip("'") for name, _, value in lines}


def client(clients: Clients, found: dict[str, str], service: str = "sts") -> Any:
    keys = found["AWS_ACCESS_KEY_ID"], found["AWS_SECRET_ACCESS_KEY"]
    return clients.make(found["AWS_ENDPOINT_URL"], service, keys=keys, token=found.get("AWS_SESSION_TOKEN"))


def create_account(organizations: Any, name: str) -> str:
    organizations.create_organization()
    begun = organizations.create_account(AccountName=name, Email=f"{name}@example.com")["CreateAccountStatus"]
    status = organizations.describe_create_account_status(CreateAccountRequestId=begun["Id"])
    return str(status["CreateAccountStatus"]["AccountId"])


@pytest.fixture(params=["dev", "enforced"])
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def node(mode: str, tmp_path: Path) -> Iterator[NodeProcess]:
    node = NodeProcess(tmp_path / "data", "", "--auth", mode)
    node.start()
    yield node
    node.kill9()


def test_another_account_is_pointed_at_by_name_or_by_number(node: NodeProcess, mode: str, clients: Clients) -> None:
    environ = {"CLOUDLET_AUTH": mode}
    own = variables(credentials(node.data, **environ))
    dev = create_account(client(clients, own, "organizations"), "dev")
    who = {"dev": "root", "enforced": "assumed-role/OrganizationAccountAccessRole/cloudlet-credentials"}[mode]
    for name in ("dev", dev):
        found = variables(credentials(node.data, "--account", name, **environ))
        identity = client(clients, found).get_caller_identity()
        assert identity["Account"] == dev
        assert identity["Arn"].endswith(f":{who}")
    done = credentials(node.data, "--account", "nobody", **environ)
    assert done.returncode == 1
    assert "no account called nobody" in done.stderr


def test_an_account_without_the_role_cannot_be_entered(tmp_path: Path) -> None:
    node = NodeProcess(tmp_path / "data", "", "--auth", "enforced")
    node.start()
    try:
        done = credentials(node.data, "--account", "123456789012", CLOUDLET_AUTH="enforced")
        assert done.returncode == 1
        assert "OrganizationAccountAccessRole of account 123456789012 cannot be assumed" in done.stderr
    finally:
        node.kill9()
