import os
import subprocess
import sys

from cloudlet import process_memory


def test_this_process_and_those_below_it_are_measured() -> None:
    alone = process_memory.by_role()
    assert 5e6 < alone["node"] < 1e9
    command = [sys.executable, "-c", "print(flush=True); input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert process_memory.by_role()["launcher"] > alone["launcher"] + 1e6
        child.communicate(b"\n")


def test_a_process_that_is_gone_has_none() -> None:
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)
    assert process_memory.proportional_bytes(child) == 0
