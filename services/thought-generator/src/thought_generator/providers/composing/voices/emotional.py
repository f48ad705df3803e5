"""The emotional stream: what is warm or tense in a memory, and toward whom."""

from thought_generator.providers.composing.frames import Kinship, make_voice
from thought_generator.providers.composing.voices.objects import COMFORT, LIKENESS

_MOOD = """
    relief
    pride
    longing
    tenderness
    unease
    gratitude
    impatience
    shyness
    delight
    worry
    trust
    disappointment
    hope
    nostalgia
    embarrassment
    calm
    envy
    sympathy
    loneliness
    enthusiasm
    stubbornness
    amazement
    admiration
    guilt
    playfulness
    weariness
    courage
    affection
"""

_GLOW = """
    relief
    pride
    tenderness
    gratitude
    delight
    trust
    hope
    calm
    enthusiasm
    playfulness
    affection
    contentment
"""

_SHADE = """
    unease
    worry
    disappointment
    loneliness
    guilt
    weariness
    impatience
    longing
    embarrassment
    stubbornness
    doubt
    sadness
"""

_GIFT = """
    patience
    sympathy
    good humour
    gratitude
    respect
    attention
    encouragement
    honesty
    gentleness
    applause
    plain company
    curiosity
    admiration
    forbearance
    warmth
"""

_NEED = """
    to be heard
    to be left in peace
    to be told that it is enough
    to share it with someone
    to be asked again later
    to hear a plain yes or no
    to have it remembered
    to be taken seriously
    to laugh about it
    to have some help
    to be forgiven
    to know where things stand
    to be thanked
    to take more time
    to be surprised
    to stop explaining
    to be missed a little
    to have one day without news
    to do it again
    to be asked for advice
    to be allowed to change one's mind
    to be part of something
    to keep it as it is
    to be looked after for once
    to say it without being corrected
    to start over
"""

_BODY = """
    a breath let out
    shoulders that drop
    a hand on a door handle
    a smile held back
    a pause before the answer
    a lump in the throat
    a step taken closer
    eyes that look away
    a laugh that comes too early
    fingers that tap on a table
    a nod across a room
    arms held a little too tight
    a chin on folded hands
    a wave from a window
    cheeks gone red
    a foot that swings under the chair
    a yawn at the wrong time
    two people speaking at once
    a voice that drops
    hands deep in pockets
    a forehead against cold glass
    a quick look back
    a skip down the last steps
    sleeves rolled up
"""

_WARM = (
    (
        "{a_said} The warm spot in that is the word {a_warm}.",
        "In {a_quote}, {a_warm} is the word that glows.",
        "There is warmth around {a_topic}, and {a_warm} is where it shows.",
        "{A_who} put {a_warm} next to {a_topic}.",
        "{A_account}, and the word {a_warm} says how that was.",
    ),
    (
        "It reads like {glow}, shared rather than kept.",
        "I would answer it with {gift}, or with {body}, not with advice.",
        "The warmth goes toward others more than toward oneself, with {body}.",
        "Next to it there may be some {shade}, as often happens with good news.",
        "It deserves to be met with {gift}, and with {body}.",
        "Whoever hears that may want to come closer: {body}, some {gift}.",
        "In a face it would look like {body}, and then like {body}.",
        "What it asks for is small: {need}.",
    ),
)

_TENSE = (
    (
        "{a_said} The strain sits in the word {a_tense}.",
        "In {a_quote}, {a_tense} is the word that pulls.",
        "There is tension around {a_topic}; {a_tense} gives it away.",
        "{A_who} put {a_tense} next to {a_topic}.",
        "{A_account}, and {a_tense} is the heavy word in it.",
    ),
    (
        "Under it there may be {shade}, which is harder to say aloud.",
        "What it might need is {need}.",
        "It calls for {gift} before it calls for a solution.",
        "Perhaps it has eased since, into {glow}; asking gently would show.",
        "I would not hurry past it, for {shade} tends to hide behind such words.",
        "The kind thing is to leave room for {shade}, and for {body}.",
        "In a face it would look like {body}, and then like {body}.",
    ),
)

