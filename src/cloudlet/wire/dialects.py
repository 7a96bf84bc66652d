"""Where services differ in how they refuse an input that does not fit their model. Data only.

Most services sit behind one framework, whose texts `constraints` writes; these are the exceptions, by botocore's name
of the service.
"""

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


USUAL = ValidationDialect()

VALIDATION: dict[str, ValidationDialect] = {
    "athena": ValidationDialect(code="InvalidRequestException"),
    "cognito-idp": ValidationDialect(code="InvalidParameterException"),
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
