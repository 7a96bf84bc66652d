"""What can be run, by its first bytes."""

import struct

import pytest

from cloudlet.compute.images.manifest import machine_architecture
from cloudlet.compute.programs import exec_error

OWN, OTHER = (62, 183) if machine_architecture() == "amd64" else (183, 62)


def elf(machine: int) -> bytes:
    return b"\x7fELF" + bytes(14) + struct.pack("<H", machine) + bytes(40)


@pytest.mark.parametrize(
    ("head", "error"),
    [
        (b"#!/bin/sh\necho\n", ""),
        (b"#! \t/usr/bin/env python3\n", ""),
        (b"#!/usr/bin/env python3\r\n", ""),  # env is found, and says by itself what it does not find
        (b"#!/bin/sh\r\n", "no such file or directory"),
        (b"#!/bin/sh", ""),
        (elf(OWN), ""),
        (elf(OTHER), "exec format error"),
        (elf(OWN)[:10], "exec format error"),
        (b"echo\n", "exec format error"),
        (b"", "exec format error"),
    ],
)
def test_what_the_kernel_says_of_a_file(head: bytes, error: str) -> None:
    assert exec_error(head) == error
