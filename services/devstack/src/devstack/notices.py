"""What services warn of, for the person at the terminal."""

import json
import time
from contextlib import suppress

from devstack.screen import OutputClosed, Screen

LOUD = frozenset({"warning", "error", "critical"})
# The same warning again says nothing new for this long.
REPEAT_AFTER_S = 60.0
# Kinds of warnings kept apart; further ones are shown each time.
MAX_KINDS = 256
# A line's own fields; what else it holds says what happened.
FRAME = frozenset({"event", "level", "service", "timestamp", "exception", "request_id"})


class Notices:
    """Reads the lines of services' logs and shows the warnings among them."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._shown_s: dict[tuple[str, str], float] = {}

    def hear(self, line: bytes) -> None:
        """One line of a log; anything but a warning in JSON is passed over."""
        if b'"level":"info"' in line:
            return
        try:
            said = json.loads(line)
            service, event, level = said["service"], said["event"], said["level"]
        except (ValueError, KeyError, TypeError):
            return
        if level in LOUD and self._is_new(service, f"{event} {said.get('error')}"):
            details = ", ".join(f"{k}={v}" for k, v in said.items() if k not in FRAME)
            # A closed terminal is for whoever shows thoughts to notice.
            with suppress(OutputClosed):
                self._screen.say(
                    f"{service}: {event}" + f" ({details})" * bool(details)
                )

    def _is_new(self, service: str, what: str) -> bool:
        now_s = time.monotonic()
        key = service, what
        last_s = self._shown_s.get(key)
        if last_s is not None and now_s - last_s < REPEAT_AFTER_S:
            return False
        if len(self._shown_s) < MAX_KINDS or key in self._shown_s:
            self._shown_s[key] = now_s
        return True
