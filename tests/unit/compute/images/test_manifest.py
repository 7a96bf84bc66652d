"""What describes an image."""

import orjson

from cloudlet.compute.images.manifest import parse_config


def test_a_variable_without_a_name_is_none() -> None:
    content = orjson.dumps({"architecture": "amd64", "os": "linux", "config": {"Env": ["=x", "A=1=2", "B"]}})
    assert parse_config(content).environment == {"A": "1=2", "B": ""}
