"""Organizations' errors, as its model names them. Most have one text, which is their docstring too."""

from cloudlet.errors import ServiceError


class OrganizationsError(ServiceError):
    """Any error of Organizations."""

    def __init__(self, message: str = "", **fields: str) -> None:
        super().__init__(message or self.__doc__ or "", **fields)


class ConstraintViolation(OrganizationsError):
    """A quota is exceeded, or a rule of what has to be there. `Reason` says which one."""

    code = "ConstraintViolationException"


class InvalidInput(OrganizationsError):
    """A parameter has a value that it cannot have. `Reason` says why."""

    code = "InvalidInputException"


class OrganizationsNotInUse(OrganizationsError):
    """Your account is not a member of an organization."""

    code = "AWSOrganizationsNotInUseException"


class AlreadyInOrganization(OrganizationsError):
    """The provided account is already a member of an organization."""

    code = "AlreadyInOrganizationException"


class AccountNotFound(OrganizationsError):
    """You specified an account that doesn't exist."""

    code = "AccountNotFoundException"


class AccountAlreadyClosed(OrganizationsError):
    """The provided account is already closed."""

    code = "AccountAlreadyClosedException"


class OrganizationNotEmpty(OrganizationsError):
    """To delete an organization you must first remove all member accounts (except the master)."""

    code = "OrganizationNotEmptyException"


class MasterCannotLeave(OrganizationsError):
    """You cannot remove the management account from the organization."""

    code = "MasterCannotLeaveOrganizationException"


class CreateAccountStatusNotFound(OrganizationsError):
    """You specified a request that doesn't exist."""

    code = "CreateAccountStatusNotFoundException"


class RootNotFound(OrganizationsError):
    """You specified a root that doesn't exist."""

    code = "RootNotFoundException"


class ParentNotFound(OrganizationsError):
    """You specified parent that doesn't exist."""

    code = "ParentNotFoundException"


class ChildNotFound(OrganizationsError):
    """You specified a child that doesn't exist."""

    code = "ChildNotFoundException"


class SourceParentNotFound(OrganizationsError):
    """You specified a source parent that doesn't exist."""

    code = "SourceParentNotFoundException"


class DestinationParentNotFound(OrganizationsError):
    """You specified a destination parent that doesn't exist."""

    code = "DestinationParentNotFoundException"


class DuplicateAccount(OrganizationsError):
    """The account is already present in the specified destination."""

    code = "DuplicateAccountException"


class UnitNotFound(OrganizationsError):
    """You specified an organizational unit that doesn't exist."""

    code = "OrganizationalUnitNotFoundException"


class DuplicateUnit(OrganizationsError):
    """An OU with the same name already exists."""

    code = "DuplicateOrganizationalUnitException"


class UnitNotEmpty(OrganizationsError):
    """The specified OU is not empty."""

    code = "OrganizationalUnitNotEmptyException"


class PolicyNotFound(OrganizationsError):
    """You specified a policy that doesn't exist."""

    code = "PolicyNotFoundException"


class DuplicatePolicy(OrganizationsError):
    """A policy with the same name already exists."""

    code = "DuplicatePolicyException"


class PolicyInUse(OrganizationsError):
    """The policy is attached to one or more entities; detach it first."""

    code = "PolicyInUseException"


class PolicyNotAttached(OrganizationsError):
    """The policy isn't attached to the specified target."""

    code = "PolicyNotAttachedException"


class DuplicatePolicyAttachment(OrganizationsError):
    """The selected policy is already attached to the specified target."""

    code = "DuplicatePolicyAttachmentException"


class PolicyTypeNotEnabled(OrganizationsError):
    """This operation can be performed only for enabled policy types."""

    code = "PolicyTypeNotEnabledException"


class PolicyTypeAlreadyEnabled(OrganizationsError):
    """The specified policy type is already enabled."""

    code = "PolicyTypeAlreadyEnabledException"


class PolicyTypeNotAvailable(OrganizationsError):
    """The policy type cannot be used with the features that the organization has enabled."""

    code = "PolicyTypeNotAvailableForOrganizationException"


class TargetNotFound(OrganizationsError):
    """You specified a target that doesn't exist."""

    code = "TargetNotFoundException"


class MalformedPolicyDocument(OrganizationsError):
    """The provided policy document does not meet the requirements of the specified policy type."""

    code = "MalformedPolicyDocumentException"
