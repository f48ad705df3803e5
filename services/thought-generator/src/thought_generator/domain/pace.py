"""When a stream beats: at its interval, and never sooner to make up for lost time."""

import random

# Of the interval, to either side, so that streams do not beat in step.
JITTER = 0.1


class Pace:
    """The beats of one stream; all times are those of the event loop's clock."""

    def __init__(self, interval_s: float, first_due_s: float) -> None:
        self.due_s = first_due_s
        self._interval_s = interval_s
        # Where the beat would be without jitter, which must not add up.
        self._even_s = first_due_s
        self._missed = 0.0

    def beaten(self, begun_s: float, now_s: float, factor: float) -> int:
        """Sets when the next beat is due, `factor` intervals after this one.

        Returns how many whole beats are skipped for this one's being late or long.
        """
        interval_s = self._interval_s * factor
        slack_s = JITTER * interval_s
        self._even_s += interval_s
        soonest_s = max(now_s, begun_s + interval_s - 2 * slack_s)
        late_s = soonest_s - self._even_s
        if late_s > slack_s:
            self._missed += late_s / interval_s
            self.due_s = self._even_s = soonest_s
        else:
            jittered_s = self._even_s + random.uniform(-slack_s, slack_s)
            self.due_s = max(soonest_s, jittered_s)
        skipped = int(self._missed)
        self._missed -= skipped
        return skipped

    def put_off(self, until_s: float) -> None:
        """The next beat is due then; what is dozed away was not missed."""
        self.due_s = self._even_s = until_s
