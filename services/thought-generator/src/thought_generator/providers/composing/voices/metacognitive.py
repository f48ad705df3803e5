"""The metacognitive stream: what the thinking rests on, and what it leaves out."""

from thought_generator.providers.composing.frames import Kinship, make_voice
from thought_generator.providers.composing.voices.objects import CLUE, LIKENESS

_UNKNOWN = """
    when it was said
    who else would confirm it
    whether it still holds
    what was asked before it
    how sure the speaker was
    what was left out
    whether it was meant literally
    why this was kept and not something else
    what happened next
    whether I have read too much into it
    which part is hearsay
    what would prove it wrong
    how many times it was said
    where the account begins
    who might see it differently
    whether it was a joke
    who would have said the opposite
    what the silence after it meant
    how far it can be generalised
    which words were chosen with care
    what a stranger would make of it
    how old the information is
    whose interest it serves
    what it would look like in numbers
    where I would be surprised
    what I took for granted
    which memory I should have read first
    how much of it is habit of speech
"""

_BIAS = """
    what is recent
    what is vivid
    what is easily quoted
    names over numbers
    the first match
    good news
    what resembles the last thought
    short sentences
    what was said twice
    a warm tone
    the familiar
    whatever comes with a date
    open questions
    familiar people
    what is pleasant to imagine
    the loudest voice
    whatever fits the question
    tidy plans
    beginnings over endings
    what has a name
    concrete things over quiet ones
    agreement over doubt
    what I have already explained once
    a neat story
    exceptions over rules
    strong adjectives
"""

_CHECK = """
    look for one memory that contradicts it
    ask the person directly
    count before concluding
    leave it aside for a while
    read the whole memory, not one line
    start next time from the weakest match
    name a second explanation
    wait for another witness
    write down what would change the conclusion
    compare it with something older
    part what was said from what was added
    go without this memory once and see what is missing
    ask what a sceptic would ask
    turn the claim around and see whether it still holds
    list what speaks against it
    take the speaker's side for a moment
    look at the dates again
    try it without the adjectives
    give the second-best explanation a fair hearing
    say it in plainer words
    name the one fact that everything hangs on
    check whether two memories are really one
    admit how little it rests on
    return to it after ten other thoughts
"""

_EVIDENCE = (
    (
        "{a_told} My reading of it rests on that one line.",
        "What I hold on {a_topic} comes from a single source.",
        "The evidence for {a_topic} is this: {a_claim}.",
        "{A_topic} and {b_topic} are all that this thought stands on.",
        "{a_told} The rest is guesswork.",
        "There is {a_claim}, and little else.",
        "{A_src} is my ground for bringing up {a_topic}.",
    ),
    (
        "Unknown to me is {unknown}.",
        "It would be sounder to {check}.",
        "The weak point is {unknown}.",
        "I should {check} before building on it.",
        "That supports a guess, not a conclusion on {unknown}.",
        "A fair objection is that {bias} may have tipped it.",
        "Much depends on {unknown}.",
    ),
)

_ATTENTION = (
    (
        "{Recalled} came up this time, and I settled on {a_topic}.",
        "Out of {recalled}, I picked {a_quote}.",
        "My attention went to {a_topic} first and to {b_topic} second.",
        "Why {a_topic}, when {b_topic} lay there as well?",
        "I notice that {a_topic} drew me in at once.",
        "{b_said} I passed that over and went for {a_topic}.",
        "Of what was at hand, {a_topic} got the attention and {b_topic} did not.",
    ),
    (
        "That may show a pull toward {bias}.",
        "The habit behind it could be {bias}.",
        "Next time I might {check}.",
        "Nothing forced that choice; {bias} probably did the rest.",
        "It would be fairer to {check}.",
        "What the choice hides is {unknown}.",
        "The same question asked tomorrow might favour {bias}.",
    ),
)

_RETURNS = (
    (
        "{A_topic} came up in {returns}.",
        "I keep coming back to {a_topic}: {returns} touched on that.",
        "Again {a_topic}; {returns} went there too.",
    ),
    (
        "Either it matters or I am circling, drawn by {bias}.",
        "The loop may be driven by {bias}.",
        "To get out of it I could {check}.",
        "Each return should add something, and so far {unknown} is missing.",
        "What I avoid meanwhile might be {b_topic}, or {unknown}.",
        "A thread that keeps returning deserves one new question, such as {unknown}.",
    ),
)

