"""Operations that take no signature, or do without one.

| table | who calls | may they? |
| --- | --- | --- |
| `UNSIGNED` | what the request holds proves it | the operation looks |
| `OPTIONAL` | who has the link in a subscriber's message | the operation looks |
| `ANONYMOUS` | anybody | the policy of the resource has to allow it to everybody; there is no other way in |

`UNSIGNED` is what AWS's models say (`authtype: none`); a test holds it to them.

https://docs.aws.amazon.com/sns/latest/api/API_Unsubscribe.html,
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#principaltable (anonymous callers are
known to SQS, SNS and S3 only)
"""

from collections.abc import Mapping

UNSIGNED: Mapping[str, frozenset[str]] = {
    "sts": frozenset(
        {
            "AssumeRoleWithSAML",
            "AssumeRoleWithWebIdentity",
        }
    ),
    "cognito-identity": frozenset(
        {
            "GetCredentialsForIdentity",
            "GetId",
            "GetOpenIdToken",
            "UnlinkIdentity",
        }
    ),
    "cognito-idp": frozenset(
        {
            "AssociateSoftwareToken",
            "ChangePassword",
            "CompleteWebAuthnRegistration",
            "ConfirmDevice",
            "ConfirmForgotPassword",
            "ConfirmSignUp",
            "DeleteUser",
            "DeleteUserAttributes",
            "DeleteWebAuthnCredential",
            "ForgetDevice",
            "ForgotPassword",
            "GetDevice",
            "GetTokensFromRefreshToken",
            "GetUser",
            "GetUserAttributeVerificationCode",
            "GetUserAuthFactors",
            "GlobalSignOut",
            "InitiateAuth",
            "ListDevices",
            "ListUserSessions",
            "ListWebAuthnCredentials",
            "ResendConfirmationCode",
            "RespondToAuthChallenge",
            "RevokeToken",
            "RevokeUserSession",
            "SetUserMFAPreference",
            "SetUserSettings",
            "SignUp",
            "StartWebAuthnRegistration",
            "UpdateAuthEventFeedback",
            "UpdateDeviceStatus",
            "UpdateUserAttributes",
            "VerifySoftwareToken",
            "VerifyUserAttribute",
        }
    ),
}

OPTIONAL: Mapping[str, frozenset[str]] = {"sns": frozenset({"ConfirmSubscription", "Unsubscribe"})}

ANONYMOUS: Mapping[str, frozenset[str]] = {
    "sns": frozenset({"Publish", "PublishBatch"}),
    "sqs": frozenset(
        {
            "ChangeMessageVisibility",
            "ChangeMessageVisibilityBatch",
            "DeleteMessage",
            "DeleteMessageBatch",
            "GetQueueAttributes",
            "GetQueueUrl",
            "ListDeadLetterSourceQueues",
            "PurgeQueue",
            "ReceiveMessage",
            "SendMessage",
            "SendMessageBatch",
        }
    ),
}
"""Only what acts on one resource, which the request names in full, and what policies can open to others than its owner:
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-limitations-of-custom-policies.html"""


def is_for_anybody(service: str, operation: str) -> bool:
    """True for an operation that anonymous callers may ask for."""
    return operation in ANONYMOUS.get(service, ())
