from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import pytest

from cloudlet.errors import ValidationError
from cloudlet.wire.model import ServiceModels
from tests.support.wire import SCALARS, TOKEN, service, structure


class Colour(StrEnum):
    RED = "RED"


SHAPES: dict[str, Any] = {
    "Name": {"type": "string", "min": 2, "max": 4, "pattern": "[a-z]+"},
    "Colour": {"type": "string", "enum": ["BLUE", "RED", "GREEN"]},
    "Count": {"type": "integer", "min": 1, "max": 10},
    "Weight": {"type": "double", "min": 0.0, "max": 1.0},
    "Data": {"type": "blob", "max": 3},
    "Secret": {"type": "string", "min": 6, "sensitive": True},
    "Names": {"type": "list", "member": {"shape": "Name"}, "max": 2},
    "Sparse": {"type": "list", "member": {"shape": "String"}, "sparse": True},
    "Tags": {"type": "list", "member": {"shape": "Tag"}},
    "Tag": structure(("Key",), Key="Name", Value="String"),
    "TagMap": {"type": "map", "key": {"shape": "Name"}, "value": {"shape": "Tag"}, "max": 2},
    "Counts": {"type": "map", "key": {"shape": "String"}, "value": {"shape": "Count"}},
    "Either": {**structure(A="String", B="String"), "union": True},
    "Tree": structure(Children="Trees"),
    "Trees": {"type": "list", "member": {"shape": "Tree"}},
}


def refusal(params: dict[str, Any], required: tuple[str, ...] = (), /, **members: Any) -> str:
    model = service(input_shape=structure(required, **members), **SHAPES)
    with pytest.raises(ValidationError) as error:
        model.operation("Act").validate(params)
    return error.value.message


def accept(params: dict[str, Any], required: tuple[str, ...] = (), /, **members: Any) -> None:
    service(input_shape=structure(required, **members), **SHAPES).operation("Act").validate(params)


def one(text: str) -> str:
    return f"1 validation error detected: {text}"


LONGER, SHORTER = "Member must have length greater than or equal to", "Member must have length less than or equal to"
MORE, LESS = "Member must have value greater than or equal to", "Member must have value less than or equal to"
NULL = "Member must not be null"
NAME = f"[{SHORTER} 4, {LONGER} 2, Member must satisfy regular expression pattern: [a-z]+]"
ENUM = "Member must satisfy enum value set: [GREEN, RED, BLUE]"


@pytest.mark.parametrize(
    ("member", "value", "shown", "constraint"),
    [
        ("Name", "abcde", "'abcde' at 'x'", f"{SHORTER} 4"),
        ("Colour", "PINK", "'PINK' at 'x'", ENUM),
        ("Count", 0, "'0' at 'x'", f"{MORE} 1"),
        ("Count", 11, "'11' at 'x'", f"{LESS} 10"),
        ("Weight", 2, "'2.0' at 'x'", f"{LESS} 1.0"),
        ("Integer", 2**31, "'2147483648' at 'x'", f"{LESS} 2147483647"),
        ("Data", b"abcd", "'java.nio.HeapByteBuffer[pos=0 lim=4 cap=4]' at 'x'", f"{SHORTER} 3"),
        ("Secret", "abc", "at 'x'", f"{LONGER} 6"),
        ("Names", ["ab", "cd", "ef"], "'[ab, cd, ef]' at 'x'", f"{SHORTER} 2"),
        ("Names", ["ab", "C"], "'[ab, C]' at 'x'", f"Member must satisfy constraint: {NAME}"),
        (
            "Strings",
            ["a", None],
            "'[a, null]' at 'x'",
            f"Member must satisfy constraint: [Member must be of type String, {NULL}]",
        ),
        ("Tags", [{"Key": "ab"}, {}], "null at 'x.2.member.key'", NULL),
        ("Tags", [None], "null at 'x.1.member'", NULL),
        (
            "TagMap",
            {"a1": {"Key": "ab"}},
            "'{a1=Tag(Key=ab, Value=null)}' at 'x'",
            f"Map keys must satisfy constraint: {NAME}",
        ),
        ("TagMap", {"ab": {}}, "null at 'x.ab.member.key'", NULL),
        ("TagMap", {"ab": None}, "null at 'x.ab.member'", NULL),
        ("Counts", {"a": 0}, "'{a=0}' at 'x'", f"Map value must satisfy constraint: [{LESS} 10, {MORE} 1]"),
        ("Either", {}, "'Either(A=null, B=null)' at 'x'", "Member must have exactly one member set"),
        ("Either", {"A": "1", "B": "2"}, "'Either(A=1, B=2)' at 'x'", "Member must have exactly one member set"),
        ("String", 1, "'1' at 'x'", "Member must be of type String"),
        ("Integer", True, "'true' at 'x'", "Member must be of type Integer"),
        ("Timestamp", "now", "'now' at 'x'", "Member must be of type Timestamp"),
        ("Strings", "ab", "'ab' at 'x'", "Member must be of type List"),
        ("Tag", [], "'[]' at 'x'", "Member must be of type Structure"),
    ],
)
def test_what_does_not_fit_is_said_as_aws_says_it(member: str, value: Any, shown: str, constraint: str) -> None:
    text = f"Value {shown} failed to satisfy constraint: {constraint}"
    assert refusal({"X": value}, X=member) == one(text)


def test_the_pattern_of_a_member_is_named_before_its_length() -> None:
    assert refusal({"X": "A"}, X="Name") == (
        "2 validation errors detected: "
        "Value 'A' at 'x' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-z]+; "
        "Value 'A' at 'x' failed to satisfy constraint: Member must have length greater than or equal to 2"
    )


