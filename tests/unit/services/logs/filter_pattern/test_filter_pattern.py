"""What each kind of pattern lets through, as measured on the service with TestMetricFilter."""

import pytest

from cloudlet.services.logs.filter_pattern import PatternError, compile_pattern

TEXTS = [
    "ERROR ARGUMENTS REQUEST",
    "ERROR BAD REQUEST",
    "INFO ARGUMENTS",
    "INFO REQUEST",
    "error arguments request",
    "ERROR INTERNAL SERVER ERROR",
    "TERROR REQUEST",
    "ERROR-REQUEST",
    "ERROR\nARGUMENTS",
    "plain",
]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("", TEXTS),
        (" ", TEXTS),
        ("ERROR", [TEXTS[0], TEXTS[1], TEXTS[5], TEXTS[6], TEXTS[7], TEXTS[8]]),
        ("error", [TEXTS[4]]),
        ("ERROR ARGUMENTS", [TEXTS[0], TEXTS[8]]),
        ("?ERROR ?ARGUMENTS", [*TEXTS[0:3], *TEXTS[5:9]]),
        ("?ERROR ?ARGUMENTS REQUEST", [TEXTS[0], TEXTS[1], TEXTS[3], TEXTS[6], TEXTS[7]]),
        ("?ERROR ?ARGUMENTS -REQUEST", [TEXTS[2], TEXTS[4], TEXTS[5], TEXTS[8], TEXTS[9]]),
        ("ERROR -ARGUMENTS", [TEXTS[1], TEXTS[5], TEXTS[6], TEXTS[7]]),
        ('ERROR - "BAD REQUEST"', [TEXTS[0], *TEXTS[5:9]]),
        ("-ERROR", [*TEXTS[2:5], TEXTS[9]]),
        ('"INTERNAL SERVER ERROR"', [TEXTS[5]]),
        ('"ERROR-"', [TEXTS[7]]),
        ("%^ERROR|^INFO%", [*TEXTS[0:4], TEXTS[5], *TEXTS[7:9]]),
        ("%ST$% -TERROR", [TEXTS[0], TEXTS[1], TEXTS[3], TEXTS[7]]),
    ],
)
def test_terms(pattern: str, expected: list[str]) -> None:
    assert [text for text in TEXTS if compile_pattern(pattern).matches(text)] == expected


def test_a_quoted_term_keeps_escaped_marks() -> None:
    pattern = compile_pattern(r'"say \"hi\" in C:\\"')
    assert pattern.matches('say "hi" in C:\\ now')
    assert not pattern.matches("say hi in C:")


SCALARS = {
    name: f'{{"v":{value}}}'
    for name, value in {
        "null": "null", "true": "true", "false": "false", "zero": "0", "one": "1", "one_point": "1.0", "one_e": "1e0",
        "text_one": '"1"', "text_one_point": '"1.0"', "minus": "-1", "ten": "10", "text_ten": '"10"', "empty": '""',
        "Alpha": '"Alpha"', "alpha": '"alpha"', "Alphabet": '"Alphabet"', "xAlpha": '"xAlpha"', "star": '"a*b"',
        "question": '"a?b"', "text_true": '"true"', "array": '[1,"Alpha",null]', "no_nulls": "[1]", "object": "{}",
    }.items()
}  # fmt: skip
SCALARS["missing"], SCALARS["last_wins"] = "{}", '{"v":1,"v":2}'
SCALARS["no_json"], SCALARS["list"], SCALARS["broken"] = "not JSON", '[{"v":1}]', "{broken"
ALL_TEXTS = {"text_one", "text_one_point", "text_ten", "text_true", "empty", "star", "question"}
ALL_TEXTS |= {"Alpha", "alpha", "Alphabet", "xAlpha"}
ALL_NUMBERS = {"zero", "one", "one_point", "one_e", "minus", "ten", "last_wins"}


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("{ $.v = 1 }", {"one", "one_point", "one_e", "text_one"}),
        ("{ $.v != 1 }", (ALL_TEXTS | ALL_NUMBERS) - {"one", "one_point", "one_e", "text_one"}),
        ("{ $.v = 1e+0 }", {"one", "one_point", "one_e"}),
        ('{ $.v = "1" }', {"one", "text_one"}),
        ("{ $.v = -1 }", {"minus"}),
        ("{ $.v > 1 }", {"ten", "last_wins"}),
        ("{ $.v >= 1 }", {"one", "one_point", "one_e", "ten", "last_wins"}),
        ("{ $.v < 1 }", {"zero", "minus"}),
        ("{ $.v <= +1.0 }", {"zero", "minus", "one", "one_point", "one_e"}),
        ('{ $.v = "Alpha" }', {"Alpha"}),
        ("{ $.v = Alpha }", {"Alpha"}),
        ('{ $.v != "Alpha" }', (ALL_TEXTS | ALL_NUMBERS) - {"Alpha"}),
        ('{ $.v = "Alpha*" }', {"Alpha", "Alphabet"}),
        ('{ $.v = "*Alpha" }', {"Alpha", "xAlpha"}),
        ("{ $.v = *lph* }", {"Alpha", "alpha", "Alphabet", "xAlpha"}),
        ('{ $.v = "a*b" }', {"star"}),
        ('{ $.v = "a?b" }', {"question"}),
        ('{ $.v = "" }', {"empty"}),
        ("{ $.v = * }", ALL_TEXTS | ALL_NUMBERS),
        ("{ $.v = %^Al.*% }", {"Alpha", "Alphabet"}),
        ("{ $.v != %l% }", (ALL_TEXTS | ALL_NUMBERS) - {"Alpha", "alpha", "Alphabet", "xAlpha"}),
        ("{ $.v IS NULL }", {"null", "array"}),
        ("{ $.v IS TRUE }", {"true"}),
        ("{ $.v IS FALSE }", {"false"}),
        ("{ $.v = true }", {"text_true"}),
        ("{ $.v NOT EXISTS }", {"missing"}),
    ],
)
def test_json_values(pattern: str, expected: set[str]) -> None:
    assert {name for name, message in SCALARS.items() if compile_pattern(pattern).matches(message)} == expected


