"""What AWS's service authorisation reference says of actions and resources.

The data is `access-data.json`, made by `scripts/make-access-data`; `corrections.py` holds what it lacks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import orjson

from cloudlet.iam import corrections


@dataclass(frozen=True, slots=True)
class Action:
    """One action of a service."""

    name: str
    """`service:Action`."""
    level: str
    """List, Read, Write, Tagging or Permissions management."""
    resource_types: Mapping[str, bool]
    """The types of resources that it is about; True for one that a request has to name."""
    keys: tuple[str, ...]
    """The service's condition keys that it knows, as AWS writes them."""
    needs: tuple[str, ...]
    """Actions that the caller has to be allowed as well: `iam:PassRole` and the like."""


@dataclass(frozen=True, slots=True)
class ServiceAccess:
    """One service's actions and resources."""

    prefix: str
    actions: Mapping[str, Action]
    """By the name in lower case."""
    resources: Mapping[str, str]
    """The ARN of each resource type, with `${Placeholder}`s."""


@lru_cache(maxsize=1)
def _data() -> Mapping[str, object]:
    data: Mapping[str, object] = orjson.loads(files(__package__).joinpath("access-data.json").read_bytes())
    return data


@lru_cache(maxsize=256)
def service_access(prefix: str) -> ServiceAccess | None:
    """The actions of the service whose policies say `prefix:`; None when the data has no such service."""
    entry = _data().get(prefix)
    if not isinstance(entry, dict):
        return None
    actions = entry["actions"] | corrections.ACTIONS.get(prefix, {})
    return ServiceAccess(
        prefix,
        {
            name.lower(): Action(f"{prefix}:{name}", level, types, tuple(keys), _needs(f"{prefix}:{name}", needs))
            for name, (level, types, keys, needs) in actions.items()
        },
        entry["resources"],
    )


def _needs(name: str, needs: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*needs, *corrections.NEEDS.get(name, ())]))


def services() -> list[str]:
    """The prefixes of all services in the data."""
    return list(_data())
