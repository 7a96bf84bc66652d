"""Where services differ in how they refuse an input that does not fit their model. Data only.

Most services sit behind one framework, whose texts `constraints` writes; these are the exceptions, by botocore's name
of the service.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ValidationDialect:
    """How one service refuses an input."""

    code: str = ""
    """The error's code where it is neither ValidationException nor, for query services, ValidationError."""
    missing_code: str = ""
    """The error's code for a member that is required and missing, where such are answered on their own."""
    missing_text: str = ""
    """The text for the first member that is missing, `{name}` being its name."""
    unchecked: frozenset[str] = field(default_factory=frozenset)
    """Shapes whose values the service judges itself, with its own errors and texts."""
    not_null: frozenset[str] = field(default_factory=frozenset)
    """Lists and maps of scalars whose texts name `Member must not be null` among the constraints on their items."""
    hides_values: bool = False
    """True where texts do not repeat what is wrong."""
    pattern_texts: Mapping[str, str] = field(default_factory=dict)
    """Texts for members of these shapes that do not match their pattern, `{name}` being the member's name. Such a
    service checks these patterns by itself, after all other constraints hold."""


USUAL = ValidationDialect()

_IAM_NAME = (
    "The specified value for {name} is invalid. It must contain only alphanumeric characters and/or the following: "
)
_IAM_PATH = (
    "The specified value for {name} is invalid. "
    "It must begin and end with / and contain only alphanumeric characters and/or / characters."
)
_IAM_PATH_PREFIX = (
    "The specified value for {name} is invalid. "
    "It must begin with the / character and contain only alphanumeric characters and/or / characters."
)
_IAM_NAMES = (
    "existingUserNameType",
    "groupNameType",
    "instanceProfileNameType",
    "policyNameType",
    "roleNameType",
    "serverCertificateNameType",
    "userNameType",
    "virtualMFADeviceName",
)

VALIDATION: dict[str, ValidationDialect] = {
    "athena": ValidationDialect(code="InvalidRequestException"),
    "cloudwatch": ValidationDialect(
        code="ValidationError",
        missing_code="MissingParameter",
        missing_text="The parameter {name} is required.",
        unchecked=frozenset({"Dimensions", "StandardUnit", "StorageResolution", "Period"}),
    ),
    "cognito-idp": ValidationDialect(code="InvalidParameterException"),
    "ecr": ValidationDialect(code="InvalidParameterException", unchecked=frozenset({"RepositoryName"})),
    "iam": ValidationDialect(
        not_null=frozenset({"tagKeyListType"}),
        hides_values=True,
        pattern_texts={
            **dict.fromkeys(_IAM_NAMES, f"{_IAM_NAME}+=,.@_-"),
            "SAMLProviderNameType": f"{_IAM_NAME}._-",
            "pathType": _IAM_PATH,
            "policyPathType": _IAM_PATH,
            "pathPrefixType": _IAM_PATH_PREFIX,
        },
    ),
    "lambda": ValidationDialect(
        unchecked=frozenset({"Runtime"}),
        not_null=frozenset({"ArchitecturesList", "LayerList", "AdditionalVersionWeights"}),
    ),
    "logs": ValidationDialect(code="InvalidParameterException"),
    "sqs": ValidationDialect(
        missing_code="MissingParameter",
        missing_text="The request must contain the parameter {name}.",
        unchecked=frozenset({"QueueAttributeName", "MessageSystemAttributeName", "MessageSystemAttributeNameForSends"}),
    ),
}
