"""Text patterns give what a second, naive evaluator gives."""

from hypothesis import given
from hypothesis import strategies as st

from cloudlet.services.logs.filter_pattern import compile_pattern

WORDS = st.text(alphabet="ab_1", min_size=1, max_size=3)
PHRASES = st.text(alphabet='ab1 -?"\\[{', min_size=1, max_size=4)
TERMS = st.tuples(st.sampled_from(["", "?", "-"]), st.booleans(), st.one_of(WORDS, PHRASES))
MESSAGES = st.text(alphabet='ab_1 -?"\\[{', max_size=12)


def _written(prefix: str, is_quoted: bool, text: str) -> str:
    if is_quoted or not all(character in "ab_1" for character in text):
        text = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return prefix + text


def _naive(terms: list[tuple[str, bool, str]], message: str) -> bool:
    groups: dict[str, list[bool]] = {"": [], "?": [], "-": []}
    for prefix, _, text in terms:
        groups[prefix].append(message.find(text) >= 0)
    if groups[""] or groups["-"]:
        return False not in groups[""] and True not in groups["-"]
    return True in groups["?"]


@given(st.lists(TERMS, min_size=1, max_size=5), MESSAGES)
def test_same_verdict(terms: list[tuple[str, bool, str]], message: str) -> None:
    pattern = " ".join(_written(*term) for term in terms)
    if pattern[0] not in "{[":
        assert compile_pattern(pattern).matches(message) == _naive(terms, message)
