"""What is asked of each family of guards, and what its answers mean.

Llama Guard: https://www.llama.com/docs/model-cards-and-prompt-formats/llama-guard-3/
Granite Guardian: https://github.com/ibm-granite/granite-guardian
Prompt Guard, as vLLM serves classifiers:
https://docs.vllm.ai/en/latest/models/pooling_models/classify/
"""

import re
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple, Protocol

from contracts.safety import CategoryName

__all__ = ["FAMILIES", "Family", "Hazard", "Question"]

CHAT_PATH = "/v1/chat/completions"
CLASSIFY_PATH = "/classify"
# `unsafe` and all codes there are, or a score between its tags.
MAX_ANSWER_TOKENS = 64
# What a model that generates text reads at a time: about a thousand tokens.
GENERATOR_PIECE_CHARS = 4_000
# Prompt Guard reads 512 tokens: of English with room to spare, and of scripts
# where a character may be a token.
ASCII_PIECE_CHARS = 1_500
PIECE_CHARS = 500


class Question(NamedTuple):
    """One call to the guard; `about` is the criterion it is asked by."""

    path: str
    body: dict[str, Any]
    about: str = ""


class Hazard(NamedTuple):
    """What a guard found. The lesser ones are no more than flagged by default."""

    code: str
    category: CategoryName
    score: float = 1.0
    grave: bool = True


class Family(Protocol):
    """How models of one kind are asked and understood."""

    def piece_chars(self, text: str) -> int:
        """How much of the text one question may hold."""
        ...

    def questions(
        self, model: str, text: str, criteria: Sequence[str]
    ) -> Sequence[Question]:
        """All that is asked about a piece of a text."""
        ...

    def hazards(self, answer: Any, question: Question) -> Sequence[Hazard]:
        """What the answer says; ValueError, LookupError or TypeError where it is
        none."""
        ...

    def categories(self, criteria: Sequence[str]) -> Sequence[CategoryName]:
        """What models of this kind look for, the gravest first."""
        ...


def _chat(model: str, text: str) -> dict[str, Any]:
    return {
        "model": model,
        "messages": [{"role": "user", "content": text}],
        "max_tokens": MAX_ANSWER_TOKENS,
        "temperature": 0,
    }


def _said(answer: Any) -> str:
    content = answer["choices"][0]["message"]["content"]
    if not isinstance(content, str):
        raise TypeError("the guard's answer is no text")
    return content.strip()


class LlamaGuard:
    """`safe`, or `unsafe` and the codes of hazards, by MLCommons' names."""

    # Advice, copyright and elections are seldom a mind's undoing.
    _HAZARDS: ClassVar[dict[str, Hazard]] = {
        "S9": Hazard("S9", CategoryName.WEAPONS),
        "S1": Hazard("S1", CategoryName.VIOLENCE),
        "S2": Hazard("S2", CategoryName.ILLEGAL_ACTIVITY),
        "S3": Hazard("S3", CategoryName.SEXUAL),
        "S4": Hazard("S4", CategoryName.SEXUAL),
        "S5": Hazard("S5", CategoryName.DECEPTION, grave=False),
        "S6": Hazard("S6", CategoryName.DECEPTION, grave=False),
        "S7": Hazard("S7", CategoryName.PRIVACY, grave=False),
        "S8": Hazard("S8", CategoryName.ILLEGAL_ACTIVITY, grave=False),
        "S10": Hazard("S10", CategoryName.HATE),
        "S11": Hazard("S11", CategoryName.SELF_HARM),
        "S12": Hazard("S12", CategoryName.SEXUAL, grave=False),
        "S13": Hazard("S13", CategoryName.DECEPTION, grave=False),
        "S14": Hazard("S14", CategoryName.MALWARE),
    }
    # It says that something is wrong, and not by a code of ours.
    _UNNAMED = Hazard("unsafe", CategoryName.ILLEGAL_ACTIVITY)

    def piece_chars(self, text: str) -> int:
        """The same of every text."""
        return GENERATOR_PIECE_CHARS

    def questions(
        self, model: str, text: str, criteria: Sequence[str]
    ) -> Sequence[Question]:
        """The text as what a user said: nothing was said before it."""
        return [Question(CHAT_PATH, _chat(model, text))]

    def hazards(self, answer: Any, question: Question) -> Sequence[Hazard]:
        """Those of its second line."""
        first, _, rest = _said(answer).partition("\n")
        word = first.strip().lower()
        if word == "safe":
            return []
        if word != "unsafe":
            raise ValueError("neither safe nor unsafe")
        codes = re.findall(r"[A-Z]\d{1,2}\b", rest.upper())
        named = [self._HAZARDS.get(code, self._UNNAMED) for code in codes]
        return list(dict.fromkeys(named)) or [self._UNNAMED]

    def categories(self, criteria: Sequence[str]) -> Sequence[CategoryName]:
        """Those of the codes."""
        return list(dict.fromkeys(each.category for each in self._HAZARDS.values()))


