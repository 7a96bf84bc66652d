"""The condition keys of a request."""

from dataclasses import replace

import pytest

from cloudlet.iam.context_keys import global_keys, request_keys, source_account
from cloudlet.iam.principals import Principal, RequestContext
from cloudlet.iam.request import AccessRequest
from tests.support.iam_world import ACCOUNT, OTHER_ACCOUNT

FUNCTION = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:f"
SESSION = Principal(
    "assumed-role",
    ACCOUNT,
    f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/f",
    "AROAWORKER:f",
    role_arn=f"arn:aws:iam::{ACCOUNT}:role/worker",
    token_issued=1.0,
)


def test_a_functions_credentials_tell_the_function() -> None:
    context = RequestContext(replace(SESSION, source_function_arn=FUNCTION), "us-east-1", "r")
    assert global_keys(context)["lambda:sourcefunctionarn"] == (FUNCTION,)
    assert "lambda:sourcefunctionarn" not in global_keys(RequestContext(SESSION, "us-east-1", "r"))


def test_a_resources_policy_does_not_see_the_function() -> None:
    keys = {"lambda:sourcefunctionarn": (FUNCTION,), "aws:userid": ("AROAWORKER:f",)}
    request = AccessRequest(SESSION, "sqs:SendMessage", "*", keys)
    assert request.for_resource_policy().keys == {"aws:userid": ("AROAWORKER:f",)}
    assert request.for_resource_policy().action_key == "sqs:sendmessage"
    plain = AccessRequest(SESSION, "sqs:SendMessage", "*", {"aws:userid": ("AROAWORKER:f",)})
    assert plain.for_resource_policy() is plain


@pytest.mark.parametrize(
    ("source_arn", "account"), [(FUNCTION, ACCOUNT), ("arn:aws:s3:::bucket", OTHER_ACCOUNT), ("", OTHER_ACCOUNT)]
)
def test_a_service_works_for_the_account_of_a_resource_or_for_its_own(source_arn: str, account: str) -> None:
    context = RequestContext(
        Principal.service("sns.amazonaws.com", OTHER_ACCOUNT), "us-east-1", "r", source_arn=source_arn
    )
    assert source_account(context) == account
    assert global_keys(context)["aws:sourceaccount"] == (account,)


def test_members_of_a_request_tell_keys() -> None:
    keys = request_keys({"ServiceName": "codecommit.amazonaws.com", "CredentialAgeDays": 30})
    assert keys["iam:servicespecificcredentialservicename"] == ("codecommit.amazonaws.com",)
    assert keys["iam:servicespecificcredentialagedays"] == ("30",)


@pytest.mark.parametrize("account", ["", "111111111111"])
def test_who_is_nobody_has_no_account_and_no_name(account: str) -> None:
    context = RequestContext(
        Principal.anonymous(account), "us-east-1", "id", source_ip="192.0.2.1", endpoint="https://sqs.example"
    )
    assert global_keys(context) == {
        "aws:principaltype": ("Anonymous",),
        "aws:principalisawsservice": ("false",),
        "aws:userid": ("anonymous",),
        "aws:requestedregion": ("us-east-1",),
        "aws:sourceip": ("192.0.2.1",),
        "aws:securetransport": ("true",),
        "aws:viaawsservice": ("false",),
    }


CALLER = replace(SESSION, access_key_id="ASIAAAAAAAAAAAAAAAAA")


def test_a_service_with_its_callers_credentials_is_named() -> None:
    context = RequestContext(CALLER, "us-east-1", "r", endpoint="http://localhost:4566")
    assert global_keys(context)["aws:viaawsservice"] == ("false",)
    keys = global_keys(context.for_call(CALLER, "r", "lambda.amazonaws.com"))
    assert keys["aws:viaawsservice"] == ("true",)
    assert keys["aws:calledvia"] == keys["aws:calledviafirst"] == ("lambda.amazonaws.com",)


@pytest.mark.parametrize("principal", [SESSION, Principal.service("lambda.amazonaws.com", ACCOUNT)])
def test_a_service_as_itself_or_in_a_role_that_it_took_on_is_not(principal: Principal) -> None:
    keys = global_keys(RequestContext(principal, "us-east-1", "r", called_via=("lambda.amazonaws.com",)))
    assert keys["aws:viaawsservice"] == ("false",)
    assert "aws:calledvia" not in keys
    assert keys["aws:securetransport"] == ("true",)


@pytest.mark.parametrize(
    ("endpoint", "is_private", "is_secure"),
    [
        ("http://localhost:4566", False, "false"),
        ("https://localhost:4566", False, "true"),
        ("http://127.0.0.1:4566", True, "true"),
        ("", False, "true"),
    ],
)
def test_what_leaves_the_platform_without_tls_is_not_secure(endpoint: str, is_private: bool, is_secure: str) -> None:
    context = RequestContext(CALLER, "us-east-1", "r", endpoint=endpoint, is_private=is_private)
    assert global_keys(context)["aws:securetransport"] == (is_secure,)
