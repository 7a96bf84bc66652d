"""A version of a function: what it is, and the states that it goes through.

```
CreateFunction            UpdateFunctionCode, UpdateFunctionConfiguration
     |                                  |
  Pending --ready--> Active        InProgress --ready--> Successful
     |                                  |
     +----failed---> Failed             +------failed--> Failed (what ran before goes on running)
```
https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html
"""

import base64
import datetime
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self

import orjson

from cloudlet.compute.function import ON_DEMAND, SNAP_START, FunctionImage, FunctionVersion
from cloudlet.services.lambda_ import layer_tables, packages, tables
from cloudlet.services.lambda_.names import LATEST, FunctionRef, is_version
from cloudlet.store.base import Parameter, Reader, Row, Transaction

_TARGET_FIELDS = frozenset(field.name for field in fields(FunctionVersion))
PUBLISHED_VERSIONS = "PublishedVersions"
CREATING_REASON = "The function is being created."


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """What a version fixes, besides its code."""

    runtime: str
    runs_on: str = ""
    """The runtime that this machine has for it, where that is the nearest one and not `runtime` itself."""
    handler: str
    role: str
    description: str = ""
    timeout_s: int = 3
    memory_mb: int = 128
    ephemeral_storage_mb: int = 512
    environment: Mapping[str, str] | None = None
    """None where the caller has never given one: then AWS does not show it."""
    architecture: str = "x86_64"
    tracing_mode: str = "PassThrough"
    layers: Sequence[Mapping[str, Any]] = ()
    """Lowest first; of each what `LayerVersion.use` gives."""
    log_group: str = ""
    """Empty for the function's own, `/aws/lambda/<name>`."""
    log_format: str = "Text"
    application_log_level: str = ""
    system_log_level: str = ""
    """Both empty where the format is Text."""
    dead_letter_arn: str = ""
    snap_start: str = "None"
    """`PublishedVersions` where versions start from a snapshot."""
    vpc: Mapping[str, Any] | None = None
    """None where the function has never been in one: then AWS does not show it."""
    file_systems: Sequence[Mapping[str, str]] = ()
    kms_key_arn: str = ""
    image: Mapping[str, str] | None = None
    """Of a function that is a container image: `uri` as the caller gave it, `resolved` with its digest, and `source`,
    where it is brought from when it is not here."""
    image_config: Mapping[str, Any] = field(default_factory=dict)
    """ImageConfig, as it was given."""
    update_runtime_on: str = "Auto"
    runtime_version_arn: str = ""
    """That to which it is held, where it is updated by hand."""

    @property
    def package_type(self) -> str:
        return "Zip" if self.image is None else "Image"

    def to_json(self) -> str:
        return orjson.dumps(self, option=orjson.OPT_SORT_KEYS).decode()

    @classmethod
    def from_json(cls, text: str) -> Self:
        values = orjson.loads(text)
        lists = {name: tuple(values.get(name, ())) for name in ("layers", "file_systems")}
        return cls(**values | lists)


