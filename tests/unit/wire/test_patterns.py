import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.wire import loader, patterns

NO_COUNTERPART = {
    # A quantifier of a quantifier: Java takes it, Python does not.
    r"^arn:\S+:rbin:[a-z\-0-9]{0,63}:[0-9]{12}:rule/[0-9a-zA-Z]{11}{0,1011}$",
}
"""Patterns of the models that let every text pass here."""


@pytest.fixture(scope="module")
def every_pattern() -> set[str]:
    return {
        shape["pattern"]
        for name in loader.service_names()
        for shape in loader.load(name)["shapes"].values()
        if "pattern" in shape
    }


def test_every_pattern_of_every_model_compiles(every_pattern: set[str]) -> None:
    failed = set()
    for pattern in every_pattern:
        try:
            patterns.matcher(pattern)
        except re.error:
            failed.add(pattern)
    assert failed == NO_COUNTERPART


@pytest.mark.parametrize("pattern", NO_COUNTERPART)
def test_a_pattern_without_counterpart_lets_every_text_pass(pattern: str) -> None:
    assert patterns.matcher_or_any(pattern)("anything")


@pytest.mark.parametrize(
    ("pattern", "good", "bad"),
    [
        (r"[\w+=,.@-]*", "a+b=c,.@-", "a:b"),
        (r"[a-z]+", "abc", "abc1"),
        (r"^[a-z]+", "abc1", "1"),
        (r"[a-z]+$", "1abc", "abc1"),
        (r"^arn:aws:sns", "arn:aws:sns:eu", "x"),
        (r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*", "Größe 中 ٣", "a#b"),
        (r"\p{Alpha}+\P{Digit}", "ab-", "ab1"),
        (r"[\P{C}\t]+", "a b\t", "a\x00"),
        (r"[\p{Print}&&[^|:/]]+", "a-b", "a|b"),
        (r"[a-d[m-p]]+", "ampd", "e"),
        (r"[^a-z&&[^x]]", "A", "b"),
        (r"[\w-_]+", "a-_", "é"),
        (r"[A-Za-z0-9\s-()]+", "a-(b)", "a_"),
        (r"[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF]*", "a\U0001f600", "\x01"),
        (r"[^/:|\000-\037]+", "2024-01", "a\x1f"),
        (r"\x41\u0042", "AB", "ab"),
        (r"\x{1F600}", "\U0001f600", "x"),
        (r"\Qa.b\E+", "a.bb", "axb"),
        (r"a\hb\Rc", "a\tb\r\nc", "a\nb c"),
        (r".+", "a b", "a\u2028b"),
        (r"(?i)true|(?!(?i)aws_)[a-z]+", "TRUE", "AWS_X"),
        (r"[0-9]++[a-z]", "12a", "12"),
        (r"\bfoo\b\z", "foo", "foo\n"),
        (r"[]a]+", "]a", "b"),
        (r"a{0}\-\/\_", "-/_", "x"),
        (r"é+", "éé", "e"),
    ],
)
def test_a_java_pattern_means_the_same_here(pattern: str, good: str, bad: str) -> None:
    match = patterns.matcher(pattern)
    assert match(good)
    assert not match(bad)


@pytest.mark.parametrize("pattern", ["[a", "a\\", r"\p{Nope}", r"\p{L", "[z-a]", r"\u{zz}", "(a", "*"])
def test_a_malformed_pattern_is_an_error_of_re(pattern: str) -> None:
    with pytest.raises(re.error):
        patterns.matcher(pattern)


def test_the_slow_patterns_are_patterns_of_the_models(every_pattern: set[str]) -> None:
    assert patterns.slow_patterns().keys() <= every_pattern


@pytest.mark.parametrize("pattern", patterns.slow_patterns())
def test_a_slow_pattern_is_not_slow_any_more(pattern: str) -> None:
    """With the pattern itself this would not end."""
    match = patterns.matcher_or_any(pattern)
    for repeated in ("a", "a-", "a.", "a/", " ", "0", "-", "A"):
        match(repeated * 60 + "!")
        match(f"arn:aws:iam::123456789012:role/{repeated * 60}\n")


@pytest.mark.parametrize(
    ("slow", "fast"),
    [pair for pair in patterns.slow_patterns().items() if pair[1] is not None and "bedrock" not in pair[0]],
)
@given(text=st.text("aZ0 \t-._/*:!{%}$é\n", max_size=7))
def test_the_fast_pattern_means_the_same(slow: str, fast: str, text: str) -> None:
    assert bool(patterns.matcher(fast)(text)) == bool(patterns.matcher(slow)(text))
