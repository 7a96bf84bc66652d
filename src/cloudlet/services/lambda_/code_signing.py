"""Code signing configurations: who may sign the code of functions, and what happens to code that nobody signed.

Packages come over the API here, never from a job of AWS Signer: none is signed. So a configuration that enforces lets
no code in, and one that warns lets all of it in.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-codesigning.html
"""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, replace
from typing import Any, Self

import orjson

from cloudlet.services.lambda_ import code_signing_tables, tagging
from cloudlet.services.lambda_.errors import (
    CodeSigningConfigNotFound,
    CodeVerificationFailed,
    ResourceConflict,
    ResourceNotFound,
)
from cloudlet.services.lambda_.names import CodeSigningKey, FunctionRef
from cloudlet.services.lambda_.version import format_time
from cloudlet.store.base import Reader, Row, Transaction

logger = logging.getLogger(__name__)

ENFORCE, WARN = "Enforce", "Warn"
NOT_FOR_IMAGES = "Code signing is not supported for functions created with container images."
UNSIGNED = (
    "Lambda cannot deploy the function. The function or layer might be signed using a signature that the client is not "
    "configured to accept. Check the provided signature for unsigned."
)


@dataclass(frozen=True, slots=True)
class CodeSigningConfig:
    """One row of lambda_code_signing_configs, its fields in the columns' order."""

    account: str
    region: str
    config_id: str
    description: str
    publishers: str
    """JSON: the ARNs of versions of signing profiles."""
    policy: str
    """`Enforce` or `Warn`."""
    tags: str
    """JSON."""
    modified_ms: int

    @classmethod
    def from_row(cls, row: Row) -> Self:
        return cls(*row)

    @property
    def key(self) -> CodeSigningKey:
        return CodeSigningKey(self.account, self.region, self.config_id)

    def put(self, tx: Transaction) -> None:
        """Insert or replace the row."""
        code_signing_tables.put(tx, astuple(self))

    def changed(self, params: Mapping[str, Any], now_ms: int) -> "CodeSigningConfig":
        """With what a request of CreateCodeSigningConfig or UpdateCodeSigningConfig names."""
        changes: dict[str, Any] = {"modified_ms": now_ms}
        if (description := params.get("Description")) is not None:
            changes["description"] = description
        if (publishers := params.get("AllowedPublishers")) is not None:
            changes["publishers"] = orjson.dumps(publishers["SigningProfileVersionArns"]).decode()
        if policy := (params.get("CodeSigningPolicies") or {}).get("UntrustedArtifactOnDeployment"):
            changes["policy"] = policy
        return replace(self, **changes)

    def describe(self) -> dict[str, Any]:
        """As the API shows it."""
        shown = {
            "CodeSigningConfigId": self.config_id,
            "CodeSigningConfigArn": self.key.arn,
            "AllowedPublishers": {"SigningProfileVersionArns": orjson.loads(self.publishers)},
            "CodeSigningPolicies": {"UntrustedArtifactOnDeployment": self.policy},
            "LastModified": format_time(self.modified_ms),
        }
        return {**shown, "Description": self.description} if self.description else shown


def new(key: CodeSigningKey, params: Mapping[str, Any], now_ms: int) -> CodeSigningConfig:
    """What CreateCodeSigningConfig makes. Raises InvalidParameterValue for tags that it cannot have."""
    tags = params.get("Tags") or {}
    tagging.check(tags)
    made = CodeSigningConfig(*key, "", "[]", WARN, orjson.dumps(tags).decode(), now_ms)
    return made.changed(params, now_ms)


def get(reader: Reader, key: CodeSigningKey) -> CodeSigningConfig:
    """Raises ResourceNotFound."""
    row = code_signing_tables.one(reader, key)
    if row is None:
        raise ResourceNotFound(f"The Lambda code signing configuration {key.arn} can not be found.")
    return CodeSigningConfig.from_row(row)


def delete(tx: Transaction, key: CodeSigningKey) -> None:
    """Raises ResourceNotFound, ResourceConflict while functions have it."""
    get(tx, key)
    if code_signing_tables.functions(tx, key, "", 1):
        raise ResourceConflict(
            f"The code signing configuration {key.arn} is in use by functions: remove it from them first."
        )
    code_signing_tables.delete(tx, key)


def of_function(reader: Reader, ref: FunctionRef) -> CodeSigningConfig | None:
    """The configuration of a function, if it has one."""
    config_id, _ = code_signing_tables.settings(reader, ref)
    row = code_signing_tables.one(reader, CodeSigningKey(ref.account, ref.region, config_id)) if config_id else None
    return CodeSigningConfig.from_row(row) if row is not None else None


def for_function(reader: Reader, key: CodeSigningKey) -> CodeSigningConfig:
    """The configuration that a function is to have. Raises CodeSigningConfigNotFound."""
    row = code_signing_tables.one(reader, key)
    if row is None:
        raise CodeSigningConfigNotFound(
            "The code signing configuration cannot be found. Check that the provided configuration is not deleted: "
            f"{key.arn}."
        )
    return CodeSigningConfig.from_row(row)


def check(config: CodeSigningConfig | None, ref: FunctionRef) -> None:
    """Code is about to be deployed. Raises CodeVerificationFailed where it would have to be signed."""
    if config is None:
        return
    if config.policy == ENFORCE:
        raise CodeVerificationFailed(UNSIGNED)
    logger.warning("code that is not signed was deployed", extra={"function": ref.arn, "config": config.key.arn})


def read_tags(reader: Reader, key: CodeSigningKey) -> dict[str, str]:
    """Raises ResourceNotFound."""
    tags: dict[str, str] = orjson.loads(get(reader, key).tags)
    return tags


def change_tags(tx: Transaction, key: CodeSigningKey, add: Mapping[str, str], remove: Iterable[str]) -> None:
    """Add and remove tags. Raises ResourceNotFound, InvalidParameterValue."""
    tags = {**read_tags(tx, key), **add}
    for name in remove:
        tags.pop(name, None)
    tagging.check(tags)
    replace(get(tx, key), tags=orjson.dumps(tags).decode()).put(tx)
