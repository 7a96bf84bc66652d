"""Lambda's modelled errors, as its API gives them.

https://docs.aws.amazon.com/lambda/latest/api/API_Operations.html
"""

from typing import Any

from cloudlet.errors import ServiceError


class LambdaError(ServiceError):
    """An error of Lambda's own. `Type` says who is to blame; AWS leaves it out of a few, and so does `typed=False`."""

    fault = "User"

    def __init__(self, message: str, *, typed: bool = True, **fields: Any) -> None:
        fields["Type"] = self.fault if typed else None
        super().__init__(message, **fields)


class InvalidParameterValue(LambdaError):
    """One of the parameters in the request is not valid."""

    code = "InvalidParameterValueException"


class InvalidRequestContent(LambdaError):
    """The request body could not be parsed as JSON, or a request header is not valid."""

    code = "InvalidRequestContentException"


class ResourceNotFound(LambdaError):
    """The resource specified in the request does not exist."""

    code = "ResourceNotFoundException"
    status = 404


class ResourceConflict(LambdaError):
    """The resource already exists, or another operation is in progress."""

    code = "ResourceConflictException"
    status = 409


class ResourceInUse(LambdaError):
    """Another operation on the resource is in progress."""

    code = "ResourceInUseException"


class PreconditionFailed(LambdaError):
    """The RevisionId provided does not match the latest one."""

    code = "PreconditionFailedException"
    status = 412


class CodeStorageExceeded(LambdaError):
    """The account has no room for more code."""

    code = "CodeStorageExceededException"


class PolicyLengthExceeded(LambdaError):
    """The resource-based policy would be longer than allowed."""

    code = "PolicyLengthExceededException"


class ProvisionedConcurrencyConfigNotFound(LambdaError):
    """The function has no provisioned concurrency configuration."""

    code = "ProvisionedConcurrencyConfigNotFoundException"
    status = 404


class CodeSigningConfigNotFound(LambdaError):
    """The specified code signing configuration does not exist."""

    code = "CodeSigningConfigNotFoundException"
    status = 404


class CodeVerificationFailed(LambdaError):
    """The code is not signed as the code signing policy demands."""

    code = "CodeVerificationFailedException"


class RecursiveInvocation(LambdaError):
    """The function is invoked in a recursive loop."""

    code = "RecursiveInvocationException"


class TooManyRequests(LambdaError):
    """The request throughput limit was exceeded."""

    code = "TooManyRequestsException"
    status = 429


class InvalidRuntime(LambdaError):
    """The runtime or runtime version specified is not there."""

    code = "InvalidRuntimeException"
    status = 502
    fault = "Service"


class SnapStartError(LambdaError):
    """The afterRestore() runtime hook encountered an error. For more information, check the Amazon CloudWatch logs."""

    code = "SnapStartException"


class SnapStartTimeout(LambdaError):
    """Lambda couldn't restore the snapshot within the timeout limit."""

    code = "SnapStartTimeoutException"
    status = 408


class SnapStartRegenerationFailure(LambdaError):
    """Lambda couldn't regenerate the SnapStart snapshot for the function."""

    code = "SnapStartRegenerationFailureException"
    status = 409


class ServiceFailure(LambdaError):
    """The service encountered an internal error."""

    code = "ServiceException"
    status = 500
    fault = "Service"


class RoleNotAssumable(LambdaError):
    """The function's role cannot be assumed: it is not there, or does not trust Lambda."""

    code = "AccessDeniedException"
    status = 403


class ImageRefused(LambdaError):
    """Lambda may not take the function's container image from where it is."""

    code = "AccessDeniedException"
    status = 403


class RequestEntityTooLarge(ServiceError):
    """A request or package over a limit. AWS answers with this bare code, which its model does not have."""

    code = "RequestEntityTooLargeException"
    status = 413


class CrossAccount(ServiceError):
    """A function of another account: its resource policy does not let this caller in."""

    code = "AccessDeniedException"
    status = 403