DOCUMENT = (
    '{"nested":{"value":"hit"},"cluster.name":"flat","cluster":{"name":"nested"},"items":[{"a":1,"b":0},{"a":0,"b":2}],'
    '"arr":["miss","hit"],"by_key":{"0":"hit"},"matrix":[[0,1],[2,3]],"a":1,"b":0,"c":0,"gone":null,"detail-type":"d"}'
)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ('{ $.nested.value = "hit" }', True),
        ("{ $.['cluster.name'] = \"flat\" }", True),
        ('{ $.cluster.name = "flat" }', False),
        ("{ $.detail-type = d }", True),
        ('{ $.arr[0] = "hit" }', False),
        ('{ $.arr[1] = "hit" }', True),
        ('{ $.arr[7] = "hit" }', False),
        ('{ $.by_key[0] = "hit" }', False),
        ('{ $.arr[*] = "hit" }', True),
        ('{ $.by_key[*] = "hit" }', True),
        ('{ $.* = "hit" }', False),
        ('{ $.* = "flat" }', True),
        ('{ $.arr = "hit" }', False),
        ('{ $.arr != "hit" }', False),
        ("{ $.matrix[0][1] = 1 }", True),
        ("{ $.items[*].a = 1 && $.items[*].b = 2 }", True),
        ("{ $.gone.value NOT EXISTS }", True),
        ("{ $.nested.value NOT EXISTS }", False),
        ("{ $.a = 1 || $.b = 2 && $.c = 3 }", True),
        ("{ ($.a = 1 || $.b = 2) && $.c = 3 }", False),
        ("{$.a=1&&$.c=0}", True),
        ("{ (($.a = 1)) }", True),
    ],
)
def test_json_paths(pattern: str, expected: bool) -> None:
    assert compile_pattern(pattern).matches(DOCUMENT) is expected


def test_long_whole_numbers_are_not_rounded() -> None:
    pattern = compile_pattern("{ $.id = 9007199254740993 }")
    assert pattern.matches('{"id":9007199254740993}')
    assert not pattern.matches('{"id":9007199254740992}')


ACCESS = '127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534'
NAMED = {
    "$ip": "127.0.0.1", "$identity": "-", "$user": "frank", "$timestamp": "10/Oct/2000:13:25:15 -0700",
    "$request": "GET /index.html HTTP/1.0", "$status": "404", "$bytes": "1534",
}  # fmt: skip
ALL_NAMES = "[ip, identity, user, timestamp, request, status, bytes]"
NUMBERED = {f"${number}": value for number, value in enumerate(NAMED.values(), 1)}


@pytest.mark.parametrize(
    ("pattern", "message", "expected"),
    [
        (ALL_NAMES, ACCESS, NAMED),
        (ALL_NAMES, f"{ACCESS} extra", NAMED | {"$bytes": "1534 extra"}),
        (ALL_NAMES, ACCESS.replace(" - frank ", "  -\t frank "), NAMED),
        (ALL_NAMES, "ERROR request failed", None),
        ("[ip, identity, user, timestamp, request, status >= 400, bytes > 1000]", ACCESS, NAMED),
        ("[ip, identity, user, timestamp, request, status >= 500, bytes > 1000]", ACCESS, None),
        ("[]", ACCESS, NUMBERED),
        ("[...]", ACCESS, NUMBERED),
        (
            "[..., request = *.html*, status = 4*,]",
            ACCESS,
            {key: NUMBERED[key] for key in ("$1", "$2", "$3", "$4", "$7")}
            | {"$request": NAMED["$request"], "$status": "404"},
        ),
        ("[ip, ..., status, bytes]", "ERROR to act", {"$ip": "ERROR", "$status": "to", "$bytes": "act"}),
        ("[ip, ..., status, bytes]", "ERROR", None),
        ("[..., bytes]", 'ERROR "two words"', {"$1": "ERROR", "$bytes": "two words"}),
        ("[..., bytes]", 'ERROR "cut words', {"$1": "ERROR", "$2": '"cut', "$bytes": "words"}),
        ("[w1=ERROR, w2]", "ERROR request failed", {"$w1": "ERROR", "$w2": "request failed"}),
        ("[w1=ERROR, w2]", 'ERROR "two words"', {"$w1": "ERROR", "$w2": "two words"}),
        ("[w1=ERROR, w2]", "ERROR", None),
        ("[w1=ERROR || w1=%WARN%, w2]", "XWARNING it", {"$w1": "XWARNING", "$w2": "it"}),
        ("[w1!=ERROR && w1!=WARNING, w2]", "ERROR it", None),
        ("[w1!=ERROR && w1!=WARNING, w2]", "INFO\t- it ", {"$w1": "INFO", "$w2": "- it"}),
        ("[(w=404 || w=410) && w!=410]", "404", {"$w": "404"}),
        (r"[ip = %127\.0\.0\.[1-3]%, ...]", f"{ACCESS[:9]} ok", {"$ip": "127.0.0.1", "$2": "ok"}),
    ],
)
def test_columns(pattern: str, message: str, expected: dict[str, str] | None) -> None:
    assert compile_pattern(pattern).extract(message) == expected


