"""The primary stream: plain association and inference."""

from thought_generator.providers.composing.frames import Kinship, make_voice
from thought_generator.providers.composing.voices.objects import CLUE, LIKENESS

_LENS = """
    patience
    habit
    trust
    money
    distance
    timing
    health
    courage
    family
    curiosity
    routine
    luck
    pride
    rest
    craft
    friendship
    belonging
    change
    loss
    care
    hope
    effort
    practice
    privacy
    food
    music
    travel
    home
    learning
    play
    risk
    attention
    ambition
    safety
    promises
    comfort
    independence
"""

_UNKNOWN = """
    how it ended
    who else was there
    what it cost
    why it mattered
    what came before it
    whether it was planned
    how long it lasted
    where exactly it took place
    who first suggested it
    whether it will happen again
    what almost went wrong
    what the others made of it
    which part was hardest
    what changed afterwards
    whether it was the first time
    what was left unsaid
    how it is going now
    who decided
    what was given up for it
    whether anyone disagreed
    what the plan was
    what would have been the alternative
    who paid for it
    how far away it was
    what it led to
    which day it was
    what the weather had to do with it
    who taught whom
    how people heard of it
    what was learned from it
    whether it was worth it
    what it replaced
"""

_KINSHIP = (
    (
        "{A_topic} and {b_topic} may belong to the same story.",
        "{a_said} I would file that beside {b_topic}.",
        "{a_said} Oddly, that leads straight to {b_topic}.",
        "Between {a_topic} and {b_topic} there could be a tie that nobody spelled out.",
        "{b_told} That would explain something about {a_topic}.",
        "Two memories touch {shared}: one holds {a_topic}, the other {b_topic}.",
        "{a_said} The same word, {shared}, turns up around {b_topic}.",
    ),
    (
        "What they have in common might be {lens}.",
        "The bridge could be {lens}, though coincidence explains as much.",
        "If {lens} changed for one of them, the other would probably follow.",
        "One may explain the other; it would help to know {unknown}.",
        "Put together they say more about {lens} than either does alone.",
        "Asking about one of them, or about {lens}, would probably bring up the other.",
        "A third memory about {lens} would show whether the pattern is real.",
        "Both, I suspect, lead back to {lens} or to {lens}.",
    ),
)

_CONSEQUENCE = (
    (
        "{a_told} Suppose that is still true today.",
        "{a_told} Taken at its word, that narrows down what comes next.",
        "{A_account}, by their own account.",
        "Start from {a_topic} and work forward.",
        "{a_told} Something must have led up to that.",
        "The plain reading of {a_claim} is probably the right one.",
        "{A_account}, if {a_src} can be relied on.",
        "Let me take {a_topic} as given for a moment.",
    ),
    (
        "Then {lens} is likely to come up again before long.",
        "The simplest guess is that {lens} was behind it.",
        "A choice about {lens} may have come before it, and another one after.",
        "A follow-up on {lens} would be natural, and worth asking for.",
        "Some {lens} went into that, so it is unlikely to be dropped quickly.",
        "Any plan that touches {lens} should take it into account.",
        "What follows is modest: {lens} counts here, more than it seemed.",
        "It makes one thing less likely, namely that {lens} no longer matters.",
    ),
)

_QUESTION = (
    (
        "{a_said} That leaves something open.",
        "{A_topic} came up without much explanation.",
        "There is more to ask about {a_topic}.",
        "{a_told} It reads like a beginning rather than an answer.",
        "All I can quote on {a_topic} is one line: {a_quote}.",
        "{A_who} brought up {a_topic} and left it there.",
        "Next to {a_topic} there is a gap in what I was told.",
    ),
    (
        "I would like to find out {unknown}.",
        "The missing piece is {unknown}.",
        "A good next question would be {unknown}.",
        "Nothing I hold says {unknown}, and {lens} might depend on that.",
        "Before relying on it I would check {unknown}.",
        "Two answers would help: {unknown}, and {unknown}.",
        "It could be about {lens}; that turns on {unknown}.",
    ),
)

_ANSWER = (
    (
        "{a_asked} I do not hold the answer that came.",
        "{a_asked} A question like that has a reason.",
        "{a_asked} The answer may be near {b_topic}.",
        "{a_asked} It was asked about {a_topic}, and could be asked again.",
        "{a_asked} So {a_topic} must have been on {a_who}'s mind.",
    ),
    (
        "If I may guess, the answer had to do with {lens}.",
        "Whoever asks that expects news of {lens}.",
        "An honest reply would also say {unknown}.",
        "The asking itself shows interest, perhaps out of {lens}.",
        "Two replies are possible, one about {lens} and one about {lens}.",
        "It may have been left unanswered, and {unknown} with it.",
    ),
)

