"""Makes `service-index.json` from the installed botocore: `python -m cloudlet.wire.make_service_index`."""

import sys

import orjson

from cloudlet.wire import loader, overlays
from cloudlet.wire.service_index import PATH, Row


def build() -> bytes:
    """The content of the index, a line for each service."""
    rows = (
        f"{orjson.dumps(name).decode()}:{orjson.dumps(row(name)).decode()}" for name in sorted(loader.service_names())
    )
    return ("{\n" + ",\n".join(rows) + "\n}\n").encode()


def row(name: str) -> Row:
    """What the index says of one service."""
    description = loader.load(name)
    metadata = description["metadata"]
    protocols = {metadata["protocol"], *metadata.get("protocols", ()), *overlays.overlay(name).protocols}
    endpoint = metadata["endpointPrefix"]
    return (
        metadata.get("signingName", endpoint),
        endpoint,
        metadata.get("targetPrefix", ""),
        metadata["apiVersion"],
        " ".join(sorted(description["operations"])) if protocols & {"query", "ec2"} else "",
    )


if __name__ == "__main__":
    PATH.write_bytes(build())
    sys.stdout.write(f"{PATH}\n")
