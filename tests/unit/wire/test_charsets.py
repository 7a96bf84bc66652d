import unicodedata

import pytest

from cloudlet.wire import charsets


def contains(ranges: charsets.Ranges, char: str) -> bool:
    return any(low <= ord(char) <= high for low, high in ranges)


def test_ranges_that_touch_or_overlap_are_joined() -> None:
    assert charsets.ranges_of([(5, 9), (1, 2), (3, 4), (7, 20), (30, 31)]) == ((1, 20), (30, 31))


def test_chars_knows_ranges_and_lone_hyphens() -> None:
    assert charsets.chars("a-c") == ((97, 99),)
    assert charsets.chars("!-/a") == ((33, 47), (97, 97))


def test_the_complement_of_the_complement_is_the_same() -> None:
    ranges = charsets.chars("a-z0-9_")
    assert charsets.complement(charsets.complement(ranges)) == ranges
    assert charsets.complement(()) == charsets.EVERYTHING
    assert charsets.complement(charsets.EVERYTHING) == ()


def test_intersection_keeps_what_is_in_both() -> None:
    assert charsets.intersection(charsets.chars("a-m"), charsets.chars("k-z")) == charsets.chars("k-m")


@pytest.mark.parametrize("char", ["a", "É", "中", "1", " ", "\u2028", "-", "€", "\U0001f600", "\U000e0001", "\n"])
def test_properties_are_unicode_s_categories(char: str) -> None:
    category = unicodedata.category(char)
    assert contains(charsets.property_named(category), char)
    assert contains(charsets.property_named(category[0]), char)
    other = "L" if category[0] != "L" else "N"
    assert not contains(charsets.property_named(other), char)


def test_java_s_own_properties() -> None:
    assert charsets.property_named("Alnum") == charsets.chars("a-zA-Z0-9")
    assert contains(charsets.property_named("IsLetter"), "é")
    assert contains(charsets.property_named("LD"), "٣")
    assert contains(charsets.property_named("IsWhitespace"), "\u3000")
    assert charsets.property_named("all") == charsets.EVERYTHING


def test_an_unknown_property_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        charsets.property_named("Nonsense")
