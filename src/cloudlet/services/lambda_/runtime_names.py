"""The runtime identifiers that AWS knows, and what it says of others.

Whether this machine has a runtime is another question: `cloudlet.compute.runtimes` answers it.
https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
"""

from cloudlet.services.lambda_.errors import InvalidParameterValue

# In the order in which AWS lists them in its error.
CURRENT = (
    "nodejs20.x", "python3.14", "provided.al2023", "python3.12", "python3.13", "nodejs24.x", "nodejs22.x", "java25",
    "python3.10", "python3.11", "java21", "ruby3.3", "ruby3.4", "ruby3.2", "python3.8", "python3.9", "java17",
    "nodejs16.x", "dotnet10", "dotnet8", "java11", "dotnet6", "nodejs18.x", "provided.al2", "java8.al2",
)  # fmt: skip
DEPRECATED = frozenset(
    (
        "dotnetcore1.0", "dotnetcore2.0", "dotnetcore2.1", "dotnetcore3.1", "go1.x", "java8", "nodejs", "nodejs4.3",
        "nodejs4.3-edge", "nodejs6.10", "nodejs8.10", "nodejs10.x", "nodejs12.x", "nodejs14.x", "provided",
        "python2.7", "python3.6", "python3.7", "ruby2.5", "ruby2.7",
    )
)  # fmt: skip
SNAP_START = frozenset(
    ("java11", "java17", "java21", "java25", "python3.12", "python3.13", "python3.14", "dotnet8", "dotnet10")
)

_CURRENT = frozenset(CURRENT)
KNOWN = _CURRENT | DEPRECATED
"""Those that are or were one: what a layer may say that it is for."""


def check(runtime: str) -> None:
    """Raises InvalidParameterValue for an identifier that is not one, or no longer one."""
    if runtime in _CURRENT:
        return
    if runtime in DEPRECATED:
        raise InvalidParameterValue(
            f"The runtime parameter of {runtime} is no longer supported for creating or updating AWS Lambda functions. "
            "We recommend you use a supported runtime while creating or updating functions."
        )
    raise InvalidParameterValue(
        f"Value {runtime} at 'runtime' failed to satisfy constraint: "
        f"Member must satisfy enum value set: [{', '.join(CURRENT)}] or be a valid ARN"
    )
