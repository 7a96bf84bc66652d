"""The list of what there is, is right."""

from cloudlet.services import coverage


def test_the_document_is_up_to_date() -> None:
    assert coverage.PATH.read_text() == coverage.document(), "run scripts/coverage"


def test_every_service_and_only_what_aws_has_is_listed() -> None:
    services = {service.name: service for service in coverage.coverage()}
    assert {"iam", "lambda", "logs", "sts"} <= services.keys()
    for service in services.values():
        assert service.implemented
        assert service.implemented <= set(service.operations)
    assert "FilterLogEvents" in services["logs"].implemented
    assert "StartQuery" not in services["logs"].implemented