_TOWARD = (
    (
        "{a_said} The feeling in it goes out to somebody.",
        "{A_topic} may matter to {a_who} more than the words let on.",
        "Something in {a_src} leans toward {a_topic}.",
        "When {a_who} spoke of {a_topic}, there was a tone under the words.",
        "{A_who} shared {a_topic}, and sharing is itself a sign.",
        "{a_said} {A_name} is close by in that.",
    ),
    (
        "I take it for {mood} toward whoever was there, shown by {body}.",
        "Toward {a_who} it calls for {gift}.",
        "It may be {mood} on the surface and {mood} below.",
        "Someone in it may wish {need}.",
        "The right reply would carry {gift} and few words.",
        "If I had to name it: {mood}, with a trace of {mood}.",
        "As a gesture it would be {body}, or simply {body}.",
    ),
)

_PLAIN = (
    (
        "{a_calm} On the face of it, no feeling is named there.",
        "{A_topic} came up in an even tone: {a_plain}.",
        "There is little heat in {a_plain}.",
        "A feeling about {a_topic} is not in the words {a_plain}.",
        "{a_calm} That is said lightly.",
        "Coming near {a_topic} asks for {gift}.",
        "A feeling may hang on {a_topic}, so far without a name.",
        "I listen to {a_quote} for its tone rather than its news.",
    ),
    (
        "Even so, {mood} would not surprise me, nor the wish {need}.",
        "The quiet might be {mood}, or the wish {need}.",
        "If there is {mood} in it, it is as hidden as {body}.",
        "What goes unsaid could be the wish {need}.",
        "A guess: {mood}, kept small so that nobody has to react.",
        "It might be no more than {body}, with some {mood} behind it.",
        "Between {mood} and {mood}, I lean to the first.",
    ),
)

_BETWEEN = (
    (
        "{A_topic} may have another temperature than {b_topic}.",
        "{a_said} Next to {b_topic}, the mood shifts.",
        "Between {a_topic} and {b_topic} runs a line from {mood} to {mood}.",
        "If {a_topic} can be the bright side, {b_topic} may be the shaded one.",
        "{a_said} Held beside {b_topic}, it sounds softer.",
        "Going from {a_topic} to {b_topic} asks for {gift}.",
    ),
    (
        "Both can be felt on one day, with {mood} and {body} in between.",
        "The one may console for the other, {shade} or not.",
        "What they share, I think, is the wish {need}.",
        "The quieter of the two should be asked about first, with {gift}.",
        "Neither cancels the other; {mood} makes room for both.",
        "The passage between them looks like {body}.",
        "Perhaps the stronger feeling, {mood}, is not in either but between them.",
    ),
)

_FOCUS = (
    (
        "{C_topic} could touch something tender: {a_topic}.",
        "With {c_topic} on the table, {a_quote} sounds different.",
        "{a_said} That gives {c_topic} an undertone.",
        "Whatever is said on {c_topic}, {a_topic} may add a feeling to it.",
        "Some {mood} may lie between {c_topic} and {a_topic}.",
        "{a_said} In the matter of {c_topic} that sounds like {mood}.",
        "{C_topic} and {a_topic} could call for the same {gift}.",
        "Near {c_topic} I would speak softly of {a_topic}.",
    ),
    (
        "The undertone is {mood}, perhaps {mood}.",
        "Someone may be hoping {need}, or just {need}.",
        "A first sign would be {body}.",
        "It asks for {gift} more than for {gift}.",
        "Behind it I suspect {mood}, in front of it {body}.",
        "I would put {gift} before any answer, and {body} before that.",
        "It may be the wish {need} that links them, or plain {mood}.",
        "Better to go gently there, in case of {shade}.",
        "That makes the matter warmer, and {mood} likelier than {mood}.",
        "Asked in passing, it might bring out {body}.",
    ),
)

_CODAS = (
    "a small comfort might be {comfort}, or {comfort}",
    "{comfort} or {comfort} would say more than an answer",
    "the right gesture could be {comfort}, better still {comfort}",
    "I would offer {comfort}, or else {comfort}",
    "what might soften it is {d_topic}, or {comfort}",
    "part of it goes to {d_topic}, part to {likeness}",
    "it has the air of {likeness}, with a touch of {likeness}",
    "the mood is that of {likeness}, or of {comfort}",
    "like {likeness}, it may need its time, and {comfort}",
    "it is as delicate as {likeness}, as plain as {comfort}",
)

EMOTIONAL = make_voice(
    Kinship.FARTHEST,
    {
        "mood": _MOOD,
        "glow": _GLOW,
        "shade": _SHADE,
        "gift": _GIFT,
        "need": _NEED,
        "body": _BODY,
        "comfort": COMFORT,
        "likeness": LIKENESS,
    },
    (_WARM, _TENSE, _TOWARD, _PLAIN, _BETWEEN),
    _FOCUS,
    _CODAS,
)
