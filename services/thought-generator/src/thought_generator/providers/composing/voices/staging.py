"""Where and as what a creative thought is staged, with which things and rules."""

FORM = """
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

PLACE = """
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

PROP = """
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

RULE = """
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
    nobody speaks above a whisper
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
