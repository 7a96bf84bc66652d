"""Names of functions."""

import pytest

from cloudlet.errors import ServiceError
from cloudlet.iam.principals import Principal, RequestContext
from cloudlet.services.lambda_.names import FunctionRef, is_alias, is_version, resolve, resolve_resource

ACCOUNT, REGION = "111111111111", "us-east-1"
ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:fn"


def context(operation: str = "GetFunction") -> RequestContext:
    return RequestContext(Principal.root(ACCOUNT), REGION, "id", operation=operation)


@pytest.mark.parametrize(
    ("name", "qualifier"),
    [
        ("fn", ""),
        ("fn:live", "live"),
        ("fn:$LATEST", "$LATEST"),
        ("function:fn", ""),
        (f"{ACCOUNT}:function:fn", ""),
        (f"{ACCOUNT}:function:fn:7", "7"),
        (f"{REGION}:{ACCOUNT}:function:fn", ""),
        (ARN, ""),
        (f"{ARN}:live", "live"),
    ],
)
def test_a_function_has_many_names(name: str, qualifier: str) -> None:
    assert resolve(context(), name) == FunctionRef(ACCOUNT, REGION, "fn", qualifier)


def test_a_qualifier_beside_the_name_counts_as_one_in_it() -> None:
    assert resolve(context(), "fn", "live") == resolve(context(), "fn:live") == resolve(context(), "fn:live", "live")


def test_two_different_qualifiers_are_refused() -> None:
    with pytest.raises(ServiceError, match="The derived qualifier from the function name does not match the specified"):
        resolve(context(), f"{ARN}:1", "$LATEST")


def test_functions_of_another_region_are_not_reachable() -> None:
    with pytest.raises(ServiceError) as caught:
        resolve(context(), ARN.replace("us-east-1", "eu-central-1"))
    assert caught.value.code == "ResourceNotFoundException"
    assert caught.value.message == "Functions from 'eu-central-1' are not reachable in this region ('us-east-1')"


def test_functions_of_another_account_are_denied() -> None:
    with pytest.raises(ServiceError) as caught:
        resolve(context("GetFunction"), "222222222222:function:fn")
    assert caught.value.code == "AccessDeniedException"
    assert caught.value.message == (
        "User: arn:aws:iam::111111111111:root is not authorized to perform: lambda:GetFunction on resource: "
        "arn:aws:lambda:us-east-1:222222222222:function:fn because no resource-based policy allows the "
        "lambda:GetFunction action"
    )


@pytest.mark.parametrize("operation", ["Invoke", "InvokeWithResponseStream", "InvokeAsync"])
def test_functions_of_another_account_may_be_invoked(operation: str) -> None:
    """The function's policy has been asked when the operation begins."""
    ref = resolve(context(operation), "222222222222:function:fn:live")
    assert ref == FunctionRef("222222222222", REGION, "fn", "live")


@pytest.mark.parametrize("name", ["", "a b", "fn:a:b", "invalid:function:name", f"{ARN}:", "arn:aws:s3:::bucket"])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(ServiceError, match="failed to satisfy constraint") as caught:
        resolve(context(), name)
    assert caught.value.code == "ValidationException"


def test_versions_and_aliases_have_no_tags() -> None:
    assert resolve_resource(context(), ARN) == FunctionRef(ACCOUNT, REGION, "fn")
    with pytest.raises(ServiceError, match="Tags on function aliases and versions are not supported"):
        resolve_resource(context(), f"{ARN}:$LATEST")


def test_arns_are_qualified_as_the_caller_did() -> None:
    ref = FunctionRef(ACCOUNT, REGION, "fn", "live")
    assert (ref.arn, ref.qualified_arn) == (ARN, f"{ARN}:live")
    assert ref.qualified("").qualified_arn == ARN
    assert ref.not_found().message == f"Function not found: {ARN}:live"


def test_a_qualifier_is_a_version_or_an_alias_or_neither() -> None:
    assert (is_version("12"), is_alias("12")) == (True, False)
    assert (is_version("v12"), is_alias("v12")) == (False, True)
    assert (is_version("$LATEST"), is_alias("$LATEST")) == (False, False)
    assert (is_version("²"), is_alias("")) == (False, False)
