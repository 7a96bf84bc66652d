"""What the API shows of a version."""

from cloudlet.services.lambda_.names import FunctionRef
from cloudlet.services.lambda_.version import Configuration, Version, pending
from cloudlet.services.lambda_.version_description import describe

REF = FunctionRef("111111111111", "us-east-1", "fn")
STATES = {"State", "StateReason", "StateReasonCode", "LastUpdateStatus", "RuntimeVersionConfig"}
OPTIONAL = {"Layers", "Environment", "DeadLetterConfig", "KMSKeyArn", "VpcConfig", "FileSystemConfigs"}


def new(**changes: object) -> Version:
    given = {"runtime": "python3.12", "handler": "h", "role": "r", **changes}
    configuration = Configuration(**given)  # type: ignore[arg-type]
    return pending(REF, 0, ("e", "r"), 0, code_digest="ab" * 32, code_bytes=7, configuration=configuration)


def test_lists_show_no_states() -> None:
    shown = describe(new(), REF.arn, listed=True)
    assert not STATES & shown.keys()


def test_a_single_one_shows_its_state_and_what_it_runs_on() -> None:
    shown = describe(new(runs_on="python3.13"), REF.arn)
    assert (shown["State"], shown["StateReasonCode"]) == ("Pending", "Creating")
    assert "LastUpdateStatusReason" not in shown
    runs_on = shown["RuntimeVersionConfig"]["RuntimeVersionArn"]
    assert runs_on == describe(new(runtime="python3.13"), REF.arn)["RuntimeVersionConfig"]["RuntimeVersionArn"]
    assert runs_on != describe(new(), REF.arn)["RuntimeVersionConfig"]["RuntimeVersionArn"]


def test_what_was_not_configured_is_not_shown() -> None:
    assert not OPTIONAL & describe(new(), REF.arn).keys()
    shown = describe(new(environment={}, dead_letter_arn="arn:d", kms_key_arn="arn:k"), REF.arn)
    assert shown["Environment"] == {"Variables": {}}
    assert shown["DeadLetterConfig"] == {"TargetArn": "arn:d"}
    assert OPTIONAL & shown.keys() == {"Environment", "DeadLetterConfig", "KMSKeyArn"}
