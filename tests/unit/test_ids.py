import base64
import re
import uuid

from cloudlet.ids import POOL_BYTES, Ids, RandomPool


def zeros(size: int) -> bytes:
    return b"\0" * size


def test_uuids_are_version_4() -> None:
    for _ in range(100):
        made = uuid.UUID(Ids().uuid())
        assert (made.version, made.variant) == (4, uuid.RFC_4122)


def test_uuids_hold_all_the_randomness() -> None:
    content = bytes(range(0xF0, 0x100))
    assert Ids(lambda _: content).uuid() == str(uuid.UUID(bytes=content, version=4))


def test_the_same_randomness_gives_the_same_ids() -> None:
    assert Ids(zeros).uuid() == Ids(zeros).uuid()


def test_hex_has_the_length_asked_for() -> None:
    assert Ids(zeros).hex(7) == "0000000"


def test_unique_ids_look_like_iams() -> None:
    assert re.fullmatch(r"AROA[A-Z2-7]{17}", Ids().unique_id("AROA"))


def test_secret_keys_are_40_characters_of_base64() -> None:
    secret = Ids().secret_access_key()
    assert len(secret) == 40
    assert len(base64.b64decode(secret)) == 30


def test_fractions_are_from_0_to_below_1() -> None:
    assert Ids(zeros).fraction() == 0.0
    assert 0.999 < Ids(lambda size: b"\xff" * size).fraction() < 1.0


def test_random_bytes_are_given_once() -> None:
    counter = iter(range(1 << 20))
    pool = RandomPool(lambda size: b"".join(next(counter).to_bytes(4, "big") for _ in range(size // 4)))
    given = [pool(16) for _ in range(2000)]
    assert len(set(given)) == len(given)


def test_many_random_bytes_come_straight_from_the_source() -> None:
    asked: list[int] = []
    pool = RandomPool(lambda size: bytes(asked.append(size) or size))  # type: ignore[func-returns-value]
    assert len(pool(POOL_BYTES + 1)) == POOL_BYTES + 1
    assert asked == [POOL_BYTES + 1]
