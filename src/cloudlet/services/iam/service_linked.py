"""Service-linked roles: roles that belong to a service, which alone can change them.

The roles have no policies here: no part of this platform acts as one of them.

https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_create-service-linked-role.html
"""

from functools import cache
from importlib.resources import files
from typing import NamedTuple

import orjson

from cloudlet.iam import account_table, entity_table, role_table
from cloudlet.iam.role_table import KIND, Role
from cloudlet.services.iam import role as roles
from cloudlet.services.iam.errors import InvalidInput, NoSuchEntity
from cloudlet.store.base import Reader, Transaction

_SUFFIX = ".amazonaws.com"
_TASK_PREFIX = "task/aws-service-role/"
_TASKS_KEPT_S = 24 * 3600


class LinkedService(NamedTuple):
    """A service that has a role of its own."""

    role_name: str
    takes_suffix: bool
    """True where there can be several roles, whose names end on what the caller says."""


@cache
def linked_services() -> dict[str, LinkedService]:
    """The services that have roles of their own, by name: `autoscaling.amazonaws.com`."""
    found = {}
    for line in (files("cloudlet.services.iam") / "service_linked_roles.txt").read_text().splitlines():
        if not line.startswith("#"):
            service, role, *star = line.split()
            found[service + _SUFFIX] = LinkedService(f"AWSServiceRoleFor{role}", bool(star))
    return found


def role_name(service_name: str, suffix: str | None) -> str:
    """The name of a service's role. Raises InvalidInput."""
    service = linked_services().get(service_name)
    if service is None:
        raise InvalidInput(f"Service name {service_name} is not valid.")
    if suffix is None:
        return service.role_name
    if not service.takes_suffix:
        raise InvalidInput(f"Custom suffix is not allowed for {service_name}")
    return f"{service.role_name}_{suffix}"


def trust_policy(service_name: str) -> str:
    """Who may assume a service's role: the service."""
    statement = {"Action": ["sts:AssumeRole"], "Effect": "Allow", "Principal": {"Service": [service_name]}}
    return orjson.dumps({"Version": "2012-10-17", "Statement": [statement]}).decode()


def create(tx: Transaction, role: Role) -> None:
    """Keep a new service-linked role. Raises InvalidInput, LimitExceeded."""
    if role_table.find(tx, role.account, role.name):
        raise InvalidInput(
            f"Service role name {role.name} has been taken in this account, please try a different suffix."
        )
    roles.create(tx, role, [])


def delete(tx: Transaction, account: str, name: str, task_uuid: str, now: float) -> str:
    """Forget a service-linked role; the id of the task that did it, which is asked for up to a day. NoSuchEntity."""
    role = roles.get(tx, account, name)
    if not role.path.startswith(roles.SERVICE_LINKED_PATH):
        raise NoSuchEntity(f"The service-linked role with name {name} cannot be found.")
    entity_table.delete_all_tags(tx, account, KIND, role.key)
    role_table.delete(tx, role)
    service_name = role.path.removeprefix(roles.SERVICE_LINKED_PATH).rstrip("/")
    task = f"{_TASK_PREFIX}{service_name}/{role.name}/{task_uuid}"
    account_table.delete_settings_before(tx, account, _TASK_PREFIX, now - _TASKS_KEPT_S)
    account_table.put_setting(tx, account, task, "SUCCEEDED", now)
    return task


def deletion_status(reader: Reader, account: str, task: str) -> str:
    """How far the deletion of a service-linked role is: it is done when it has answered. Raises NoSuchEntity."""
    found = account_table.setting(reader, account, task) if task.startswith(_TASK_PREFIX) else None
    if found is None:
        raise NoSuchEntity(f"Deletion Task ID {task} cannot be found.")
    return found[0]
