"""What a zygote is told of one sandbox: its specification, and the descriptors that it works with."""

from __future__ import annotations

import os

from . import messages
from .host import Host, Kit
from .launches import Launch
from .links import ZygoteLink
from .snapshots import Desk

_TELEMETRY_FD = "3"


def send_launch(launch: Launch, kit: Kit, link: ZygoteLink, host: Host, snapshots: Desk) -> None:
    """Provide what the sandbox needs, and send it to the zygote. Raises OSError, MessageTooLarge."""
    request = launch.request
    provision = host.provide(kit, request)
    environment = {
        **request["environment"],
        **provision.spec["environment"],
        "AWS_LAMBDA_RUNTIME_API": kit.network.runtime_api_address,
        "AWS_ENDPOINT_URL": kit.network.platform_url,
    }
    ours = provision.ours
    try:
        ours.append(("output", launch.make_pipe(provision.spec["uid"])))
        if request["runtime"]["has_telemetry"]:
            ours.append(("telemetry", launch.make_pipe(provision.spec["uid"])))
            environment["_LAMBDA_TELEMETRY_LOG_FD"] = _TELEMETRY_FD
        if launch.temporary is not None:
            ours.append(("temporary", launch.temporary))
            launch.temporary = None
        if request["extensions"]:
            ours.append(("extension_output", launch.make_pipe(provision.spec["uid"])))
            ours.append(("control", launch.make_control()))
        if launch.group is not None:
            ours.extend(launch.group.join_descriptors())
        spec_of_snapshot, shared = snapshots.provide(launch, link, ours)
        spec = {
            **provision.spec,
            "id": launch.id,
            "handler": request["handler"],
            "container": request["container"],
            "environment": environment,
            "extensions": request["extensions"],
            "ephemeral_storage_mb": request["ephemeral_storage_mb"],
            "data_limit_bytes": launch.data_limit_bytes,
            "snapshot": spec_of_snapshot,
        }
        ours.append(("spec", messages.as_file(spec)))
        descriptors = [*ours, *provision.shared, *shared]
        link.send(launch, descriptors)
    finally:
        for _name, fd in ours:
            os.close(fd)
