"""A node's settings: defaults, then a TOML file, then `CLOUDLET_*` variables, then the command line."""

import dataclasses
import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, Self, get_args, get_origin, get_type_hints

AuthMode = Literal["dev", "enforced"]
Isolation = Literal["namespaces", "process"]
LogFormat = Literal["text", "json"]

MIB = 1024 * 1024
DEFAULT_DATA: Final = Path(".cloudlet")
VARIABLE_PREFIX = "CLOUDLET_"
_REGION: Final = re.compile(r"[a-z0-9-]{1,63}")
"""What can stand in an ARN and in a host's name."""
_AT_LEAST_ONE: Final = ("concurrency", "max_body_bytes")


class ConfigError(ValueError):
    """A setting is unknown or has a value that it cannot have."""


@dataclass(frozen=True, slots=True)
class Config:
    """All settings of one node, named as in the TOML file and, in capitals after `CLOUDLET_`, as variables."""

    host: str = "127.0.0.1"
    port: int = 4566
    names: str = ""
    """Further names that this machine calls the node by, with commas: in dev mode, a request to others is refused."""
    data: Path = DEFAULT_DATA
    """The data folder: database, code packages, prepared runtimes, log files. Mode 0700."""
    store: str = ""
    """`postgresql://...` for a shared database; empty for SQLite in the data folder."""
    auth: AuthMode = "dev"
    isolation: Isolation = "namespaces"
    log_format: LogFormat = "text"
    account: str = "000000000000"
    """The account of `test`/`test` and of the root key pair."""
    region: str = "us-east-1"
    """The region of a call whose signature names none."""
    max_body_bytes: int = 128 * MIB
    """A request's body may be this large; a service may set a lower limit for itself."""
    concurrency: int = 1000
    """Concurrent executions of functions in an account."""
    scaling_rate: int = 1000
    """New execution environments of a function within 10 s, besides provisioned ones; 0 for no limit."""
    request_rate_factor: int = 10
    """Synchronous invocations in a second per unit of concurrency, of the account or reserved; 0 for no limit."""
    freeze_after_s: float = 1.0
    """An execution environment that is idle for so long is frozen until its next invocation; 0 for never.

    AWS freezes at once; here that would cost each of many invocations in a row two writes.
    https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
    """
    sandbox_memory_mb: int = 0
    """Memory that all sandboxes together may use; 0 for three quarters of the machine's."""
    idle_timeout_s: float = 600.0
    """An idle sandbox is reaped after this time."""
    snapshot_idle_s: float = 86400.0
    """The snapshot of a function version with SnapStart is dropped after this time without a cold start, and taken
    again at the next."""
    nearest_runtime: bool = False
    """Run a function whose runtime version is missing on the nearest one that is there, and say so in its log."""
    data_events: bool = False
    """Calls about data (messages, objects, items, invocations) leave audit events too, not only those of management."""
    queue_recreation_delay_s: float = 60.0
    """How long the name of a deleted queue stays taken. 60 s on AWS; 0 for tests that make it anew at once."""
    dead_deliveries: int = 10_000
    """Asynchronous work that failed for good and has no destination is kept up to this number, to be tried by hand."""
    dead_deliveries_days: float = 14.0
    """... and for so long."""
    smtp: str = ""
    """The server that takes e-mail for subscribers of topics: `smtp://[user:password@]host[:port]`, or `smtps://`."""
    smtp_from: str = "no-reply@sns.amazonaws.com"
    """Who e-mail comes from."""
    image_registries: str = ""
    """Registries other than the node's own, with commas, that functions' images may come from; `*` for all. Empty: all
    while the node is open (dev mode, on loopback), none otherwise."""
    image_folder: Path | None = None
    """Where `oci:` and `docker-archive:` images may lie; None: anywhere while the node is open, nowhere otherwise."""
    registry_logins: Path | None = None
    """The file with logins for registries, as `docker login` writes it; None for those of the node's user."""
    runtimes: Path | None = None
    """The folder of prepared runtimes, which nodes may share; None for `runtimes` in the data folder."""

    def __post_init__(self) -> None:
        if not (len(self.account) == 12 and self.account.isascii() and self.account.isdigit()):
            raise ConfigError(f"account: {self.account!r} is not twelve digits")
        if not 0 <= self.port <= 65535:
            raise ConfigError(f"port: {self.port} is not between 0 and 65535")
        if not _REGION.fullmatch(self.region):
            raise ConfigError(f"region: {self.region!r} is not the name of a region, like us-east-1")
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            least = 1 if field.name in _AT_LEAST_ONE else 0
            if isinstance(value, int | float) and not least <= value < math.inf:  # also NaN
                raise ConfigError(f"{field.name}: {value} is not a number from {least} on")

    @property
    def own_names(self) -> list[str]:
        """The `names`, one by one, in lower case."""
        return [name.strip().lower() for name in self.names.split(",") if name.strip()]

    @property
    def runtimes_folder(self) -> Path:
        """Where prepared runtimes are."""
        return self.runtimes or self.data / "runtimes"

    @property
    def endpoint(self) -> str:
        """Where the node serves, as a client on this machine names it; right once the port is known."""
        all_addresses = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - names them, binds nothing
        host = all_addresses.get(self.host, self.host)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """True while only this machine can reach the node."""
        return self.host in ("localhost", "::1") or self.host.startswith("127.")

    @property
    def is_open(self) -> bool:
        """True where the keys that everybody knows are good (`test`, account numbers): in dev mode, on loopback."""
        return self.auth == "dev" and self.is_loopback

    @classmethod
    def load(cls, file: Path | None, environ: Mapping[str, str], options: Mapping[str, Any]) -> Self:
        """The settings of `file`, overridden by `environ`, overridden by those `options` that are not None.

        Raises ConfigError for unknown names, for values of the wrong type, and for a file that cannot be read.
        """
        values: dict[str, Any] = {}
        if file is not None:
            values.update(_of_file(file))
            values.pop("function", None)  # what `cloudlet dev` reads
        names = {field.name for field in dataclasses.fields(cls)}
        values.update({name: environ[key] for name in names if (key := variable(name)) in environ})
        values.update({name: value for name, value in options.items() if value is not None})
        if unknown := sorted(set(values) - names):
            raise ConfigError(f"unknown setting: {', '.join(unknown)}")
        hints = get_type_hints(cls)
        return cls(**{name: _converted(name, hints[name], value) for name, value in values.items()})


def variable(name: str) -> str:
    """The variable that sets a setting."""
    return f"{VARIABLE_PREFIX}{name.upper()}"


def _of_file(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file}: {error}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file}: is not UTF-8 at byte {error.start}") from error
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}") from error


_KINDS: Final = {int: "a whole number", float: "a number", Path: "a path", str: "a text"}
"""Types as a person calls them."""


def _converted(name: str, kind: Any, value: Any) -> Any:
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            raise ConfigError(f"{name}: {value!r} is not one of {', '.join(get_args(kind))}")
        return value
    if kind is bool:
        if str(value).lower() not in ("true", "false", "1", "0"):
            raise ConfigError(f"{name}: {value!r} is neither true nor false")
        return str(value).lower() in ("true", "1")
    target = Path if kind == (Path | None) else kind
    is_nothing = value == "" and target is not str  # a path of no characters would be the current folder
    is_cut = target is int and isinstance(value, float) and not value.is_integer()
    try:
        if is_nothing or is_cut or isinstance(value, bool | dict | list):
            raise TypeError
        return value if isinstance(value, target) else target(value)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{name}: {value!r} is not {_KINDS.get(target, 'a ' + target.__name__)}") from error
