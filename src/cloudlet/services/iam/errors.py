"""IAM's errors, as its model names them."""

from cloudlet.errors import ServiceError


class IamError(ServiceError):
    """Any error of IAM."""


class NoSuchEntity(IamError):
    """The request was rejected because it referenced a resource entity that does not exist."""

    code = "NoSuchEntityException"
    status = 404


class EntityAlreadyExists(IamError):
    """The request was rejected because it attempted to create a resource that already exists."""

    code = "EntityAlreadyExistsException"
    status = 409


class DeleteConflict(IamError):
    """The request was rejected because it attempted to delete a resource that has attached subordinate entities."""

    code = "DeleteConflictException"
    status = 409


class LimitExceeded(IamError):
    """The request was rejected because it attempted to create resources beyond the current account limits."""

    code = "LimitExceededException"
    status = 409


class MalformedPolicyDocument(IamError):
    """The request was rejected because the policy document was malformed."""

    code = "MalformedPolicyDocumentException"


class InvalidInput(IamError):
    """The request was rejected because an invalid or out-of-range value was supplied for an input parameter."""

    code = "InvalidInputException"
