"""`cloudlet invoke --debug PORT`: an invocation that waits for a debugger, watched until its end."""

import sys
from contextlib import suppress
from typing import Any

from cloudlet.cli.client import Client
from cloudlet.cli.output import CommandError, say, styled


def invoke_with_debugger(
    client: Client, name: str, qualifier: str, payload: bytes, port: int, *, show_log: bool
) -> None:
    """Run the function under a debugger and show its answer. Raises CommandError when it failed."""
    arn = _arn(client, name)
    function = f"{arn}:{qualifier}" if qualifier else arn
    begun = client.control(
        "POST", "debug", {"function": function, "payload": payload.decode(errors="replace"), "port": port}
    )
    say(f"Waiting for a debugger on 127.0.0.1:{begun['port']} (code is in /var/task). Ctrl-C ends it.")
    try:
        answer = _watched(client, begun["id"])
    except BaseException:
        with suppress(CommandError):
            client.control("POST", "debug/end", {"id": begun["id"]})
        raise
    if show_log and answer["log"]:
        say(styled(answer["log"].rstrip(), "2", error_output=True))
    sys.stdout.write(answer["payload"].rstrip("\n") + "\n")
    sys.stdout.flush()
    if answer["function_error"]:
        raise CommandError(f"The function failed ({answer['function_error']}).")


def _watched(client: Client, identifier: str) -> Any:
    is_attached = False
    while True:
        answer = client.control("GET", f"debug?id={identifier}")
        if answer["state"] == "done":
            return answer
        if answer["state"] == "attached" and not is_attached:
            say("A debugger is attached. No timeout is counted.")
            is_attached = True


def _arn(client: Client, name: str) -> str:
    if name.startswith("arn:"):
        return name
    with client.sdk("sts") as (sts,):
        account = sts.get_caller_identity()["Account"]
    return f"arn:aws:lambda:{client.region}:{account}:function:{name}"
