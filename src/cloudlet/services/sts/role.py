"""The role that somebody asks STS for.

A role that does not exist is not told apart from one that the caller may not assume. One exception, in dev mode only:
Lambda may assume a role that does not exist, because those who try functions out make no roles. Its sessions can do
what a role without policies can.
"""

from cloudlet.arn import Arn
from cloudlet.config import Config
from cloudlet.errors import ValidationError
from cloudlet.iam import role_table
from cloudlet.iam.imagined import imagined_role_id
from cloudlet.iam.principals import Principal
from cloudlet.iam.role_table import Role
from cloudlet.services.sts.session import DEFAULT_DURATION_S
from cloudlet.store.base import Reader

LAMBDA = "lambda.amazonaws.com"


def parse_arn(text: str) -> Arn:
    """A role's ARN. Raises ValidationError when it is no ARN at all."""
    try:
        return Arn.parse(text)
    except ValueError as error:
        raise ValidationError(f"{text} is invalid") from error


def find(reader: Reader, arn: Arn) -> Role | None:
    """The role of this ARN, path and all."""
    name = arn.resource.rpartition("/")[2]
    role = role_table.find(reader, arn.account, name)
    return role if role is not None and role.arn == str(arn) else None


def imagined(arn: Arn, caller: Principal, config: Config) -> Role | None:
    """A role that does not exist, where it is taken for one that does: for Lambda, in its own account, in dev mode."""
    is_role = arn.service == "iam" and arn.resource.startswith("role/")
    if config.auth != "dev" or caller.source_service != LAMBDA or caller.account != arn.account or not is_role:
        return None
    path, _, name = arn.resource.removeprefix("role").rpartition("/")
    return Role(arn.account, name, f"{path}/", imagined_role_id(str(arn)), "", None, DEFAULT_DURATION_S, None, 0.0)
