from typing import Any

import pytest

from cloudlet.errors import AccessDenied, InternalFailure, ServiceError
from cloudlet.wire.errors import ErrorAnswer, ErrorShapes
from cloudlet.wire.shapes import Model
from tests.support.wire import SCALARS, structure

SHAPES: dict[str, Any] = {
    "NotFound": {
        **structure(message="String", Resource="String"),
        "exception": True,
        "error": {"code": "Service.NotFound", "httpStatusCode": 404, "senderFault": True},
    },
    "Plain": {**structure(Message="String"), "exception": True},
    "Fault": {**structure(message="String"), "exception": True, "fault": True},
    "Typed": {**structure(Type="String", Message="String"), "exception": True, "error": {"httpStatusCode": 409}},
    "TypedFault": {
        **structure(Type="String", Message="String"),
        "exception": True,
        "fault": True,
        "error": {"httpStatusCode": 502},
    },
}
ERRORS = ErrorShapes(Model({"metadata": {}, "operations": {}, "shapes": {**SCALARS, **SHAPES}}))


def answer(code: str, protocol: str = "json", status: int = 400, **fields: Any) -> ErrorAnswer:
    error = type("Raised", (ServiceError,), {"code": code, "status": status})("text", **fields)
    return ERRORS.resolve(error, protocol)


@pytest.mark.parametrize("code", ["NotFound", "Service.NotFound"])
def test_an_error_is_known_by_its_shape_and_by_its_code(code: str) -> None:
    found = answer(code)
    assert (found.name, found.code, found.status, found.sender_fault) == ("NotFound", "Service.NotFound", 404, True)


def test_the_message_has_the_name_that_the_shape_gives_it() -> None:
    assert answer("NotFound").message_member == "message"
    assert answer("Plain").message_member == "Message"


def test_the_status_is_the_model_s_or_else_the_error_s() -> None:
    assert answer("Plain", status=409).status == 409
    assert answer("NotFound", status=500).status == 404
    assert (answer("Fault").status, answer("Fault").sender_fault) == (500, False)
    assert answer("Fault", status=503).status == 503


def test_only_members_of_the_shape_are_its_fields() -> None:
    found = answer("NotFound", Resource="r", Bucket="b", Nothing=None)
    assert found.fields == {"Resource": "r"}
    assert found.extra == {"Bucket": "b"}


def test_a_shape_with_a_type_says_who_is_to_blame() -> None:
    assert answer("Typed").fields == {"Type": "User"}
    assert answer("TypedFault").fields == {"Type": "Service"}
    assert answer("Typed", Type="Mine").fields == {"Type": "Mine"}
    assert answer("Typed", Type=None).fields == {}


def test_what_is_not_modelled_keeps_its_code_and_fields() -> None:
    found = answer("Odd", status=418, Reason="r", Nothing=None)
    assert (found.name, found.code, found.status, found.fields, found.shape) == (
        "Odd",
        "Odd",
        418,
        {"Reason": "r"},
        None,
    )


@pytest.mark.parametrize(
    ("error", "protocol", "code"),
    [
        (AccessDenied(), "json", "AccessDeniedException"),
        (AccessDenied(), "query", "AccessDenied"),
        (AccessDenied(), "ec2", "UnauthorizedOperation"),
        (AccessDenied(), "rest-xml", "AccessDenied"),
        (InternalFailure(), "rest-json", "InternalFailure"),
        (InternalFailure(), "rest-xml", "InternalError"),
    ],
)
def test_common_errors_are_spelled_as_the_protocol_s_services_do(error: ServiceError, protocol: str, code: str) -> None:
    assert ERRORS.resolve(error, protocol).code == code
