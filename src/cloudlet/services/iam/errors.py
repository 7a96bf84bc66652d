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


class UnmodifiableEntity(IamError):
    """The request was rejected because service-linked roles are protected."""

    code = "UnmodifiableEntityException"


class InvalidUserType(IamError):
    """The request was rejected because the type of user for the transaction was incorrect."""

    code = "InvalidUserTypeException"


class PasswordPolicyViolation(IamError):
    """The request was rejected because the provided password did not meet the account's password policy."""

    code = "PasswordPolicyViolationException"


class CredentialReportNotPresent(IamError):
    """The request was rejected because the credential report does not exist."""

    code = "CredentialReportNotPresentException"
    status = 410


class CredentialReportExpired(IamError):
    """The request was rejected because the most recent credential report has expired."""

    code = "CredentialReportExpiredException"
    status = 410


class MalformedCertificate(IamError):
    """The request was rejected because the certificate was malformed or expired."""

    code = "MalformedCertificateException"


class DuplicateCertificate(IamError):
    """The request was rejected because the same certificate is associated with an IAM user in the account."""

    code = "DuplicateCertificateException"
    status = 409


class KeyPairMismatch(IamError):
    """The request was rejected because the public key certificate and the private key do not match."""

    code = "KeyPairMismatchException"


class InvalidPublicKey(IamError):
    """The request was rejected because the public key is malformed or otherwise invalid."""

    code = "InvalidPublicKeyException"


class DuplicateSshPublicKey(IamError):
    """The request was rejected because the SSH public key is already associated with the specified IAM user."""

    code = "DuplicateSSHPublicKeyException"


class ServiceNotSupported(IamError):
    """The specified service does not support service-specific credentials."""

    code = "ServiceNotSupportedException"
    status = 404
