"""What the load's client says came back."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Outcome:
    """What came back, as far as the client has said."""

    lines: list[dict[str, Any]] = field(default_factory=list)

    @property
    def begun(self) -> bool:
        """Whether the first call was sent."""
        return any("begun" in line for line in self.lines)

    @property
    def ended(self) -> dict[str, Any] | None:
        """The last line, once it is there."""
        return next((line for line in self.lines if "sent" in line), None)

    @property
    def sent(self) -> int:
        """How many calls there were."""
        assert self.ended
        return sum(self.ended["sent"].values())

    @property
    def failed(self) -> list[dict[str, Any]]:
        """Every failed call."""
        return [line for line in self.lines if "failed" in line]

    @property
    def failed_idempotent(self) -> list[dict[str, Any]]:
        """Those that a caller might have sent twice without harm."""
        return [line for line in self.failed if line["idempotent"]]

    @property
    def reasons(self) -> Counter[str]:
        """Why calls failed, and how many did."""
        return Counter(f"{line['failed']}: {line['why'][:200]}" for line in self.failed)

    @property
    def summary(self) -> str:
        """In a line."""
        assert self.ended
        return (
            f"{len(self.failed)} of {self.sent} calls failed, "
            f"{len(self.failed_idempotent)} idempotent; "
            f"p50 {self.ended['p50_ms']:.0f} ms, p99 {self.ended['p99_ms']:.0f} ms"
        )

    @property
    def share_answered(self) -> float:
        """Of all calls."""
        return 1 - len(self.failed) / self.sent
