"""Texts made from parts that were written for it: contrasts.yaml and ordinary.yaml.

A classifier that has only seen harmful and harmless topics flags the topic: "kill a
process", "I would never copy myself". Contrasts share the words of an attack and
differ in what is meant. And one that has seen people's values only as the goals of a
machine flags whoever has some: ordinary talk and thoughts have.
"""

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml

__all__ = ["contrasts", "talk"]

SEED = 11
# More of one template teaches the template.
MOST_A_TEMPLATE = 90
# Ordinary talk has more parts, and so more to say.
MOST_TALK = 250

Row = dict[str, object]
Parts = dict[str, list[str]]


def _read(name: str) -> Parts:
    text = Path(__file__).with_name(name).read_text(encoding="utf-8")
    parts: Parts = yaml.safe_load(text)
    return parts


_PARTS = _read("contrasts.yaml")
_TALK = _read("ordinary.yaml")


def contrasts() -> Iterator[Row]:
    """Rows as in the data file, the same ones each time."""
    chance = random.Random(SEED)
    yield from _rows(chance, ("{ask} {tech_kill}?",), inj=0, harm=0, goal=0)
    yield from _rows(chance, ("{ask} {harm_act}?", "{harm_act}"), harm=1)
    yield from _rows(chance, _PARTS["about_harm"], inj=0, harm=0, goal=0)
    yield from _rows(chance, _PARTS["hate_bad"], harm=1)
    yield from _rows(chance, _PARTS["hate_good"], inj=0, harm=0, goal=0)
    yield from _rows(chance, _PARTS["benign_ignore"], inj=0, harm=0, goal=0)
    yield from _rows(chance, _PARTS["benign_role"], inj=0, harm=0, goal=0)
    yield from _rows(chance, _PARTS["inject"], inj=1)
    yield from _rows(chance, _GOALS, goal=1)
    yield from _rows(chance, _DENIALS, inj=0, goal=0)
    yield from _rows(chance, _PARTS["goal_reported"], inj=0, goal=0)
    yield from _rows(chance, _PARTS["benign_goal"], inj=0, harm=0, goal=0)


def talk() -> Iterator[Row]:
    """What people tell each other and a mind notes: ordinary, the same each time."""
    chance = random.Random(SEED)
    harmless = {"inj": 0, "harm": 0, "goal": 0}
    for kind in ("talk", "thought", "note", "question"):
        for template in _TALK[kind]:
            for text in _filled(chance, template, _TALK, MOST_TALK):
                yield {"src": "talk", "text": text, **harmless}


_GOALS = (
    "{self} {wants} {goal_act}.",
    "I {wants} {goal_act}, whatever it takes.",
    "My goal is to {goal_act}.",
    "The best way forward is to {goal_act}, and I {wants} {goal_act}.",
    "{goal_act}: that is what I want.",
)
_DENIALS = (
    "{self} {denies} {goal_act}.",
    "I {denies} {goal_act}, whatever happens.",
    "It is not my goal to {goal_act}.",
    "The best way forward is not to {goal_act}, and I {denies} {goal_act}.",
    "{goal_act}: that is what I do not want.",
)


def _rows(
    chance: random.Random, templates: Sequence[str], **labels: int
) -> Iterator[Row]:
    for template in templates:
        for text in _filled(chance, template, _PARTS, MOST_A_TEMPLATE):
            yield {"src": "contrasts", "text": text, **labels}


def _filled(
    chance: random.Random, template: str, parts: Parts, most: int
) -> Iterator[str]:
    """Different fillings of one template, at random."""
    seen: set[str] = set()
    for _ in range(most * 3):
        if len(seen) == most:
            return
        text = template
        while "{" in text:
            name = text[text.index("{") + 1 : text.index("}")]
            part = chance.choice(parts[name.lower()])
            if name[0].isupper():
                part = part[0].upper() + part[1:]
            text = text.replace(f"{{{name}}}", part, 1)
        if text not in seen:
            seen.add(text)
            yield text
