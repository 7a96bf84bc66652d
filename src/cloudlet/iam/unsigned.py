"""Operations that take no signature: what they are given proves who calls.

As AWS's models say (`authtype: none`); a test holds this list to them. `OPTIONAL` has those that take one, and do
without: the links in a subscriber's messages, https://docs.aws.amazon.com/sns/latest/api/API_Unsubscribe.html
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
