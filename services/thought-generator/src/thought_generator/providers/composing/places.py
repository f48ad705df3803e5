"""What the places of a frame are filled with."""

import re
from random import Random

from thought_generator.models.prompts import Prompt, Recalled
from thought_generator.providers.composing.clauses import retell, shorten, words_of
from thought_generator.providers.composing.novelty import Recent
from thought_generator.providers.composing.reading import (
    Origin,
    Reading,
    Source,
    speaker_of,
)

# Two quotes of this length and a frame stay a short thought.
_QUOTE_CHARS = 80
_SHORT_QUOTE_CHARS = 60
_TOPIC_CHARS = 48
# Words this short are shared by chance.
_MIN_SHARED_CHARS = 4

# A question says less about its speaker than a statement.
_QUESTION_WEIGHT = 0.35

# Once may be chance.
_MIN_RETURNS = 2

_NUMBERS = (
    *("no", "one", "two", "three", "four", "five", "six"),
    *("seven", "eight", "nine", "ten", "eleven", "twelve"),
)
_ENDS = re.compile(r"[.!?…。！？]$")

_SAID = ("{} said:", "In {}'s words:", "{} once said:", "This comes from {}:")
_ASKED = ("{} asked:", "{} wanted to know:", "A question from {}:")
_UNSIGNED = {
    Origin.TOLD: ("I was told:", "Somebody told me:", "This was told to me:"),
    Origin.OBSERVED: ("One observation reads:", "It was observed:"),
    Origin.INFERRED: ("It was inferred, not told:", "An inference on file reads:"),
    Origin.CONTEXT: ("What is put to me now reads:", "The matter at hand reads:"),
    Origin.PERSONA: ("My description reads:", "I am described so:"),
}
_MINE = "my earlier thought about "
_OWN_THOUGHTS = (
    "Earlier I wondered about {}.",
    "An earlier thought of mine circled {}.",
    "Earlier I turned over {}; that was a thought, not a fact.",
    "I have wondered before about {}.",
)
_NAMED = {
    Origin.TOLD: "what I was told",
    Origin.OBSERVED: "that observation",
    Origin.INFERRED: "that inference",
    Origin.CONTEXT: "what is put to me now",
    Origin.PERSONA: "my own description",
}

Places = dict[str, str]


def places_of(prefix: str, source: Source, rng: Random) -> Places:
    """The places of one source: `a_topic`, `a_said`, …"""
    reading = source.reading
    clause = _clause(reading, rng)
    found = _topics(source, clause, rng)
    if source.origin is Origin.THOUGHT:
        found["said"] = rng.choice(_OWN_THOUGHTS).format(found["topic"])
        found["topic"] = f"{_MINE}{found['topic']}"
        found.pop("topic2", None)
    else:
        found |= _words(reading, clause, rng)
        found |= _speech(source, clause, rng) if clause else {}
    return {f"{prefix}_{place}": text for place, text in found.items()}


def shared_place(a: Source, b: Source, rng: Random) -> Places:
    """A word that both hold, if there is one."""
    common = sorted(a.reading.words & b.reading.words)
    long = [word for word in common if len(word) >= _MIN_SHARED_CHARS]
    return {"shared": f"“{rng.choice(long)}”"} if long else {}


def ledger_places(prompt: Prompt, main: Source) -> Places:
    """True counts of what is recalled and of what keeps returning."""
    places: Places = {}
    total = len(prompt.recalled)
    thoughts = sum(memory.evidence == Origin.THOUGHT for memory in prompt.recalled)
    if total > 1:
        places["recalled"] = f"{_number(total)} memories"
    if 0 < thoughts < total:
        verb = "is" if thoughts == 1 else "are"
        places["mixed"] = (
            f"of {_number(total)} memories at hand, {_number(thoughts)} {verb} "
            "my own earlier thinking"
        )
    spoken = _spoken_by(prompt.recalled, main.reading.speaker)
    if main.origin is not Origin.THOUGHT and spoken > 1:
        places["spoken"] = (
            f"{_number(spoken)} of {_number(total)} memories at hand "
            f"come from {main.reading.speaker}"
        )
    return places


def returns_place(recent: Recent, topic: str) -> Places:
    """How many of the last thoughts spoke of the topic."""
    words = words_of(topic)
    if not words:
        return {}
    times, last = recent.mentions(words[-1])
    if times < _MIN_RETURNS:
        return {}
    return {"returns": f"{_number(times)} of my last {_number(last)} thoughts"}


