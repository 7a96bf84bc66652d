"""Finds principals by name, and the documents of policies that the simulator names, through IAM's public operations.

botocore is imported when it is needed: it takes longer than the rest of the command line.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from cloudlet.cli.output import CommandError


def find_principal(iam: Any, name: str, kinds: Sequence[str] = ("role", "user")) -> str:
    """The ARN of the role or user of this name, ARN, or session ARN. Raises CommandError when there is none."""
    from botocore.exceptions import ClientError

    if ":assumed-role/" in name:
        name = name.split("/")[1]
    kinds = [kind for kind in kinds if not name.startswith("arn:") or f":{kind}/" in name]
    bare = name.rpartition("/")[2]
    for kind in kinds:
        try:
            found = iam.get_role(RoleName=bare) if kind == "role" else iam.get_user(UserName=bare)
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("NoSuchEntity", "ValidationError"):
                raise
            continue
        return str(found[kind.capitalize()]["Arn"])
    raise CommandError(f"There is no {' or '.join(kinds) or 'role'} {name}.")


class Policies:
    """The policies that bear on a principal. Takes the IAM client: it gives documents as they are written from now on,
    not parsed, because the simulator's positions are in the text."""

    def __init__(self, iam: Any, principal_arn: str) -> None:
        from botocore.handlers import json_decode_policies

        iam.meta.events.unregister("after-call.iam", json_decode_policies)
        self._iam = iam
        self._arn = principal_arn
        self._kind = "role" if ":role/" in principal_arn else "user"
        self._name = principal_arn.rpartition("/")[2]

    def find(self, source: str) -> tuple[str, str]:
        """What a person calls the policy that the simulator calls `source`, and its document."""
        for kind, holder in self._holders():
            prefix = f"{kind}_{holder}_"
            if source.startswith(prefix) and (document := self._inline(kind, holder, source.removeprefix(prefix))):
                return f"inline policy {source.removeprefix(prefix)} of {kind} {holder}", document
        for arn in self._managed():
            if arn.rpartition("/")[2] == source:
                return arn, self._document(arn)
        raise CommandError(f"The policy {source} has changed meanwhile.")

    def _holders(self) -> Iterator[tuple[str, str]]:
        yield self._kind, self._name
        if self._kind == "user":
            for page in self._iam.get_paginator("list_groups_for_user").paginate(UserName=self._name):
                yield from (("group", group["GroupName"]) for group in page["Groups"])

    def _inline(self, kind: str, holder: str, name: str) -> str:
        from botocore.exceptions import ClientError

        get = getattr(self._iam, f"get_{kind}_policy")
        try:
            found = get(**{f"{kind.capitalize()}Name": holder, "PolicyName": name})
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchEntity":
                raise
            return ""
        return unquote(found["PolicyDocument"])

    def _managed(self) -> Iterator[str]:
        """The ARNs of the managed policies that are attached, and of the boundary."""
        for kind, holder in self._holders():
            pages = self._iam.get_paginator(f"list_attached_{kind}_policies")
            for page in pages.paginate(**{f"{kind.capitalize()}Name": holder}):
                yield from (policy["PolicyArn"] for policy in page["AttachedPolicies"])
        get = self._iam.get_role if self._kind == "role" else self._iam.get_user
        entity = get(**{f"{self._kind.capitalize()}Name": self._name})[self._kind.capitalize()]
        if boundary := entity.get("PermissionsBoundary"):
            yield boundary["PermissionsBoundaryArn"]

    def _document(self, arn: str) -> str:
        version = self._iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        return unquote(self._iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"])


def statement_of(document: str, start: Mapping[str, int], end: Mapping[str, int]) -> dict[str, Any]:
    """The statement between two positions of the simulator."""
    text = document[_offset(document, start) : _offset(document, end)].strip().removeprefix(",").strip()
    found: dict[str, Any] = json.loads(text if text.startswith("{") else "{" + text)
    return found


def _offset(document: str, position: Mapping[str, int]) -> int:
    lines = document.split("\n")
    return sum(len(line) + 1 for line in lines[: position["Line"] - 1]) + position["Column"] - 1
