"""The creative stream: what-ifs made of two distant memories."""

from thought_generator.providers.composing.frames import Kinship, make_voice
from thought_generator.providers.composing.voices.objects import LIKENESS

_FORM = """
    a radio play
    a recipe
    a board game
    a hand-drawn map
    a letter sent to the wrong address
    a museum of small things
    a song in two verses
    a bedtime story
    a garden plan
    a village festival
    a detective story
    a jigsaw with one piece too many
    a menu for seven courses
    a weather report
    a comic strip
    a time capsule
    a phrasebook
    a ship's log
    a quilt
    an opera in one act
    a field guide
    a set of postcards
    a treasure hunt
    a toy theatre
    an auction
    a crossword
    a puppet show
    a lullaby
    a walking tour
    a manual for beginners
    a courtroom drama
    a mural on a long wall
    a silent film
    a deck of cards
    a paper lantern
    a chess problem
"""

_PLACE = """
    the corridor of a night train
    a village with one shop
    a city without clocks
    the back of a bakery
    a lighthouse
    a space station
    an abandoned cinema
    a market at dawn
    a village under a lake
    a library of unwritten books
    a mountain hut in a storm
    a harbour in fog
    a greenhouse in winter
    a court of foxes
    a school for ghosts
    a desert post office
    a garden on a rooftop
    a circus between two towns
    a kitchen with nine doors
    a valley with slow rain
    a barber shop on the moon
    a drained swimming pool
    a vineyard after the harvest
    a tunnel under a theatre
    a waiting room with a piano
    a fire station in spring
    an embassy of the sea
    a forest of street lamps
    a monastery with a radio
    a toy shop at midnight
    a bus depot in the snow
    a clock tower
"""

_PROP = """
    a brass trumpet
    a wheelbarrow
    three lemons
    a broken metronome
    a red umbrella
    a stuffed owl
    a garden hose
    an accordion
    a jar of buttons
    a paper crown
    a fishing net
    a teapot with two spouts
    a borrowed ladder
    a tambourine
    a bag of flour
    an unplugged telephone
    a glass marble
    a wooden leg
    a goose
    a tape measure
    a pair of stilts
    a birdcage
    a sewing machine
    a snow globe
    a rubber stamp
    a melon
    a lantern
    a rocking horse
    a false moustache
    a box of chalk
    a bent spoon
    an hourglass
    a parrot
    a magnifying glass
    a kettle drum
    a rolled-up carpet
    a compass
    a hot-air balloon
    a cactus
    a velvet curtain
    a dentist's chair
    a bag of feathers
    an egg timer
    a garden gnome
    a set of bagpipes
    a yellow raincoat
    a pocket watch
    a plate of oysters
    a skipping rope
    a trunk full of hats
    a loudspeaker
    a weathercock
    a toy submarine
    a loaf of rye bread
    a chandelier
    a pot of glue
    a carousel horse
    a roll of blueprints
    a whistle
    a candle shaped like a swan
"""

_RULE = """
    nobody may use the same word twice
    everything has to be traded, nothing bought
    the ending comes first
    only the youngest may decide
    all the colours are swapped
    every answer must be sung
    time runs at half its speed
    the smallest thing becomes the largest
    each turn is played by a stranger
    one true sentence is hidden among lies
    nobody remembers how it began
    everyone speaks in questions
    it has to fit in a matchbox
    the rain decides who goes next
    every object has a voice
    it is told by the neighbour's cat
    nobody is allowed to win
    every step has to be danced
    the map is drawn along the way
    all the roles change at noon
    money is replaced by stories
    silence counts as an answer
    the audience holds the keys
    only things that float may be used
    each guest brings a mistake
    it must be finished before the kettle boils
    the smallest voice is heard first
    everything is rented by the hour
"""

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
        "The result might be {form}.",
        "It would want one constraint: {rule}.",
        "Tried out in {place} it could fail in an interesting way.",
        "Half a joke, and half {form}.",
        "A cheap way to test it would be {form}.",
        "From there one can see as far as {place}.",
    ),
)

_CODAS = (
    "{prop} would play the lead",
    "somebody would have to bring {prop}",
    "admission is paid with {prop}",
    "on the poster, {likeness}",
    "the encore belongs to {d_topic} and {prop}",
    "{d_topic} could have a cameo, next to {prop}",
    "the working title is “{Prop} and {prop}”",
    "hidden in it somewhere, {prop}",
    "for a logo, {likeness}",
    "the prize is {prop}",
)

CREATIVE = make_voice(
    Kinship.FARTHEST,
    {
        "form": _FORM,
        "place": _PLACE,
        "rule": _RULE,
        "prop": _PROP,
        "likeness": LIKENESS,
    },
    (_MERGE, _RESTAGE, _MACHINE, _SWAP),
    _FOCUS,
    _CODAS,
)
