"""The platform's texts are AWS's."""

import orjson
import pytest

from cloudlet.compute import reports
from cloudlet.compute.reports import Failure
from cloudlet.compute.sandbox import ExitStatus

REQUEST = "5b866fb1-7154-4af6-8078-6ef6ca4c2ddd"


def test_the_report_of_a_cold_start() -> None:
    line = reports.report_line(REQUEST, 2.314, 123, 128, 37, 120.1, None)
    assert line == (
        f"REPORT RequestId: {REQUEST}\tDuration: 2.31 ms\tBilled Duration: 123 ms\tMemory Size: 128 MB\t"
        "Max Memory Used: 37 MB\tInit Duration: 120.10 ms\t\n"
    )


def test_the_report_of_a_warm_invocation() -> None:
    assert reports.report_line(REQUEST, 1, 1, 128, 37, None, None).endswith("Max Memory Used: 37 MB\t\n")


def test_the_report_of_a_timeout() -> None:
    line = reports.report_line(REQUEST, 3000, 3306, 128, 86, 305.5, reports.timeout_failure(3))
    assert line.endswith("Max Memory Used: 86 MB\tInit Duration: 305.50 ms\tStatus: timeout\n")


def test_the_report_of_a_crash() -> None:
    failure = reports.exit_failure(ExitStatus(1, None))
    line = reports.report_line(REQUEST, 133.61, 214, 128, 31, 80.0, failure)
    assert line.endswith("Init Duration: 80.00 ms\tStatus: error\tError Type: Runtime.ExitError\n")


def test_the_report_of_a_restored_environment() -> None:
    # A line that AWS has written, with its figures.
    restored = reports.Restoration.of(789.64, 162.4)
    billed = reports.billed_ms(149.53, restored)
    assert reports.report_line(REQUEST, 149.53, billed, 3538, 163, restored, None) == (
        f"REPORT RequestId: {REQUEST}\tDuration: 149.53 ms\tBilled Duration: 313 ms\tMemory Size: 3538 MB\t"
        "Max Memory Used: 163 MB\tRestore Duration: 789.64 ms\tBilled Restore Duration: 163 ms\t\n"
    )


@pytest.mark.parametrize(
    ("failure", "end"),
    [
        (None, "\n"),
        (Failure("timeout"), "\tStatus: timeout\n"),
        (Failure("error", "Runtime.ExitError"), "\tStatus: error\tError Type: Runtime.ExitError\n"),
    ],
)
def test_the_report_of_a_restore(failure: Failure | None, end: str) -> None:
    assert reports.restore_report(1236.04, failure) == f"RESTORE_REPORT Restore Duration: 1236.04 ms{end}"


def test_billing_is_in_whole_milliseconds_and_includes_the_init_phase() -> None:
    assert reports.billed_ms(2.37, 423.98) == 427
    assert reports.billed_ms(140.05, None) == 141
    assert reports.billed_ms(3.0, None) == 3


@pytest.mark.parametrize(
    ("status", "error_type", "text"),
    [
        (ExitStatus(0, None), "Runtime.ExitError", "Runtime exited without providing a reason"),
        (ExitStatus(1, None), "Runtime.ExitError", "Runtime exited with error: exit status 1"),
        (ExitStatus(127, None), "Runtime.ExitError", "Runtime exited with error: exit status 127"),
        (ExitStatus(None, 9), "Runtime.ExitError", "Runtime exited with error: signal: killed"),
        (ExitStatus(None, 11), "Runtime.ExitError", "Runtime exited with error: signal: segmentation fault"),
        (ExitStatus(None, 40), "Runtime.ExitError", "Runtime exited with error: signal: signal 40"),
        (ExitStatus(None, 9, True), "Runtime.OutOfMemory", "Runtime exited with error: signal: killed"),
    ],
)
def test_an_exit_is_told_as_on_aws(status: ExitStatus, error_type: str, text: str) -> None:
    answer = orjson.loads(reports.exit_failure(status).answer(REQUEST))
    assert answer == {"errorType": error_type, "errorMessage": f"RequestId: {REQUEST} Error: {text}"}


def test_a_timeout_is_told_as_on_aws() -> None:
    assert orjson.loads(reports.timeout_failure(3).answer(REQUEST)) == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": f"RequestId: {REQUEST} Error: Task timed out after 3.00 seconds",
    }


def test_what_the_runtime_said_itself_is_the_answer() -> None:
    assert Failure("error", "Runtime.Unknown", payload=b'{"errorMessage":"no"}').answer(REQUEST) == (
        b'{"errorMessage":"no"}'
    )


def test_the_timeouts_line_has_the_hosts_time() -> None:
    assert reports.timeout_line(REQUEST, 3, 1709572958.033) == (
        f"2024-03-04T17:22:38.033Z {REQUEST} Task timed out after 3.00 seconds\n\n"
    )


@pytest.mark.parametrize(
    ("failure", "end"),
    [
        (Failure("timeout"), "Phase: init\tStatus: timeout\n"),
        (Failure("error", "Runtime.ExitError"), "Phase: init\tStatus: error\tError Type: Runtime.ExitError\n"),
        (None, "Phase: init\tStatus: success\n"),
    ],
)
def test_the_report_of_an_init_phase(failure: Failure | None, end: str) -> None:
    assert reports.init_report(1236.04, "init", failure) == f"INIT_REPORT Init Duration: 1236.04 ms\t{end}"


def test_the_start_of_an_init_phase_says_what_really_runs() -> None:
    line = reports.init_start("python:3.12.1", "python3.12", "eu-central-1")
    assert line.startswith(
        "INIT_START Runtime Version: python:3.12.1\tRuntime Version ARN: arn:aws:lambda:eu-central-1::runtime:"
    )
    assert len(line.strip().rpartition(":")[2]) == 64


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Runtime.ImportModuleError", "Runtime.ImportModuleError"),
        ("ValueError", "Runtime.Unknown"),
        ("", "Runtime.Unknown"),
        ("Function.NoSuch", "Function.NoSuch"),
        ("Function.", "Function.Unknown"),
    ],
)
def test_error_types_in_reports_are_the_platforms(said: str, shown: str) -> None:
    assert reports.platform_error_type(said) == shown


def test_the_error_of_a_response_over_the_limit() -> None:
    assert orjson.loads(reports.response_too_large()) == {
        "errorType": "Function.ResponseSizeTooLarge",
        "errorMessage": "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
    }
