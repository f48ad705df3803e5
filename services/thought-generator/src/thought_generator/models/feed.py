"""What listeners are told."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Event:
    """A committed thought in its agent's feed, as JSON."""

    position: int
    stream: str
    thought: bytes


@dataclass(frozen=True, slots=True)
class Notice:
    """What listeners are told beside thoughts, such as `doze`: best effort, since it
    has no place in the feed; `data` is told as JSON."""

    stream: str
    kind: str
    data: dict[str, Any]


Told = Event | Notice


@dataclass(frozen=True, slots=True)
class FeedEnd:
    """How far an agent's feed has come, and whose feed it is: an agent that was removed
    and made anew has another birth, and its positions begin again."""

    position: int
    born_at: datetime
