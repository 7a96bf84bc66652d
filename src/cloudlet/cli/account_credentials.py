"""Credentials for another account of the node: by its digits in dev mode, by its role where keys are enforced."""

import re
from urllib.parse import urlencode
from xml.etree import ElementTree

from cloudlet.cli.client import Client, ServiceFailure
from cloudlet.cli.output import CommandError

ACCESS_ROLE = "OrganizationAccountAccessRole"
SESSION_NAME = "cloudlet-credentials"
_TARGET = "AWSOrganizationsV20161128.ListAccounts"
_STS = "{https://sts.amazonaws.com/doc/2011-06-15/}"
_DIGITS = re.compile(r"[0-9]{12}")

Variables = dict[str, str]


def keys_of_account(client: Client, account: str, own: Variables, *, is_open: bool) -> Variables:
    """Credentials for an account by its number or name; `own` are the client's, `is_open` is dev mode's.

    Raises CommandError.
    """
    from cloudlet.iam.credentials import account_of

    number = account_id(client, account)
    if is_open:
        return {"AWS_ACCESS_KEY_ID": number, "AWS_SECRET_ACCESS_KEY": "test"}
    return own if account_of(own["AWS_ACCESS_KEY_ID"]) == number else role_keys(client, number)


def account_id(client: Client, account: str) -> str:
    """The number of an account of the organisation, given by number or by name. Raises CommandError."""
    if _DIGITS.fullmatch(account):
        return account
    found = [member["Id"] for member in _members(client) if member["Name"] == account]
    if len(found) == 1:
        return found[0]
    if found:
        raise CommandError(f"Several accounts are called {account}: {', '.join(found)}.", "Name one by its number.")
    raise CommandError(
        f"The organization has no account called {account}.",
        "Make one with: aws organizations create-account --account-name NAME --email ADDRESS",
    )


def _members(client: Client) -> list[Variables]:
    members: list[Variables] = []
    token: Variables = {}
    while True:
        try:
            answer = client.json("organizations", _TARGET, token)
        except ServiceFailure as error:
            if error.code == "AWSOrganizationsNotInUseException":
                return []
            raise
        members += answer["Accounts"]
        if "NextToken" not in answer:
            return members
        token = {"NextToken": answer["NextToken"]}


def role_keys(client: Client, account: str) -> Variables:
    """A session of the role that the account's creation made. Raises CommandError."""
    role = f"arn:aws:iam::{account}:role/{ACCESS_ROLE}"
    form = {"Action": "AssumeRole", "Version": "2011-06-15", "RoleArn": role, "RoleSessionName": SESSION_NAME}
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    try:
        answer = client.call("sts", "POST", "/", urlencode(form).encode(), headers)
    except ServiceFailure as error:
        raise CommandError(
            f"{ACCESS_ROLE} of account {account} cannot be assumed.",
            "It is there in accounts that organizations:CreateAccount has made.",
        ) from error
    names = {
        "AWS_ACCESS_KEY_ID": "AccessKeyId",
        "AWS_SECRET_ACCESS_KEY": "SecretAccessKey",
        "AWS_SESSION_TOKEN": "SessionToken",
    }
    document = ElementTree.fromstring(answer.body)  # noqa: S314 - the answer of one's own node
    return {variable: document.findtext(f".//{_STS}{name}", "") for variable, name in names.items()}
