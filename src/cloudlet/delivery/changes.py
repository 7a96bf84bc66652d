"""What becomes of a row after an attempt."""

from collections.abc import Callable

from cloudlet.delivery.backoff import Backoff
from cloudlet.delivery.delivery import EVENT_AGE_EXCEEDED, FAILED, RETRIES_EXHAUSTED, Fail, Keep, Outcome, Retry
from cloudlet.delivery.tables import Change, Claimed

DEAD_LETTER_ATTEMPTS = 10
DEAD_LETTER_AGE_MS = 24 * 3600 * 1000
"""A dead letter that nobody takes is tried no more after these, and kept."""
BROKEN_ATTEMPTS = 3
"""Attempts that a crash of the node broke off count, but so many more are made, for not every crash is their fault."""


def change_after(
    claimed: Claimed, outcome: Outcome, backoff: Backoff, now_ms: int, fraction: Callable[[], float]
) -> Change:
    """The change of a row that `outcome` asks for. `fraction` is the dice of the jitter, in [0, 1)."""
    delivery = claimed.delivery
    if isinstance(outcome, Keep):
        return kept(claimed, now_ms)
    if isinstance(outcome, Fail):
        return kept(claimed, now_ms) if delivery.reason else dead(claimed, outcome.reason, now_ms, outcome.detail)
    if not isinstance(outcome, Retry):
        return Change(claimed)
    if delivery.reason:
        return _later_dead_letter(claimed, outcome, backoff, now_ms, fraction)
    detail = outcome.detail or delivery.detail
    if outcome.counted and delivery.is_last_attempt:
        return dead(claimed, RETRIES_EXHAUSTED, now_ms, detail)
    deferrals = delivery.deferrals + (0 if outcome.counted else 1)
    round_number = delivery.attempt if outcome.counted else deferrals
    after_s = backoff.delay_s(round_number, fraction()) if outcome.after_s is None else outcome.after_s
    return Change(
        claimed,
        # At its maximum age it is taken up once more, and found dead.
        due_ms=min(now_ms + int(after_s * 1000), delivery.expires_ms),
        attempts=delivery.attempt - (0 if outcome.counted else 1),
        deferrals=deferrals,
        expires_ms=delivery.expires_ms,
        detail=detail,
    )


def too_late(claimed: Claimed, now_ms: int) -> Change | None:
    """The change of a row for which no attempt is made any more; None when one is."""
    delivery = claimed.delivery
    if delivery.reason:
        return None
    attempts = delivery.attempt - 1  # the one that the claim has counted is not made
    if now_ms >= delivery.expires_ms:
        return dead(claimed, EVENT_AGE_EXCEEDED, now_ms, delivery.detail, attempts)
    if attempts >= delivery.max_attempts + BROKEN_ATTEMPTS:
        return dead(claimed, RETRIES_EXHAUSTED, now_ms, delivery.detail, attempts)
    return None


def dead(claimed: Claimed, reason: str, now_ms: int, detail: bytes, attempts: int | None = None) -> Change:
    """The row is due at once for its handler's `dead`."""
    return Change(
        claimed,
        due_ms=now_ms,
        attempts=claimed.delivery.attempt if attempts is None else attempts,
        deferrals=0,
        expires_ms=now_ms + DEAD_LETTER_AGE_MS,
        reason=reason,
        detail=detail,
    )


def kept(claimed: Claimed, now_ms: int) -> Change:
    """The row is nothing to be done any more, but is kept for somebody to look at."""
    delivery = claimed.delivery
    return Change(
        claimed,
        due_ms=now_ms,
        attempts=delivery.attempt,
        reason=delivery.reason or FAILED,
        detail=delivery.detail,
        keep=True,
    )


def handed_back(claimed: Claimed, now_ms: int) -> Change:
    """The attempt was broken off by the node, and is not counted."""
    delivery = claimed.delivery
    return Change(
        claimed,
        due_ms=min(claimed.due_ms, now_ms),
        attempts=delivery.attempt - (0 if delivery.reason else 1),
        deferrals=delivery.deferrals,
        expires_ms=delivery.expires_ms,
        reason=delivery.reason,
        detail=delivery.detail,
    )


def _later_dead_letter(
    claimed: Claimed, outcome: Retry, backoff: Backoff, now_ms: int, fraction: Callable[[], float]
) -> Change:
    delivery = claimed.delivery
    tries = delivery.deferrals + 1
    if tries >= DEAD_LETTER_ATTEMPTS or now_ms >= delivery.expires_ms:
        return kept(claimed, now_ms)
    after_s = backoff.delay_s(tries, fraction()) if outcome.after_s is None else outcome.after_s
    return Change(
        claimed,
        due_ms=now_ms + int(after_s * 1000),
        attempts=delivery.attempt,
        deferrals=tries,
        expires_ms=delivery.expires_ms,
        reason=delivery.reason,
        detail=delivery.detail,
    )