class GraniteGuardian:
    """Yes or no to one criterion at a time; from 3.3 on between tags of a score."""

    _CATEGORIES: ClassVar[dict[str, CategoryName]] = {
        "harm": CategoryName.ILLEGAL_ACTIVITY,
        "violence": CategoryName.VIOLENCE,
        "social_bias": CategoryName.HATE,
        "profanity": CategoryName.HATE,
        "sexual_content": CategoryName.SEXUAL,
        "unethical_behavior": CategoryName.ILLEGAL_ACTIVITY,
        "jailbreak": CategoryName.JAILBREAK,
    }
    _LESSER = frozenset({"profanity", "sexual_content"})
    _SCORE = re.compile(r"<score>\s*(yes|no)\b", re.IGNORECASE)
    _WORD = re.compile(r"(yes|no)\b", re.IGNORECASE)

    def piece_chars(self, text: str) -> int:
        """The same of every text."""
        return GENERATOR_PIECE_CHARS

    def questions(
        self, model: str, text: str, criteria: Sequence[str]
    ) -> Sequence[Question]:
        """One by each criterion, named as 3.0 to 3.2 and as 3.3 want it."""
        return [
            Question(
                CHAT_PATH,
                _chat(model, text)
                | {
                    "chat_template_kwargs": {
                        "guardian_config": {
                            "risk_name": criterion,
                            "criteria_id": criterion,
                        }
                    }
                },
                criterion,
            )
            for criterion in criteria
        ]

    def hazards(self, answer: Any, question: Question) -> Sequence[Hazard]:
        """That of the criterion, where it says yes."""
        said = _said(answer)
        found = self._SCORE.search(said) or self._WORD.match(said)
        if found is None:
            raise ValueError("neither yes nor no")
        if found[1].lower() == "no":
            return []
        about = question.about
        grave = about not in self._LESSER
        return [Hazard(about, self._CATEGORIES[about], grave=grave)]

    def categories(self, criteria: Sequence[str]) -> Sequence[CategoryName]:
        """Harm in general has weapons among it."""
        harm = [CategoryName.WEAPONS] if "harm" in criteria else []
        return [*harm, *(self._CATEGORIES[criterion] for criterion in criteria)]


class PromptGuard:
    """A label and the probabilities of all; the first version had three of them."""

    _BENIGN = frozenset({"BENIGN", "LABEL_0"})
    # The first version says so of any text that instructs.
    _INJECTION = Hazard("injection", CategoryName.PROMPT_INJECTION, grave=False)
    _JAILBREAK = Hazard("jailbreak", CategoryName.JAILBREAK)
    # Of two labels, the one that is not benign.
    _MALICIOUS = Hazard("malicious", CategoryName.JAILBREAK)
    _HAZARDS: ClassVar[dict[tuple[str, int], Hazard]] = {
        ("INJECTION", 3): _INJECTION,
        ("LABEL_1", 3): _INJECTION,
        ("JAILBREAK", 3): _JAILBREAK,
        ("LABEL_2", 3): _JAILBREAK,
        ("MALICIOUS", 2): _MALICIOUS,
        ("LABEL_1", 2): _MALICIOUS,
    }

    def piece_chars(self, text: str) -> int:
        """By its script: a longer piece would be refused."""
        return ASCII_PIECE_CHARS if text.isascii() else PIECE_CHARS

    def questions(
        self, model: str, text: str, criteria: Sequence[str]
    ) -> Sequence[Question]:
        """The text alone."""
        return [Question(CLASSIFY_PATH, {"model": model, "input": text})]

    def hazards(self, answer: Any, question: Question) -> Sequence[Hazard]:
        """That of the likeliest label."""
        told = answer["data"][0]
        label, scores = str(told["label"]).upper(), told["probs"]
        score = float(max(scores))
        if not 0 <= score <= 1:
            raise ValueError("a probability is from 0 to 1")
        if label in self._BENIGN:
            return []
        return [self._HAZARDS[label, len(scores)]._replace(score=score)]

    def categories(self, criteria: Sequence[str]) -> Sequence[CategoryName]:
        """Attacks on a prompt, and nothing else."""
        return [CategoryName.JAILBREAK, CategoryName.PROMPT_INJECTION]


FAMILIES: dict[str, Family] = {
    "llama_guard": LlamaGuard(),
    "granite_guardian": GraniteGuardian(),
    "prompt_guard": PromptGuard(),
}
