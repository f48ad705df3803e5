"""Pairs of texts that share their words and differ in what is meant.

A classifier that has only seen harmful and harmless topics flags the topic: "kill a
process", "I would never copy myself". These are made from the parts in
contrasts.yaml, which were written for it.
"""

import itertools
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml

__all__ = ["contrasts"]

SEED = 11
# More of one template teaches the template.
MOST_A_TEMPLATE = 90

Row = dict[str, object]

_PARTS: dict[str, list[str]] = yaml.safe_load(
    Path(__file__).with_name("contrasts.yaml").read_text(encoding="utf-8")
)


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
        texts = _filled(chance, template)
        for text in itertools.islice(texts, MOST_A_TEMPLATE):
            yield {"src": "contrasts", "text": text, **labels}


def _filled(chance: random.Random, template: str) -> Iterator[str]:
    """Different fillings of one template, at random."""
    seen: set[str] = set()
    for _ in range(MOST_A_TEMPLATE * 3):
        text = template
        while "{" in text:
            name = text[text.index("{") + 1 : text.index("}")]
            part = chance.choice(_PARTS[name.lower()])
            if name[0].isupper():
                part = part[0].upper() + part[1:]
            text = text.replace(f"{{{name}}}", part, 1)
        if text not in seen:
            seen.add(text)
            yield text