def test_only_columns_are_extracted() -> None:
    assert compile_pattern("ERROR").extract("ERROR 1") == {}
    assert compile_pattern("ERROR").extract("INFO 1") is None
    assert compile_pattern("{ $.v = 1 }").extract('{"v":1}') == {}


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("ERR*", "Invalid character(s) in term '*'"),
        ("?Status: timeout", "Invalid character(s) in term ':'"),
        ('"ERROR', "Invalid character(s) in term '\"ERROR'"),
        ("%^(ERROR|WARN)%", "Invalid character(s) in term '%^('"),
        ("%hello!%", "Invalid character(s) in term '%hello!'"),
        ("%café%", "Invalid character(s) in term '%café'"),
        ("%open", "Invalid character(s) in term '%open'"),
        ("%[abc%", "Failed to compile regular expression."),
        ("{ $.v = null }", ""),
        ("{ $.v EXISTS }", ""),
        ("{ $.v == 1 }", ""),
        ("{ $.v > 0 AND $.v < 2 }", ""),
        ("{ $.v }", ""),
        ("{}", ""),
        ("{ ($.v = 1 }", ""),
        ("{ 1 = $.v }", ""),
        ("{ $.v = $.w }", ""),
        ("{ $.v NOT THERE }", ""),
        ("{" + "(" * 400 + "$.v = 1" + ")" * 400 + "}", ""),
        ("{ $.v IS NOT NULL }", "Invalid character(s) in term 'NOT'"),
        ('{ $.v > "Alpha" }', "Invalid character(s) in term '\"Alpha\"'"),
        ("{ !($.v = 1) }", "Invalid character(s) in term '!('"),
        ('{ "v": [1] }', "Invalid character(s) in term ':'"),
        ('{ $."sc-status" = 5* }', "Invalid character(s) in term '$.\"'"),
        ('{ $..value = "hit" }', "Invalid character(s) in term '$..'"),
        ('{ $.arr[-1] = "hit" }', "Invalid character(s) in term '[-'"),
        ('{ $.arr[0:2] = "hit" }', "Invalid character(s) in term '[0:'"),
        (
            "{ $.items[*].* = 1 }",
            "Your filter pattern has a JSON path selector that exceeds the maximum of 1 wildcard allowed per json"
            " selector.",
        ),
        (
            "{ $.a[*] = 1 || $.b[*] = 1 || $.* = 1 || $.d[*][0] = 0 }",
            "Your input has exceeded the maximum of 3 JSON wildcard selectors allowed per filter pattern.",
        ),
        (
            "{ $.v = %a% || $.v = %b% || $.v = %c% }",
            "Your input has exceeded the maximum of 2 regular expressions per filter pattern.",
        ),
        ("[..., status, ...]", "Duplicate field '...'"),
        ("[word, word]", "Duplicate field 'word'"),
        ("[a=1 && b=2, c]", ""),
        ("[a=, c]", ""),
        ("[a b]", ""),
        ("[a*, b]", ""),
        ("[ip, status", "If a filter pattern starts with '[' it must end with ']'"),
        ("{ $.v = 1", "If a filter pattern starts with '{' it must end with '}'"),
        ("-", ""),
    ],
)
def test_what_is_refused(pattern: str, text: str) -> None:
    with pytest.raises(PatternError) as raised:
        compile_pattern(pattern)
    assert raised.value.text == text


@pytest.mark.parametrize(("pattern", "is_lexical"), [("ERR*", True), ("{ $.v IS NOT NULL }", False)])
def test_which_texts_every_operation_gives(pattern: str, is_lexical: bool) -> None:
    with pytest.raises(PatternError) as raised:
        compile_pattern(pattern)
    assert raised.value.is_lexical is is_lexical


def test_deeply_nested_json_in_a_log_is_no_match() -> None:
    assert not compile_pattern("{ $.v = 1 }").matches('{"v":' + "[" * 100_000 + "]" * 100_000 + "}")
