"""How long data is kept, and how finely.

Points of less than a minute for 3 hours, of a minute for 15 days, of five minutes for 63 days, of an hour for 455 days:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html

What is older is joined to coarser points. When that has really been done makes no difference to who reads: a point
counts as coarse from the moment at which it is due.
"""

from typing import Final

DAY_S: Final = 86_400
RESOLUTIONS: Final = (1, 60, 300, 3600)
"""Seconds that a point may stand for."""
KEPT_S: Final = {1: 3 * 3600, 60: 15 * DAY_S, 300: 63 * DAY_S, 3600: 455 * DAY_S}
FORGOTTEN_S: Final = KEPT_S[3600]
NEXT: Final = {1: 60, 60: 300, 300: 3600}
LISTED_S: Final = 14 * DAY_S
"""Metrics without data for so long are not listed."""
ACTIVE_S: Final = 3 * 3600
"""... or not, where only active ones are asked for."""


def resolution_at(age_s: float, resolution: int) -> int:
    """How finely data of this age is kept that was published with `resolution`."""
    while resolution < 3600 and age_s > KEPT_S[resolution]:
        resolution = NEXT[resolution]
    return resolution


def readable(period_s: int) -> tuple[list[int], int]:
    """The resolutions that points of a period can be made of, and how old data for it may be, in seconds."""
    resolutions = [resolution for resolution in RESOLUTIONS if period_s % resolution == 0]
    return resolutions, KEPT_S[resolutions[-1]]


def rounded_start(start_s: float, now_s: float, period_s: int) -> int:
    """The start of a request, rounded down as AWS does: to the minute, or more coarsely where it is long ago."""
    age_s = now_s - start_s
    if period_s < 60 and age_s <= KEPT_S[1]:
        unit = period_s
    elif age_s <= KEPT_S[60]:
        unit = 60
    else:
        unit = 300 if age_s <= KEPT_S[300] else 3600
    return int(start_s // unit) * unit
