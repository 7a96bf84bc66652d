"""SnapStart: what can go wrong, and what the platform says of restores.

https://docs.aws.amazon.com/lambda/latest/dg/snapstart.html
"""

import datetime as dt
from typing import Final

import orjson

from cloudlet.clock import Clock, ahead_s
from cloudlet.compute import api_messages
from cloudlet.compute.function import ComputeError, TemporaryCredentials
from cloudlet.compute.reports import TIMED_OUT, Failure

RESTORE_LIMIT_S: Final = 10.0
"""To load the runtime and run the after-restore hooks:
https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-restore"""
CREDENTIALS_PATH: Final = "/2021-04-23/credentials"
"""Where a function with SnapStart finds its credentials: those in its variables would be the snapshot's."""
RESTORE_ERROR_PATH: Final = "/2018-06-01/runtime/restore/error"
RESTORE_PREFIX: Final = "/2018-06-01/runtime/restore/"
HOOK_ERROR: Final = Failure("error", "Runtime.ExitError")
"""What the report says of an after-restore hook that failed."""


class SnapshotFailed(ComputeError):
    """No snapshot could be taken: the function's init phase failed, or has left something that cannot be kept."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code
        """AWS's StateReasonCode."""


class RestoreFailed(ComputeError):
    """The afterRestore() runtime hook encountered an error. For more information, check the Amazon CloudWatch logs."""

    def __init__(self) -> None:
        super().__init__(type(self).__doc__)


class RestoreTimedOut(RestoreFailed):
    """Lambda couldn't restore the snapshot within the timeout limit."""


def restore_error(failure: Failure) -> RestoreFailed:
    """What an invocation fails with when its environment could not be restored."""
    return RestoreTimedOut() if failure.status == "timeout" else RestoreFailed()


def snapshot_error(failure: Failure) -> SnapshotFailed:
    """Why there is no snapshot after an init phase that failed so."""
    if failure.status == "timeout" and failure.error_type != TIMED_OUT:
        return SnapshotFailed("The function's init phase timed out.", "FunctionError.InitTimeout")
    detail = failure.message
    if failure.payload:
        try:
            told = orjson.loads(failure.payload)
            detail = f"{told.get('errorType', failure.error_type)}: {told.get('errorMessage', '')}"
        except (orjson.JSONDecodeError, AttributeError):
            detail = failure.error_type
    return SnapshotFailed(f"The function's init phase failed: {detail or failure.error_type}", "FunctionError")


def credentials_answer(credentials: TemporaryCredentials, clock: Clock) -> bytes:
    """The answer to a question for credentials, as SDKs want it. They end by the host's time: it is what sandboxes see.

    https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
    """
    expiration = dt.datetime.fromtimestamp(credentials.expiration - ahead_s(clock), dt.UTC)
    body = {
        "AccessKeyId": credentials.access_key_id,
        "SecretAccessKey": credentials.secret_access_key,
        "Token": credentials.session_token,
        "Expiration": f"{expiration:%Y-%m-%dT%H:%M:%SZ}",
    }
    return api_messages.answer("200 OK", orjson.dumps(body))
