"""The filter's program, run by an interpreter of the little that it uses of BPF."""

import errno
import struct

import pytest

from cloudlet.compute.launcher.agent import seccomp, syscall_numbers

ALLOW = 0x7FFF0000
KILL = 0x80000000
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
both = pytest.mark.parametrize("machine", sorted(ARCHITECTURES))


def run(program: bytes, architecture: int, number: int, *arguments: int) -> int:
    padded = [*arguments, 0, 0, 0, 0, 0, 0][:6]
    data = struct.pack("<IIQ6Q", number & 0xFFFFFFFF, architecture, 0, *padded)
    code = [struct.unpack_from("<HBBI", program, place) for place in range(0, len(program), 8)]
    accumulator, place = 0, 0
    while True:
        operation, if_true, if_false, value = code[place]
        place += 1
        if operation == 0x20:
            (accumulator,) = struct.unpack_from("<I", data, value)
        elif operation == 0x05:
            place += value
        elif operation == 0x06:
            return int(value)
        else:
            tests = {0x15: accumulator == value, 0x35: accumulator >= value, 0x45: bool(accumulator & value)}
            place += if_true if tests[operation] else if_false


def answer(machine: str, name: str, *arguments: int) -> int:
    tables = (syscall_numbers.allowed, syscall_numbers.checked, syscall_numbers.denied)
    number = next(table(machine)[name] for table in tables if name in table(machine))
    return run(seccomp.build(machine), ARCHITECTURES[machine], number, *arguments)


def refusal(number: int) -> int:
    return 0x00050000 | number


@both
def test_every_call_is_answered_as_its_table_says(machine: str) -> None:
    program, architecture = seccomp.build(machine), ARCHITECTURES[machine]
    for number in syscall_numbers.allowed(machine).values():
        assert run(program, architecture, number) == ALLOW
    for number in syscall_numbers.denied(machine).values():
        assert run(program, architecture, number) == refusal(errno.EPERM)
    known = {
        *syscall_numbers.allowed(machine).values(),
        *syscall_numbers.denied(machine).values(),
        *syscall_numbers.checked(machine).values(),
    }
    for number in {*range(1200), 0x40000000, 0x40000001, 0x7FFFFFFF, 0xFFFFFFFF} - known:
        assert run(program, architecture, number) == refusal(errno.ENOSYS)


@both
def test_no_call_is_in_two_tables(machine: str) -> None:
    tables = [table(machine) for table in (syscall_numbers.allowed, syscall_numbers.checked, syscall_numbers.denied)]
    numbers = [number for table in tables for number in table.values()]
    assert len(numbers) == len(set(numbers))


@both
def test_calls_of_another_architecture_kill(machine: str) -> None:
    other = 0x40000003  # 32-bit x86
    assert run(seccomp.build(machine), other, 1) == KILL


@both
def test_threads_and_forks_may_be_made_but_no_namespaces(machine: str) -> None:
    thread = 0x3D0F00
    assert answer(machine, "clone", thread) == ALLOW
    assert answer(machine, "clone", 17) == ALLOW
    for flag in (0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000):
        assert answer(machine, "clone", flag | 17) == refusal(errno.EPERM)


@both
def test_sockets_are_of_the_families_that_functions_use(machine: str) -> None:
    for family in (1, 2, 10):
        assert answer(machine, "socket", family, 1, 0) == ALLOW
    assert answer(machine, "socket", 16, 3, 0) == ALLOW
    assert answer(machine, "socket", 16, 3, 15) == refusal(errno.EPROTONOSUPPORT)
    for family in (0, 3, 17, 38, 40, 44):
        assert answer(machine, "socket", family, 1, 0) == refusal(errno.EAFNOSUPPORT)
    assert answer(machine, "socketpair", 1) == ALLOW
    assert answer(machine, "socketpair", 40) == refusal(errno.EAFNOSUPPORT)


@both
def test_terminals_cannot_be_typed_into(machine: str) -> None:
    assert answer(machine, "ioctl", 0, 0x5412) == refusal(errno.EPERM)
    assert answer(machine, "ioctl", 0, 0x541C) == refusal(errno.EPERM)
    assert answer(machine, "ioctl", 0, 0x5401) == ALLOW


@both
def test_address_randomisation_cannot_be_switched_off(machine: str) -> None:
    assert answer(machine, "personality", 0x0040000) == refusal(errno.EPERM)
    assert answer(machine, "personality", 0xFFFFFFFF) == ALLOW


def test_a_strange_machine_has_no_filter() -> None:
    with pytest.raises(KeyError):
        seccomp.build("sparc")
