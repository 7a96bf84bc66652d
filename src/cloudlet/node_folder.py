"""What a running node leaves in its data folder, so that the command line finds it."""

import configparser
import contextlib
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from cloudlet.store.folder import holder

NODE_FILE = "node.json"
CREDENTIALS_FILE = "credentials"
"""An AWS credentials file with the root key pair, as `iam.credentials` writes it."""


@dataclass(frozen=True, slots=True)
class NodeRecord:
    """Where a node serves."""

    endpoint: str
    pid: int
    version: str
    region: str
    is_open: bool
    """Whether `test`/`test` is good there (`Config.is_open`)."""


class NodeFolder:
    """A data folder as others than its node see it."""

    def __init__(self, data: Path) -> None:
        self.path = data

    def write(self, record: NodeRecord) -> None:
        """Say where the node serves."""
        temporary = self.path / f"{NODE_FILE}.new"
        temporary.unlink(missing_ok=True)
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(asdict(record), file)
        temporary.replace(self.path / NODE_FILE)

    def remove(self) -> None:
        """The node serves no longer."""
        (self.path / NODE_FILE).unlink(missing_ok=True)

    def pid(self) -> int | None:
        """The process that has this folder now; None when no node runs on it."""
        try:
            return holder(self.path)
        except PermissionError:
            return None

    def running(self) -> NodeRecord | None:
        """The node that serves now; None when none runs or it does not serve yet."""
        with contextlib.suppress(OSError, ValueError, TypeError):
            record = NodeRecord(**json.loads((self.path / NODE_FILE).read_text()))
            return record if record.pid == self.pid() else None
        return None

    def can_be_seen(self) -> bool:
        """Whether this user would see a node that runs here."""
        return not self.path.is_dir() or os.access(self.path, os.R_OK | os.X_OK)

    def endpoint(self) -> str | None:
        """Where the running node serves; None when none does."""
        record = self.running()
        return record.endpoint if record is not None else None

    def root_key(self) -> tuple[str, str] | None:
        """The root key pair, where this user may read it."""
        parser = configparser.ConfigParser(interpolation=None)
        with contextlib.suppress(OSError, ValueError, configparser.Error, KeyError):
            parser.read_string((self.path / CREDENTIALS_FILE).read_text())
            values = parser["default"]
            return values["aws_access_key_id"], values["aws_secret_access_key"]
        return None

    def wait_until_gone(self, pid: int, timeout_s: float) -> bool:
        """Wait until process `pid` has ended; False when it still runs after `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while _is_running(pid):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    with contextlib.suppress(OSError):
        # A zombie has ended; its parent has only not asked yet.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return True
