"""Repositories: their names, settings and tags."""

import fnmatch
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from cloudlet.iam.principals import RequestContext
from cloudlet.services.ecr import tables
from cloudlet.services.ecr.errors import InvalidParameter, InvalidTagParameter, RepositoryNotFound, TooManyTags
from cloudlet.services.ecr.tables import Key
from cloudlet.store.base import Reader, Row

MAX_TAGS = 50
"""https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-using-tags.html#tag-restrictions"""
NO_POLICY = '{"Version":"2012-10-17","Statement":[]}'
"""A repository without a policy lets nobody in but its own account."""
_NAME = re.compile(r"(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*")
_PLAIN_NAME = "(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*"
_GENERAL_NAME = re.compile(r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*")
_ADDRESS = re.compile(r"\[[0-9a-f:.]+\]|[\d.]+|localhost")


@dataclass(frozen=True, slots=True)
class Repository:
    """One repository."""

    key: Key
    created_ms: int
    settings: Mapping[str, Any]
    """`mutability`, `exclusions`, `scan_on_push`, `encryption`."""
    policy: str
    lifecycle: str
    lifecycle_ms: int
    tags: Mapping[str, str]

    @classmethod
    def from_row(cls, row: Row) -> "Repository":
        account, region, name, created_ms, settings, policy, lifecycle, lifecycle_ms, tags = row
        key = Key(account, region, name)
        return cls(key, created_ms, orjson.loads(settings), policy, lifecycle, lifecycle_ms, orjson.loads(tags))

    def lets_tags_move(self, tag: str) -> bool:
        """True when `tag` may be given to another image.

        https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-tag-mutability.html
        """
        kind = str(self.settings["mutability"])
        is_excluded = any(fnmatch.fnmatchcase(tag, one["filter"]) for one in self.settings.get("exclusions") or ())
        return kind.startswith("MUTABLE") != (kind.endswith("_EXCLUSION") and is_excluded)

    def describe(self, endpoint: str) -> dict[str, Any]:
        """As the API shows it, to who reaches the node at `endpoint`."""
        shown: dict[str, Any] = {
            "repositoryArn": arn(self.key),
            "registryId": self.key.account,
            "repositoryName": self.key.name,
            "repositoryUri": f"{registry_host(self.key.account, self.key.region, endpoint)}/{self.key.name}",
            "createdAt": self.created_ms / 1000,
            "imageTagMutability": self.settings["mutability"],
            "imageScanningConfiguration": {"scanOnPush": self.settings["scan_on_push"]},
            "encryptionConfiguration": self.settings["encryption"],
        }
        if self.settings.get("exclusions"):
            shown["imageTagMutabilityExclusionFilters"] = self.settings["exclusions"]
        return shown


def arn(key: Key) -> str:
    """A repository's ARN."""
    return f"arn:aws:ecr:{key.region}:{key.account}:repository/{key.name}"


def registry_host(account: str, region: str, endpoint: str) -> str:
    """The registry's host, as tools that push to it on the client's machine can resolve it.

    That is the host by which the client has reached the node. Behind a name of its own, `<account>.dkr.ecr.<region>.`
    comes before it; an address, or `localhost`, can have nothing before it: there the account and the region are those
    of who pushes.
    """
    host = endpoint.partition("://")[2].lower()
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    if _ADDRESS.fullmatch(name):
        return host
    labels = host.split(".")
    for place, label in enumerate(labels):
        if label == "dkr":
            host = ".".join(labels[place + 3 :])
        elif label == "ecr" and place < 2 and len(labels) > place + 2:
            host = ".".join(labels[place + 2 :])
    return f"{account}.dkr.ecr.{region}.{host}"


def key_of(context: RequestContext, params: Mapping[str, Any]) -> Key:
    """The repository that a request is about. Raises InvalidParameter."""
    name = params["repositoryName"]
    check_name(name)
    return Key(params.get("registryId") or context.account, context.region, name)


def check_name(name: str) -> None:
    """Raises InvalidParameter for what can be no repository's name."""
    if not 2 <= len(name) <= 256 or not _GENERAL_NAME.fullmatch(name):
        raise InvalidParameter(
            "Invalid parameter at 'repositoryName' failed to satisfy constraint: "
            f"'must satisfy regular expression '{_PLAIN_NAME}''"
        )


def key_of_arn(text: str) -> Key:
    """The repository of an ARN. Raises InvalidParameter."""
    parts = text.split(":", 5)
    if len(parts) != 6 or parts[2] != "ecr" or not parts[5].startswith("repository/"):
        raise InvalidParameter("Invalid parameter at 'resourceArn' failed to satisfy constraint: 'Invalid ARN'")
    return Key(parts[4], parts[3], parts[5].removeprefix("repository/"))


def find(reader: Reader, key: Key) -> Repository:
    """The repository. Raises RepositoryNotFound."""
    row = tables.repository(reader, key)
    if row is None:
        raise RepositoryNotFound(
            f"The repository with name '{key.name}' does not exist in the registry with id '{key.account}'"
        )
    return Repository.from_row(row)


def read_tags(tags: list[Mapping[str, str]], before: Mapping[str, str] | None = None) -> dict[str, str]:
    """The tags of a request, over those that are there. Raises InvalidTagParameter, TooManyTags."""
    found = {tag["Key"]: tag["Value"] for tag in tags}
    for name, value in found.items():
        if name.lower().startswith("aws:") or not 1 <= len(name) <= 128 or len(value) > 256:
            raise InvalidTagParameter(f"Invalid tag: '{name[:128]}'")
    merged = {**(before or {}), **found}
    if len(merged) > MAX_TAGS:
        raise TooManyTags(f"The number of tags exceeds the limit of {MAX_TAGS}.")
    return merged