def test_at_most_ten_errors_are_named() -> None:
    message = refusal({"X": [{} for _ in range(20)]}, X="Tags")
    assert message.startswith("10 validation errors detected: Value null at 'x.1.member.key'")
    assert message.count("; ") == 9


def test_a_required_member_must_not_be_null() -> None:
    expected = one("Value null at 'queueName' failed to satisfy constraint: Member must not be null")
    assert refusal({}, ("QueueName",), QueueName="String") == expected
    assert refusal({"QueueName": None}, ("QueueName",), QueueName="String") == expected


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("Name", "abc"),
        ("Colour", Colour.RED),
        ("Weight", 1),
        ("Timestamp", datetime(2024, 1, 1, tzinfo=UTC)),
        ("Timestamp", 1.5),
        ("Blob", bytearray(b"x")),
        ("Sparse", [None, "a"]),
        ("Either", {"A": "1", "B": None}),
        ("Document", {"a": [1, None]}),
        ("Tree", {"Children": [{"Children": []}, {}]}),
        ("Map", {"a": "b"}),
    ],
)
def test_what_fits_is_accepted(member: str, value: Any) -> None:
    accept({"X": value, "Unknown": object()}, X=member)


@pytest.mark.parametrize("member", SCALARS)
def test_null_is_accepted_where_nothing_is_required(member: str) -> None:
    accept({"X": None}, X=member)


def test_an_endless_nesting_is_refused() -> None:
    tree: dict[str, Any] = {}
    for _ in range(5000):
        tree = {"Children": [tree]}
    with pytest.raises(ValidationError):
        accept({"X": tree}, X="Tree")


def test_a_very_long_value_is_cut_in_the_text() -> None:
    assert len(refusal({"X": "A" * 1_000_000}, X="Name")) < 6000


def test_idempotency_tokens_are_filled_in() -> None:
    model = service(input_shape=structure(("Token",), Token={"shape": "String", "idempotencyToken": True}))
    params: dict[str, Any] = {}
    model.operation("Act").validate(params)
    assert params == {"Token": TOKEN}
    params = {"Token": "mine"}
    model.operation("Act").validate(params)
    assert params == {"Token": "mine"}


@pytest.mark.parametrize(
    ("name", "operation", "code"),
    [
        ("iam", "CreateRole", "ValidationError"),
        ("dynamodb", "CreateTable", "ValidationException"),
        ("lambda", "CreateFunction", "ValidationException"),
        ("logs", "CreateLogGroup", "InvalidParameterException"),
        ("sqs", "SendMessage", "MissingParameter"),
    ],
)
def test_each_service_refuses_with_its_own_code(name: str, operation: str, code: str) -> None:
    with pytest.raises(ValidationError) as error:
        ServiceModels().service(name).operation(operation).validate({})
    assert error.value.code == code


def test_sqs_names_the_first_parameter_that_is_missing() -> None:
    operation = ServiceModels().service("sqs").operation("SendMessageBatch")
    with pytest.raises(ValidationError, match=r"^The request must contain the parameter DataType\.$"):
        operation.validate({"QueueUrl": "q", "Entries": [{"Id": "1", "MessageAttributes": {"a": {}}}]})


@pytest.mark.parametrize("name", ["SendMessageBatch", "DeleteMessageBatch", "ChangeMessageVisibilityBatch"])
def test_sqs_judges_each_entry_of_a_batch_itself(name: str) -> None:
    ServiceModels().service("sqs").operation(name).validate({"QueueUrl": "q", "Entries": [{"Id": "1"}]})


def test_lambda_judges_runtimes_itself() -> None:
    operation = ServiceModels().service("lambda").operation("UpdateFunctionConfiguration")
    operation.validate({"FunctionName": "f", "Runtime": "python99"})


@pytest.mark.parametrize(
    ("operation", "params", "text"),
    [
        (
            "CreateUser",
            {"UserName": "a b", "Path": "x"},
            "The specified value for path is invalid. "
            "It must begin and end with / and contain only alphanumeric characters and/or / characters.",
        ),
        (
            "AddUserToGroup",
            {"UserName": "a b", "GroupName": "g"},
            "The specified value for userName is invalid. "
            "It must contain only alphanumeric characters and/or the following: +=,.@_-",
        ),
        (
            "CreateUser",
            {"UserName": "a " * 40},
            "1 validation error detected: Value at 'userName' failed to satisfy constraint: "
            "Member must have length less than or equal to 64",
        ),
        (
            "GetPolicyVersion",
            {"PolicyArn": "arn:aws:iam::aws:policy/p", "VersionId": "1"},
            "1 validation error detected: Value at 'versionId' failed to satisfy constraint: "
            r"Member must satisfy regular expression pattern: v[1-9][0-9]*(\.[A-Za-z0-9-]*)?",
        ),
        (
            "UntagRole",
            {"RoleName": "r", "TagKeys": ["x" * 129]},
            "1 validation error detected: Value at 'tagKeys' failed to satisfy constraint: Member must satisfy "
            "constraint: [Member must have length less than or equal to 128, Member must have length greater than or "
            r"equal to 1, Member must satisfy regular expression pattern: [\p{L}\p{Z}\p{N}_.:/=+\-@]+, "
            "Member must not be null]",
        ),
    ],
)
def test_iam_checks_names_itself_and_repeats_no_values(operation: str, params: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationError) as raised:
        ServiceModels().service("iam").operation(operation).validate(params)
    assert (raised.value.code, raised.value.message) == ("ValidationError", text)
