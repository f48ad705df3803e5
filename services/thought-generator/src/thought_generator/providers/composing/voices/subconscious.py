"""The subconscious stream: a loose chain of images."""

from thought_generator.providers.composing.frames import Kinship, make_voice
from thought_generator.providers.composing.voices.objects import LIKENESS

_IMAGE = """
    rain on a tin roof
    a lamp left on in an empty room
    a letter without a stamp
    a tide going out
    footsteps on a stair
    a drawer that will not close
    a half-tuned radio
    a kite with no string
    a boat turning at its mooring
    chalk dust in the air
    a door ajar
    a clock without hands
    a thread pulled from a sleeve
    snow over a station
    a bell under water
    bread cooling on a sill
    moths at a window
    a map folded the wrong way
    an echo in a stairwell
    a swing still moving
    salt on a window pane
    a coat over a chair
    a bicycle against a wall
    a song through a thin wall
    ink spreading in water
    a row of empty chairs
    a key for no lock
    dust in a sunbeam
    a lighthouse by day
    a ladder in an orchard
    a train that does not stop
    a pond under thin ice
    a button on the pavement
    the hum of a far engine
    a field after the fair
    a shadow longer than its tree
    a page turned by the wind
    a cup with yesterday's tea
    birds leaving a wire
    a hand drawing circles
"""

_SCENT = """
    cut grass
    wet wool
    oranges
    candle smoke
    old paper
    coffee gone cold
    pine resin
    warm dust
    sea salt
    cinnamon
    fresh paint
    rain on stone
    soap
    woodsmoke
"""

_COLOUR = """
    grey, then suddenly yellow
    the blue before morning
    a green that is nearly black
    copper
    the white of a blank page
    rust
    a thin violet
    the red behind closed eyes
    amber
    no colour at all
    silver going dull
    the brown of river water
"""

_CHAIN = (
    (
        "{A_topic}, then {image}, then {b_topic}.",
        "First {a_topic}; beside that, {image}; and further off, {b_topic}.",
        "{A_topic} folding into {b_topic}, and {image} between the two.",
        "{A_quote} … {image} … {b_topic}.",
        "From {a_topic} to {image}, from {image} to {b_topic}.",
        "{B_topic} on one shore, {a_topic} on the other.",
    ),
    (
        "Then {image}, and nothing that explains it.",
        "It comes back as {image}, in {colour}.",
        "Somewhere there, a smell of {scent}.",
        "No order in it, only {colour} and a smell of {scent}.",
        "The one slides under the other until just {image} is left.",
        "All of it hums at the pitch of {image}.",
        "Asked what links them, something says: {scent}.",
    ),
)

_DISSOLVE = (
    (
        "{a_said} The words loosen and become {image}.",
        "{A_quote}, and somewhere behind it {image}.",
        "Under {a_topic} lies {image}.",
        "{A_topic}, drifting past like {image}.",
        "{a_said} Said again more slowly, it turns into {image}.",
        "What remains of {a_topic} is {image}.",
    ),
    (
        "The colour of it is {colour}.",
        "It smells faintly of {scent}.",
        "Behind that again, {image}.",
        "It does not want to be understood, only to be near {image}.",
        "A moment later just {image}, and {scent}.",
        "Then quiet, the kind that belongs to {image}.",
        "Something in it keeps counting, and never gets past {image}.",
    ),
)

_ROOM = (
    (
        "A room where {a_topic} could be kept, and in the corner {image}.",
        "Down a corridor that ends at {a_topic}, {image}.",
        "A house with one window on {a_topic} and one on {b_topic}.",
        "On the cellar stairs {a_topic}, under the roof {image}.",
        "Someone has painted {a_topic} on the wall, over {image}.",
        "Behind a curtain, {a_quote}, spoken to nobody.",
    ),
    (
        "The light there is {colour}.",
        "The air carries {scent}, and the floor slopes a little.",
        "Whoever opens the door finds {image}.",
        "Every shelf holds {image}, and every shelf is out of reach.",
        "It has been waiting, patient as {image}.",
        "A sign says closed, in {colour}.",
        "From outside there comes {scent}, then {image}.",
    ),
)

_SOUND = (
    (
        "The sound of {a_quote} without the words.",
        "{A_topic} as a rhythm: two short, one long.",
        "Under the noise of the day {a_topic} might keep a slow beat.",
        "Only the vowels of {a_quote} are left.",
        "{a_said} The last word stays, like {image}.",
        "{A_topic} repeated until it is a murmur.",
    ),
    (
        "It rhymes with {image}, for no reason.",
        "Then the tune bends towards {b_topic}.",
        "What answers is {image}, far off.",
        "Silence after it, tasting of {scent}.",
        "One note of it is {colour}.",
        "A second voice takes it up, and that voice is {image}.",
    ),
)

_TRANSFORM = (
    (
        "{A_topic} with the roots of {image}.",
        "{A_topic} seen through water, wavering, almost {b_topic}.",
        "What if {a_topic} only ever meant {image}?",
        "{A_topic} on borrowed wings, leaving {image} behind.",
        "Turned upside down, {a_topic} may look like {image}.",
        "{a_said} The sentence melts at the edges.",
        "In another light {a_who} could be {image}, and {a_topic} the wind.",
    ),
    (
        "It changes again: {image}.",
        "By the time it has a name it is {image}.",
        "The change leaves a trace of {scent}.",
        "A part of it stays behind, in {colour}.",
        "Nothing is lost, only moved next to {image}.",
        "Then it splits, and one half is {b_topic}.",
        "It could go on like this, through {image} and {image}.",
    ),
)

_FOCUS = (
    (
        "Beneath {c_topic}, unasked, {a_topic}.",
        "{C_topic} could thin out and let {a_topic} come through.",
        "With {c_topic} in the light, {a_topic} can wait in the shade with {image}.",
        "A step to the side of {c_topic}: {a_quote}.",
        "{C_topic} on the lips, {a_topic} on the tongue, {image} in the ear.",
        "Somewhere between {c_topic} and {a_topic}, {image}.",
        "{C_topic} falling asleep as {a_topic} and waking as {image}.",
        "Three cups: {c_topic}, {a_topic}, {b_topic}.",
    ),
    (
        "Between the two, {image}.",
        "The seam is {colour}, and it smells of {scent}.",
        "Both float, one as {image}, one as {image}.",
        "Whoever looks closer sees {image}, in {colour}.",
        "They touch where it smells of {scent}.",
        "One of them is awake, the other is {image}.",
        "What carries the one to the other is {image}.",
    ),
)

_CODAS = (
    "and below that, {likeness} beside {image}",
    "it turns once, like {likeness}, like {likeness}",
    "{d_topic} at a distance, near {likeness}",
    "then, without a sound, {likeness} and {image}",
    "next to it {likeness}, and next to that {scent}",
    "the rest is {likeness}, in {colour}",
    "half of it has the shape of {likeness}, half of {image}",
    "{likeness}, and then {d_topic}",
    "half asleep, it says: {likeness}, {image}",
    "it opens, and there is {likeness}, then {image}",
)

SUBCONSCIOUS = make_voice(
    Kinship.FARTHEST,
    {"image": _IMAGE, "scent": _SCENT, "colour": _COLOUR, "likeness": LIKENESS},
    (_CHAIN, _DISSOLVE, _ROOM, _SOUND, _TRANSFORM),
    _FOCUS,
    _CODAS,
)