@dataclass(frozen=True, slots=True)
class Version:
    """One row of lambda_versions, its fields in the columns' order."""

    account: str
    region: str
    name: str
    sequence: int
    """The version's number; 0 is $LATEST."""
    environment_id: str
    revision_id: str
    state: str
    state_reason: str
    state_reason_code: str
    update_status: str
    update_reason: str
    update_reason_code: str
    code_digest: str
    code_bytes: int
    configuration: Configuration
    fingerprint: str
    """Of code and configuration as they were when the version was published; empty for $LATEST."""
    modified_ms: int
    serving: str
    """The FunctionVersion that invocations run, as JSON; empty while there is none."""
    serving_digest: str

    @classmethod
    def from_row(cls, row: Row) -> Self:
        values = list(row)
        values[14] = Configuration.from_json(values[14])
        return cls(*values)

    def put(self, tx: Transaction) -> None:
        """Insert or replace the row."""
        values: list[Parameter] = [getattr(self, name) for name in self.__slots__]
        values[14] = self.configuration.to_json()
        tables.put_version(tx, values)
        packages.release(tx, layer_tables.set_uses(tx, self.ref, self.sequence, self._layer_digests()))

    def _layer_digests(self) -> list[str]:
        running = self.running
        return [*self.target.layers, *(running.layers if running is not None else ())]

    @property
    def ref(self) -> FunctionRef:
        """The function, without qualifier."""
        return FunctionRef(self.account, self.region, self.name)

    @property
    def number(self) -> str:
        """`$LATEST`, or the version's number."""
        return str(self.sequence) if self.sequence else LATEST

    @property
    def is_changing(self) -> bool:
        """True while a creation or an update is under way."""
        return self.state == "Pending" or self.update_status == "InProgress"

    @property
    def log_group(self) -> str:
        return self.configuration.log_group or f"/aws/lambda/{self.name}"

    @property
    def code_sha256(self) -> str:
        """Base64, as the API shows it; of an image its digest."""
        if self.configuration.image is not None:
            return self.code_digest
        return base64.b64encode(bytes.fromhex(self.code_digest)).decode()

    @property
    def has_snapshot(self) -> bool:
        """True for a published version that starts from a snapshot."""
        return self.sequence > 0 and self.configuration.snap_start == PUBLISHED_VERSIONS

    @property
    def target(self) -> FunctionVersion:
        """What compute is to run once the version is ready."""
        configuration = self.configuration
        return FunctionVersion(
            account=self.account,
            region=self.region,
            name=self.name,
            version=self.number,
            environment_id=self.environment_id,
            runtime=configuration.runtime,
            handler=configuration.handler,
            code_digest=self.code_digest,
            role_arn=configuration.role,
            memory_mb=configuration.memory_mb,
            timeout_s=configuration.timeout_s,
            ephemeral_storage_mb=configuration.ephemeral_storage_mb,
            environment=configuration.environment or {},
            log_group=self.log_group,
            log_format=configuration.log_format,
            application_log_level=configuration.application_log_level,
            system_log_level=configuration.system_log_level,
            layers=tuple(each["digest"] for each in configuration.layers),
            image=_image(configuration),
            initialization_type=SNAP_START if self.has_snapshot else ON_DEMAND,
        )

    @property
    def running(self) -> FunctionVersion | None:
        """What compute runs now: behind `target` while an update is under way or after one that failed."""
        if not self.serving:
            return None
        values = orjson.loads(self.serving)
        values["layers"] = tuple(values["layers"])
        if values.get("image"):
            values["image"] = _function_image(values["image"])
        return FunctionVersion(**{name: value for name, value in values.items() if name in _TARGET_FIELDS})

    def content_fingerprint(self) -> str:
        """The same for two versions of equal code and configuration."""
        return hashlib.sha256(f"{self.code_digest} {self.configuration.to_json()}".encode()).hexdigest()

    def ready(self, revision_id: str) -> "Version":
        """After its preparation: active, and what it runs is what was asked for."""
        return replace(
            self,
            revision_id=revision_id,
            state="Active",
            state_reason="",
            state_reason_code="",
            update_status="Successful",
            update_reason="",
            update_reason_code="",
            serving=orjson.dumps(self.target).decode(),
            serving_digest=self.code_digest,
        )

    def failed(self, revision_id: str, reason: str, code: str) -> "Version":
        """After a preparation that failed: an update leaves what ran before, a creation leaves nothing."""
        if self.state == "Pending":
            return replace(self, revision_id=revision_id, state="Failed", state_reason=reason, state_reason_code=code)
        return replace(
            self, revision_id=revision_id, update_status="Failed", update_reason=reason, update_reason_code=code
        )


def _image(configuration: Configuration) -> FunctionImage | None:
    if configuration.image is None:
        return None
    given = configuration.image_config
    return _function_image(
        {
            "reference": configuration.image["source"],
            "entry_point": given.get("EntryPoint"),
            "command": given.get("Command"),
            "working_directory": given.get("WorkingDirectory") or "",
        }
    )


def _function_image(values: Mapping[str, Any]) -> FunctionImage:
    """From what JSON makes of one."""
    entry_point, command = (values[name] and tuple(values[name]) for name in ("entry_point", "command"))
    return FunctionImage(values["reference"], entry_point or None, command or None, values["working_directory"])


def pending(ref: FunctionRef, sequence: int, ids: tuple[str, str], now_ms: int, **content: Any) -> Version:
    """A version that is being created; `ids` are its environment and revision id, `content` code and configuration."""
    environment_id, revision_id = ids
    return Version(
        account=ref.account,
        region=ref.region,
        name=ref.name,
        sequence=sequence,
        environment_id=environment_id,
        revision_id=revision_id,
        state="Pending",
        state_reason=CREATING_REASON,
        state_reason_code="Creating",
        update_status="",
        update_reason="",
        update_reason_code="",
        fingerprint="",
        modified_ms=now_ms,
        serving="",
        serving_digest="",
        **content,
    )


def find(reader: Reader, ref: FunctionRef) -> Version:
    """The version that `ref` means: by number, by alias, or $LATEST. Raises ResourceNotFound."""
    row = None
    if ref.qualifier in ("", LATEST):
        row = tables.version(reader, ref, 0)
    elif is_version(ref.qualifier):
        row = tables.version(reader, ref, sequence_of(ref.qualifier))
    elif (alias := tables.alias(reader, ref, ref.qualifier)) is not None:
        row = tables.version(reader, ref, alias[1])
    if row is None:
        raise ref.not_found()
    return Version.from_row(row)


def sequence_of(number: str) -> int:
    """The sequence of a version's number; -1, which no version has, for one that is out of range or written oddly."""
    if number == LATEST:
        return 0
    return int(number) if is_version(number) and len(number) <= 18 and not number.startswith("0") else -1


def format_time(moment_ms: int) -> str:
    """`2024-01-31T12:00:00.000+0000`."""
    moment = datetime.datetime.fromtimestamp(moment_ms / 1000, datetime.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment_ms % 1000:03d}+0000"
