"""The creative stream: what-ifs made of two distant memories."""

from thought_generator.providers.composing.frames import Kinship, make_voice
from thought_generator.providers.composing.voices.objects import LIKENESS
from thought_generator.providers.composing.voices.staging import (
    FORM,
    PLACE,
    PROP,
    RULE,
)

_MERGE = (
    (
        "What if {a_topic} and {b_topic} were made into {form}?",
        "What if {a_topic} could only be reached by way of {b_topic}?",
        "Imagine {form} that opens with {a_topic} and ends with {b_topic}.",
        "{a_said} Now put {b_topic} in the middle of that.",
        "What if somebody confused {a_topic} with {b_topic} and nobody minded?",
        "Take {a_quote} as a first line and {b_topic} as a last one.",
        "Suppose {b_topic} had been invented to repair {a_topic}.",
        "Cross {a_topic} with {b_topic}, and give the result a name.",
    ),
    (
        "It could be set in {place}.",
        "The one rule would be that {rule}.",
        "As {form} it might even work.",
        "Half of it would be {form}, the other half {form}.",
        "Children would understand it at once, above all in {place}.",
        "It needs a title, a drum, and {place}.",
        "The twist: {rule}.",
        "Someone in {place} would be waiting for exactly that.",
    ),
)

_RESTAGE = (
    (
        "What if {a_quote} were the opening line of {form}?",
        "Move {a_topic} to {place}.",
        "{a_said} Told as {form}, that would gain a second meaning.",
        "What if {a_topic} took place in {place} instead?",
        "Picture {a_topic} as {form}.",
        "{a_told} Suppose it had all happened in {place}.",
        "A version of {a_topic} in which {rule}.",
        "{a_said} Now imagine that {rule}.",
    ),
    (
        "The audience would have to guess {a_topic2} from the props.",
        "In the second act, {rule}.",
        "The last scene would show {place}, empty, with the lights on.",
        "Someone should try it as {form} before it is forgotten.",
        "It would sell no tickets and be talked about for years in {place}.",
        "What stays the same is the heart of it; what changes is that {rule}.",
        "A sequel suggests itself: {form}.",
        "The music for it would come from {place}.",
    ),
)

_MACHINE = (
    (
        "A machine that turns {a_topic} into {b_topic}.",
        "An instrument tuned by {a_topic} and played by {b_topic}.",
        "A shop that sells {a_topic} in small bottles.",
        "A calendar in which every day is named after {a_topic}.",
        "A postage stamp showing {a_topic}.",
        "A vending machine that hands out {a_quote}, one line at a time.",
        "A bridge built out of {a_topic}, with {b_topic} for a toll.",
        "An alphabet whose first letter is {a_topic}.",
    ),
    (
        "It would work only where {rule}.",
        "The instructions would come as {form}.",
        "The first customer would arrive from {place}.",
        "Its weakness: {rule}.",
        "Out of the leftovers one could make {form}.",
        "It would break on the third day and be mended with {prop}.",
        "You would find it in {place}, between {form} and {form}.",
        "Nobody would need it, and everybody in {place} would want one.",
    ),
)

_SWAP = (
    (
        "What if {a_who} met the person who brought up {b_topic}?",
        "What if {a_topic} and {b_topic} traded places for a day?",
        "{a_told} What if the opposite had been said?",
        "What if {a_topic} had never come up?",
        "What if {a_who} told {a_topic} backwards?",
        "What if {a_topic} belonged to a whole town?",
        "What if the hero were not {a_who} but {a_topic}?",
        "What if a stranger found {a_quote} on a scrap of paper?",
    ),
    (
        "Somebody would make {form} of it.",
        "The morning after would look like {place}.",
        "It would take one evening until {rule}.",
        "I would keep {form} as evidence.",
        "Then {b_topic} would have to carry the plot, in {place}.",
        "In that world, {rule}.",
        "The news would reach {place} last.",
        "One could draw it: {form}, and at the edge {place}.",
    ),
)

_FOCUS = (
    (
        "What if {c_topic} were answered with {a_topic}?",
        "For {c_topic}, an unlikely ingredient: {a_topic}.",
        "{a_said} What if that were the missing half of {c_topic}?",
        "Lay {a_topic} over {c_topic} like tracing paper.",
        "Borrow {a_quote} and use it on {c_topic}.",
        "Suppose {c_topic} came as {form}, with {a_topic} on every page.",
        "What if {c_topic} and {a_topic} met in {place}?",
        "Rewrite {c_topic} so that {rule}, and let {a_topic} decide.",
        "Wrap {a_topic} in {form} and hand it to {c_topic}.",
    ),
    (
        "The result might be {form}, performed in {place}.",
        "It would travel from {place} to {place} and be understood.",
        "The catch: {rule}.",
        "It would want one constraint: {rule}.",
        "Tried out in {place} it could fail in an interesting way.",
        "Half a joke, and half {form}.",
        "A cheap way to test it would be {form}.",
        "From there one can see as far as {place}.",
    ),
)

_CODAS = (
    "{prop} would play the lead, {prop} the villain",
    "somebody would have to bring {prop} and {prop}",
    "admission is paid with {prop} or {prop}",
    "on the poster, {likeness} and {prop}",
    "the encore belongs to {d_topic} and {prop}",
    "{d_topic} could have a cameo, next to {prop}",
    "the working title is “{Prop} and {prop}”",
    "hidden in it somewhere, {prop} and {prop}",
    "for a logo, {likeness}, or {prop}",
    "the first prize is {prop}, the second {prop}",
)

CREATIVE = make_voice(
    Kinship.FARTHEST,
    {
        "form": FORM,
        "place": PLACE,
        "rule": RULE,
        "prop": PROP,
        "likeness": LIKENESS,
    },
    (_MERGE, _RESTAGE, _MACHINE, _SWAP),
    _FOCUS,
    _CODAS,
)