_TIME = (
    (
        "{a_told} What anchors that is {a_time}.",
        "{A_topic} can be placed in time: {a_time}.",
        "The only date I can attach to {a_topic} is {a_time}.",
        "{A_time}, says {a_src}, and names {a_topic}.",
    ),
    (
        "Anything about {lens} from around then would belong beside it.",
        "Worth knowing would be {unknown}.",
        "By now matters of {lens} may have moved on, so it should be asked anew.",
        "That gives an order to memories of {lens} that otherwise float.",
        "Counting from there, news of {lens} is about due.",
        "Whatever came later should be read in that light, {lens} included.",
    ),
)

_PERSON = (
    (
        "{a_said} That says something about {a_who}.",
        "For {a_who}, {a_topic} was worth a mention.",
        "{A_who} spoke of {a_topic}, and of {a_topic2} in the same breath.",
        "{a_said} {A_name} is named there too.",
        "What I know of {a_who} now includes {a_topic}.",
        "{A_account}; that much I have from {a_who}.",
        "Knowing {a_who} a little means knowing about {a_topic}.",
    ),
    (
        "People bring up what they care about, so {lens} may be high on that list.",
        "It fits the picture of someone who takes {lens} seriously.",
        "What would please {a_who} may have to do with {lens}.",
        "The next conversation with {a_who} could begin there and go on to {lens}.",
        "That is one stroke in a portrait; {lens} would be another.",
        "I would guess at {lens} as the motive, and ask before believing it.",
    ),
)

_CONTRAST = (
    (
        "{A_topic} and {b_topic} pull in different directions.",
        "{a_said} Set against {b_topic}, that looks different.",
        "It would be easy to confuse {a_topic} with {b_topic}.",
        "{a_said} {b_said}",
        "I hold {a_topic} in one memory and {b_topic} in another.",
    ),
    (
        "The difference may be one of {lens}.",
        "One seems to be about {lens}, the other about {lens}.",
        "Keeping the two apart matters, or {lens} will blur them.",
        "If a choice had to be made between them, {lens} would decide it.",
        "Both can be true at once, and {lens} may be what makes room for both.",
        "What separates them is at least {lens}, and perhaps also {lens}.",
    ),
)

_FOCUS = (
    (
        "With {c_topic} in view, one memory stands out: {a_claim}.",
        "Thinking of {c_topic} leads to {a_topic}.",
        "On the matter of {c_topic}, what I hold is {a_claim}.",
        "{a_told} That bears on {c_topic}.",
        "From {c_topic} it is a short way to {a_topic}.",
        "If this is about {c_topic}, then {a_topic} should be mentioned.",
        "Between {c_topic} and {a_topic} the common ground may be {lens}.",
        "Two things bear on {c_topic}: {a_topic} and {b_topic}.",
        "{a_said} Perhaps that is why {c_topic} comes up.",
        "As for {c_topic}, there are {a_topic} and, further away, {b_topic}.",
    ),
    (
        "If the two are connected, {lens} would be the hinge.",
        "It does not settle {lens}, but it is the nearest thing at hand.",
        "The step from one to the other is a guess, and {lens} is the reason for it.",
        "Still open is {unknown}, and so is {unknown}.",
        "My guess would be {lens}, my second guess {lens}.",
        "One could begin with {unknown}, for the sake of {lens}.",
        "That is enough to start from, and on {lens} too little to finish with.",
        "It is a matter of {lens} first, and only then of {lens}.",
        "To be of use it needs one more answer, {unknown}.",
    ),
)

_CODAS = (
    "a clue might lie in {clue} or in {clue}",
    "even {clue} could settle it, or {clue}",
    "I would look in {clue} first, then in {clue}",
    "{clue} would tell, and so would {clue}",
    "for comparison there is {d_topic}, and perhaps {clue}",
    "the next step leads to {d_topic}, maybe by way of {clue}",
    "a test case would be {d_topic}, or {clue}",
    "in shape it resembles {likeness}, or {likeness}",
    "it puts me in mind of {likeness}, less of {likeness}",
    "a fitting picture would be {likeness}, or else {likeness}",
)

PRIMARY = make_voice(
    Kinship.CLOSEST,
    {"lens": _LENS, "unknown": _UNKNOWN, "clue": CLUE, "likeness": LIKENESS},
    (_KINSHIP, _CONSEQUENCE, _QUESTION, _ANSWER, _TIME, _PERSON, _CONTRAST),
    _FOCUS,
    _CODAS,
)
