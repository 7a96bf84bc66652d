"""Who wants to hear of which notification, in this process."""

import logging
from collections.abc import Callable, Iterable

logger = logging.getLogger(__name__)

Listener = Callable[[str], None]


class Listeners:
    """The listeners of each channel. Used in the event loop only."""

    def __init__(self) -> None:
        self._by_channel: dict[str, dict[object, Listener]] = {}

    def add(self, channel: str, listener: Listener) -> Callable[[], None]:
        """Call `listener` for each notification of `channel` until the function that this returns is called."""
        token = object()
        self._by_channel.setdefault(channel, {})[token] = listener

        def end() -> None:
            listeners = self._by_channel.get(channel, {})
            listeners.pop(token, None)
            if not listeners:
                self._by_channel.pop(channel, None)

        return end

    def call(self, notifications: Iterable[tuple[str, str]]) -> None:
        """Call the listeners of each (channel, payload). One that raises is logged and harms no other."""
        for channel, payload in notifications:
            for listener in tuple(self._by_channel.get(channel, {}).values()):
                try:
                    listener(payload)
                except Exception:
                    logger.exception("a listener of %s failed", channel)

    def call_all(self) -> None:
        """Call every listener with an empty payload: notifications may have been missed."""
        self.call([(channel, "") for channel in tuple(self._by_channel)])
