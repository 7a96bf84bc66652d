"""Which services a request can be for, by what it says of itself, without loading a single model.

The index is `service-index.json`, made from botocore's models by `scripts/make-service-index`: a row for each service
with its signing name, endpoint prefix, target prefix (which is its name in RPC v2 paths, too) and API version, and for
services that speak the query or ec2 protocol their operations.
"""

from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import orjson

PATH = Path(__file__).with_name("service-index.json")
Row = tuple[str, str, str, str, str]
"""Signing name, endpoint prefix, target prefix, API version, operations (separated by spaces)."""
_Names = dict[str, list[str]]


class ServiceIndex:
    """Finds services, by botocore's names of them. Of those that share a name the one that is called so comes first."""

    def __init__(self, path: Path = PATH) -> None:
        self._rows: dict[str, Row] = orjson.loads(path.read_bytes())
        self._signed: _Names = defaultdict(list)
        self._endpoints: _Names = defaultdict(list)
        self._targets: _Names = defaultdict(list)
        # A service that has given a shared name its own comes first: rds before docdb.
        ranked = sorted(self._rows.items(), key=lambda item: (item[0] not in item[1][:2], item[0]))
        for name, (signing, endpoint, target, _, _) in ranked:
            self._signed[signing].append(name)
            self._endpoints[endpoint].append(name)
            if target:
                self._targets[target].append(name)
        for name in self._rows:
            # Hosts such as `stepfunctions.localhost` use botocore's names, where AWS's are others.
            self._endpoints.setdefault(name, [name])

    def __contains__(self, name: str) -> bool:
        return name in self._rows

    def signed_as(self, signing_name: str) -> Sequence[str]:
        """The services whose requests are signed for `signing_name`."""
        return self._signed.get(signing_name, ())

    def with_endpoint(self, label: str) -> Sequence[str]:
        """The services whose host names begin with `label`."""
        return self._endpoints.get(label, ())

    def with_target_prefix(self, prefix: str) -> Sequence[str]:
        """The services whose X-Amz-Target begins with `prefix`, or whose name in RPC v2 paths it is."""
        return self._targets.get(prefix, ())

    def with_action(self, action: str, version: str = "") -> Sequence[str]:
        """The services that have the operation `action` in the query or ec2 protocol, of that API version if given."""
        found = self._actions.get(action, ())
        return [name for name in found if self._rows[name][3] == version] if version else found

    @cached_property
    def _actions(self) -> _Names:
        actions: _Names = defaultdict(list)
        ranked = sorted(self._rows.items(), key=lambda item: (item[0] not in item[1][:2], item[0]))
        for name, row in ranked:
            for action in row[4].split():
                actions[action].append(name)
        return actions