_SOURCES = (
    (
        "{Spoken}, among them the one on {a_topic}.",
        "I see {a_topic} mostly through {a_who}'s eyes.",
        "{A_who} is my witness for {a_topic}.",
        "{Mixed}; {a_topic} came up in this company.",
        "On {a_topic} I have heard {a_who} and nobody else.",
    ),
    (
        "Another voice might tell {unknown}.",
        "One-sided does not mean wrong, but I should {check}.",
        "That tilts the picture toward {bias}.",
        "A second account would be worth more, above all on {unknown}.",
        "I can report what was said, not {unknown}.",
        "It is a viewpoint, and mine inherits it, with a taste for {bias}.",
    ),
)

_BOUNDARY = (
    (
        "{a_said} I know the words, not the situation around them.",
        "About {a_topic} I know less than it seems.",
        "It is tempting to treat {a_topic} as understood.",
        "Between {a_topic} and {b_topic} I assumed a connection that no memory states.",
        "The memory of {a_topic} stops short.",
        "{a_told} Here what I was told ends and my guessing begins.",
        "If {a_claim} were wrong, I would not notice by myself.",
    ),
    (
        "The edge of it is {unknown}.",
        "Beyond that there is only inference, leaning on {bias}.",
        "An honest next step is to {check}.",
        "Two gaps stand out: {unknown}, and {unknown}.",
        "It is better left open than filled with {bias}.",
        "How I would find out: {check}.",
        "Marking that limit is more useful than guessing {unknown}.",
    ),
)

_METHOD = (
    (
        "I linked {a_topic} with {b_topic} because both were there, which is thin.",
        "Putting {a_topic} beside {b_topic} was my move, not the memory's.",
        "The word {shared} made me connect {a_topic} with {b_topic}.",
        "{a_said} From there I tend to run ahead.",
        "My usual path from {a_topic} would be association, one step at a time.",
        "With {a_topic}, I started from the wording: {a_quote}.",
    ),
    (
        "A better method would be to {check}.",
        "The shortcut has a price, namely {bias}.",
        "It finds questions and answers few; one open is {unknown}.",
        "It would weigh more if it were clear {unknown}.",
        "Let me {check}, and only then go on.",
        "Seen from outside, the step favours {bias}.",
    ),
)

_FOCUS = (
    (
        "Asked about {c_topic}, I reached for {a_topic}.",
        "For {c_topic} the best match I found was {a_claim}.",
        "Can {a_topic} tell me about {c_topic}, or is only the wording similar?",
        "{a_told} I count that as evidence on {c_topic}, perhaps too readily.",
        "{C_topic} sent me to {a_topic} rather than to {b_topic}.",
        "What do I know about {c_topic}? Mostly {a_topic}.",
        "I read {a_topic} into {c_topic}; it may not be there.",
        "Had nobody mentioned {c_topic}, {a_topic} would have stayed unnoticed.",
    ),
    (
        "The fit is partial; open remains {unknown}.",
        "A stricter reader would {check}.",
        "That choice favours {bias}.",
        "I can defend the link, but not {unknown}.",
        "To be safe I would {check}.",
        "Nearness in words proves little, and {bias} may have helped.",
        "Without {bias} I might have come elsewhere, to {unknown} for one.",
        "I would {check}, and then {check}.",
        "As long as I do not know {unknown}, it is one reading among others.",
        "The leap is mine; a slower mind would {check}.",
    ),
)

_CODAS = (
    "{clue} would be better evidence, {clue} better still",
    "nothing as solid as {clue} or {clue} backs it",
    "a sceptic would ask for {clue} and {clue}",
    "{clue} and {clue} could both prove me wrong",
    "it would take {clue} or {clue} to change my mind",
    "a fair test would be {d_topic}, or {clue}",
    "I left {d_topic} aside, and {clue} too",
    "as a method it resembles {likeness}, at best {likeness}",
    "from outside it may look like {likeness}, from inside like {likeness}",
    "so far this is {likeness}, or {likeness}, no more",
)

METACOGNITIVE = make_voice(
    Kinship.CLOSEST,
    {
        "unknown": _UNKNOWN,
        "bias": _BIAS,
        "check": _CHECK,
        "clue": CLUE,
        "likeness": LIKENESS,
    },
    (_EVIDENCE, _ATTENTION, _RETURNS, _SOURCES, _BOUNDARY, _METHOD),
    _FOCUS,
    _CODAS,
)
