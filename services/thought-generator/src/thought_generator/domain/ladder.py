"""What an agent does about a budget that runs out: rung after rung."""

from thought_generator.models.budget import Limits, Rung

# How much longer a slower stream waits between two thoughts.
SLOWER_FACTOR = 2.0


class Ladder:
    """Which rung is in force.

    The rungs before the last share the way from `near_limit` to the limit evenly, and
    stay in force to its end: with (slower, cheaper, sleep) and 0.8, slower begins at
    0.8 and cheaper at 0.9. Offline and sleep begin where the next call does not fit.
    """

    def __init__(self, has_cheaper: bool) -> None:
        self._early = {Rung.SLOWER, Rung.CHEAPER} if has_cheaper else {Rung.SLOWER}

    def start(self, limits: Limits, rung: Rung) -> float | None:
        """The part of the limit from where slower or cheaper is in force; None if it
        never is."""
        return self._starts(limits).get(rung)

    def rung(self, limits: Limits, used: float, refused: bool) -> Rung | None:
        """The last rung taken, with this part of the limit spent or reserved;
        `refused` says that the last call did not fit."""
        if refused or used >= 1:
            return Rung.OFFLINE if Rung.OFFLINE in limits.ladder else Rung.SLEEP
        taken = [rung for rung, start in self._starts(limits).items() if used >= start]
        return taken[-1] if taken else None

    def _starts(self, limits: Limits) -> dict[Rung, float]:
        early = [rung for rung in limits.ladder if rung in self._early]
        way = 1 - limits.near_limit
        return {
            rung: limits.near_limit + way * place / len(early)
            for place, rung in enumerate(early)
        }
