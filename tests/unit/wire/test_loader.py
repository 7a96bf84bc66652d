import pytest

from cloudlet.wire import loader, overlays


@pytest.mark.parametrize("name", ["", "nothing", "../data/lambda", "lambda/2015-03-31", "Lambda", "a\0b"])
def test_an_unknown_service_is_a_key_error(name: str) -> None:
    with pytest.raises(KeyError):
        loader.load(name)


def test_a_model_is_loaded_without_its_documentation() -> None:
    description = loader.load("sts")
    assert "AssumeRole" in description["operations"]
    assert "<p>" not in str(description)


def test_the_newest_version_is_loaded() -> None:
    assert loader.load("cloudfront")["metadata"]["apiVersion"] == max(
        path.parent.name for path in loader.model_path("cloudfront").parents[1].glob("*/service-2.json.gz")
    )


def test_additions_are_laid_over_a_model_without_changing_it() -> None:
    description = {"metadata": {"a": 1}, "shapes": {"S": {"type": "string"}}}
    merged = loader.merged(description, {"metadata": {"b": 2}, "shapes": {"S": {"min": 1}}, "new": {}})
    assert merged == {"metadata": {"a": 1, "b": 2}, "shapes": {"S": {"type": "string", "min": 1}}, "new": {}}
    assert description == {"metadata": {"a": 1}, "shapes": {"S": {"type": "string"}}}


@pytest.mark.parametrize("name", ["sqs", "s3"])
def test_an_overlay_speaks_only_of_what_the_model_has(name: str) -> None:
    """A name that a new botocore has changed would otherwise be added, and never be used."""
    description = loader.load(name)
    overlay = overlays.overlay(name)
    for protocol in ("all", *overlay.protocols):
        additions = overlay.additions(protocol)
        assert additions.get("operations", {}).keys() <= description["operations"].keys()
        for shape, traits in additions.get("shapes", {}).items():
            assert shape in description["shapes"] or "type" in traits
            assert (
                traits.get("members", {}).keys() <= description["shapes"].get(shape, traits).get("members", {}).keys()
            )