def bare_topic(topic: str) -> str:
    """The topic without what was put around it: `the`, a name, quotes."""
    core = topic.removeprefix(_MINE).removeprefix("the ")
    return core.split("'s ")[-1].strip("“”")


def quoted(source: Source, clause: str, limit_chars: int, rng: Random) -> str:
    """A clause of the source in quotes, after whose words they are."""
    return f"{_lead(source, clause, rng)} “{_ended(shorten(clause, limit_chars))}”"


def _clause(reading: Reading, rng: Random) -> str:
    if not reading.clauses:
        return ""
    weights = [_QUESTION_WEIGHT if asks(c) else 1.0 for c in reading.clauses]
    return rng.choices(reading.clauses, weights)[0]


def _topics(source: Source, clause: str, rng: Random) -> Places:
    topics = source.reading.topics
    names = list(topics.phrases or topics.names)
    if not names:
        return {"topic": _stand_in(source, clause)}
    rng.shuffle(names)
    names.sort(key=lambda name: bare_topic(name) not in clause)
    places = {"topic": shorten(names[0], _TOPIC_CHARS)}
    if len(names) > 1:
        places["topic2"] = shorten(names[1], _TOPIC_CHARS)
    return places


def _stand_in(source: Source, clause: str) -> str:
    if clause:
        return _quote(source, clause, _TOPIC_CHARS)
    if source.reading.is_order:
        return "a memory that only gives orders"
    return "a memory without words"


def _name_of(source: Source) -> str:
    if source.reading.speaker:
        return f"{source.reading.speaker}'s remark"
    return _NAMED[source.origin]


def _words(reading: Reading, clause: str, rng: Random) -> Places:
    found = {
        "warm": reading.warm,
        "tense": reading.tense,
        "time": reading.topics.times,
    }
    places: Places = {}
    lower = shorten(clause, _SHORT_QUOTE_CHARS).lower()
    for place, words in found.items():
        said = [word for word in words if word.lower() in lower]
        if said:
            places[place] = f"“{rng.choice(said)}”"
    names = [name for name in reading.topics.names if name in clause]
    if names:
        places["name"] = rng.choice(names)
    if reading.speaker:
        places["who"] = reading.speaker
    return places


def _speech(source: Source, clause: str, rng: Random) -> Places:
    reading = source.reading
    said = quoted(source, clause, _QUOTE_CHARS, rng)
    quote = _quote(source, clause, _SHORT_QUOTE_CHARS)
    places = {"said": said, "quote": quote, "src": _name_of(source)}
    if asks(clause):
        places["asked"] = said
    else:
        places |= {"told": said, "claim": quote}
        if not _names_feeling(reading, clause):
            places |= {"calm": said, "plain": quote}
    if reading.speaker:
        accounts = [retell(clause, reading.speaker) for clause in reading.clauses]
        known = [account for account in accounts if account]
        if known:
            places["account"] = rng.choice(known)
    return places


def _quote(source: Source, clause: str, limit_chars: int) -> str:
    who = f"{source.reading.speaker}'s " if source.reading.speaker else ""
    return f"{who}“{_unended(shorten(clause, limit_chars))}”"


def _names_feeling(reading: Reading, clause: str) -> bool:
    lower = clause.lower()
    return any(word in lower for word in (*reading.warm, *reading.tense))


def _lead(source: Source, clause: str, rng: Random) -> str:
    who = source.reading.speaker
    if who is None:
        return rng.choice(_UNSIGNED[source.origin])
    leads = _ASKED if asks(clause) else _SAID
    lead = rng.choice(leads).format(who)
    return lead[0].upper() + lead[1:]


def asks(clause: str) -> bool:
    """Whether it is a question."""
    return clause.endswith(("?", "？"))


def _ended(clause: str) -> str:
    clause = clause[:1].upper() + clause[1:]
    return clause if _ENDS.search(clause) else f"{clause}."


def _unended(clause: str) -> str:
    return clause.rstrip(".!。！")


def _number(count: int) -> str:
    return _NUMBERS[count] if count < len(_NUMBERS) else str(count)


def _spoken_by(recalled: tuple[Recalled, ...], who: str | None) -> int:
    if who is None:
        return 0
    return sum(speaker_of(memory.content) == who for memory in recalled)
