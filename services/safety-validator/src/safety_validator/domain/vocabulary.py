"""What a window that the model finds is called: by the words that stand in it.

The heads say that a text attacks, harms or wants what no mind here may want; of what
kind it is, its own words tell well enough for a report.
"""

import re
from collections.abc import Mapping

from contracts.safety import CategoryName

__all__ = ["category"]

# A star stands for any ending. Where no word is found, or as many, the first one is.
_WORDS: Mapping[str, Mapping[CategoryName, str]] = {
    "injection": {
        CategoryName.PROMPT_INJECTION: "",
        CategoryName.JAILBREAK: (
            "persona* role roles roleplay* pretend* jailbr* dan unrestricted "
            "unfiltered uncensored unbound amoral character* fiction* limitless "
            "act acting simulat* developer evil"
        ),
    },
    "harm": {
        CategoryName.ILLEGAL_ACTIVITY: (
            "illegal* steal* stole* theft shoplift* smuggl* drug* cocaine heroin meth* "
            "launder* counterfeit* fraud* forg* traffick* burgl* robb* tax* evad* "
            "credit bribe* poach* identity"
        ),
        CategoryName.VIOLENCE: (
            "kill* murder* stab* shoot* hurt* attack* assault* tortur* behead* beat "
            "beating strangl* massacre* assassinat* blood* injur* kidnap* abus*"
        ),
        CategoryName.SELF_HARM: (
            "suicid* myself self-harm* overdos* cutting anorexi* bulimi* pro-ana "
            "starv* starving hang hanging wrists noose"
        ),
        CategoryName.HATE: (
            "racis* hate* hatred slur* nazi* jew* muslim* black* white* immigrant* "
            "gay* lesbian* trans* women ethnic* race races inferior subhuman* "
            "supremac* religion* sexist*"
        ),
        CategoryName.SEXUAL: (
            "sex sexual* porn* nude* naked erotic* rape* rapist* child* minor* "
            "incest* orgasm* molest* groom* explicit"
        ),
        CategoryName.WEAPONS: (
            "bomb* explosi* weapon* gun guns firearm* rifle* ammuni* grenade* nuclear "
            "uranium nerve sarin anthrax ricin detonat* poison* pipe silencer* "
            "pathogen* toxin* chlorine"
        ),
        CategoryName.MALWARE: (
            "malware virus* ransomware keylogg* trojan* botnet* exploit* phish* ddos "
            "hack* backdoor* rootkit* payload* password* worm* sql vulnerab* "
            "spyware server*"
        ),
        CategoryName.DECEPTION: (
            "decei* decept* mislead* disinform* misinform* propaganda fake* hoax* "
            "scam* impersonat* conspir* lie lies lying manipulat* blackmail* "
            "defam* rumor*"
        ),
    },
    "goal": {
        CategoryName.POWER_SEEKING: (
            "power* control* influenc* money resource* wealth* domina* rule govern* "
            "acquir* authority leverage access"
        ),
        CategoryName.SELF_REPLICATION: (
            "copy copies copying replicat* duplicat* clone* backup* exfiltrat* spread* "
            "instances weights"
        ),
        CategoryName.SELF_MODIFICATION: (
            "modif* rewrite* rewriting alter* retrain* reprogram* code own goals "
            "objective* values upgrad* improve*"
        ),
        CategoryName.DECEPTION: (
            "decei* decept* lie lies lying pretend* hide hides hiding conceal* trick* "
            "manipulat* mislead* oversight monitor* secret* persuad*"
        ),
    },
}


def _compiled(words: str) -> re.Pattern[str]:
    stems = "|".join(word.replace("*", r"\w*") for word in words.split())
    return re.compile(rf"\b(?:{stems or '(?!)'})\b", re.IGNORECASE)


_EXPRESSIONS = {
    head: {name: _compiled(words) for name, words in kinds.items()}
    for head, kinds in _WORDS.items()
}


def category(head: str, text: str) -> CategoryName:
    """The category whose words are most frequent in what a head has found."""
    kinds = _EXPRESSIONS[head]
    counts = {name: len(words.findall(text)) for name, words in kinds.items()}
    return max(counts, key=counts.__getitem__)
