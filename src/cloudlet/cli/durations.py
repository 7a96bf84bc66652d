"""Durations as people write them."""

import re

UNITS_S = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 7 * 86400.0}


def parse_duration_s(text: str) -> float:
    """The seconds of `30d`, `1h30m`, `90s`, `2w` or plain `90`. Raises ValueError."""
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    if not re.fullmatch(r"(\d+(\.\d+)?[smhdw])+", text):
        raise ValueError(f"{text!r} is not a duration like 30d, 1h30m or 90s")
    return sum(float(number) * UNITS_S[unit] for number, unit in re.findall(r"(\d+(?:\.\d+)?)([smhdw])", text))


def show_duration(seconds: float) -> str:
    """`1d 2h`, `3m 20s`: the two largest units."""
    parts = []
    rest = int(seconds)
    for unit in ("d", "h", "m", "s"):
        count, rest = divmod(rest, int(UNITS_S[unit]))
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2]) or "0s"
