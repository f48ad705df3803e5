"""Things that several voices draw on: where to look, what to compare with."""

CLUE = """
    an old calendar
    a phone bill
    a recipe card
    a train timetable
    a bank statement
    a playlist
    a guest book
    a school report
    the weather archive
    a shop receipt
    a library card
    a packing list
    a voicemail
    a birthday card
    a page from a diary
    a photo album
    a seating plan
    the local newspaper
    a vet's bill
    a repair invoice
    a boarding pass
    a fridge door full of notes
    a neighbour's account
    the minutes of a meeting
    a tax form
    a parcel label
    a concert ticket
    a garden notebook
    a chat from last winter
    a doctor's letter
    a street map with pencil marks
    a logbook
    a rental contract
    a coffee loyalty card
    a lost-property list
    a team roster
    a wedding invitation
    a power bill
    a box in the attic
    a browser history
    a parking ticket
    a hand-written will
    a choir programme
    a cookbook with stains
    a half-used notebook
    a postmark
    the caretaker's memory
    a child's drawing
    a museum audio guide
    a bus driver's routine
    a petition
    a warranty slip
    a shelf of trophies
    a hotel bill
    a shoe box of letters
    a knitting pattern
    a radio interview
    a swimming certificate
    a season ticket
    a dog-eared guidebook
    a shopping list
    an alarm clock's setting
    a stack of postcards
    the back of a photograph
    a bookmark and its page
    a tailor's measurements
    an answering machine
    a crossword left half done
    a pharmacy bag
    a bus pass
    an attendance sheet
    a jar of coins
    a ship's manifest
    a set of fingerprints
    a thermostat log
    a delivery note
    a friend of a friend
    a pair of worn shoes
    a class register
    a beekeeper's notes
    a lighthouse log
    a hand-drawn family tree
    a cinema stub
    an ice-cream van's route
    a scratched record
    a barber's gossip
    an index card
    a spreadsheet from spring
    a trophy engraving
    a pressed flower
    a paint sample
    a museum label
    a grocer's ledger
    a sports report
"""

COMFORT = """
    a cup of tea
    a postcard
    a walk around the block
    a seat kept free
    a tune hummed in the kitchen
    a blanket on the sofa
    a slice of cake
    an evening without plans
    a call at the right moment
    a bunch of wild flowers
    a bowl of soup
    a hand on the shoulder
    a game of cards
    a borrowed book
    a bench in the sun
    a long train ride together
    a dog asleep on one's feet
    a bad joke
    a note under the door
    a film seen three times before
    a lift to the station
    a swim in cold water
    a fire in the garden
    fresh sheets
    an umbrella held over two
    pancakes at midnight
    a photograph in an envelope
    a window opened wide
    a silly dance
    a jar of plum jam
    a phone switched off
    a drive along the coast
    a lamp lit in the hall
    an hour in a bookshop
    the first strawberries
    a hot bath
    a knitted scarf
    a stone from a beach
    a picnic in the rain
    a nap
    an old cardigan
    a chorus sung off key
    a bicycle ride downhill
    a pot of basil
    a lullaby
"""

LIKENESS = """
    a river finding its bed
    a recipe with one step missing
    an old radio being tuned
    a map drawn by heart
    a bridge built from both ends
    a language learned by ear
    a chess game left overnight
    a house with a new door
    dough that needs another hour
    a garden in its first spring
    a jigsaw begun at the edges
    a choir without its tenor
    a ship waiting for wind
    a bicycle with one brake
    two letters crossing in the post
    a stage before the curtain rises
    a violin after a long winter
    a path worn across a lawn
    a queue that suddenly moves
    a lighthouse seen from the land
    a tent put up in the dark
    a photograph taken a second late
    a match watched with the sound off
    a well-thumbed dictionary
    a train changing tracks
    a coat handed down twice
    a fire kept low
    a door held for a stranger
    a market just before closing
    an orchard under snow
    a knot that tightens when pulled
    a clock set five minutes fast
    a telescope held the wrong way round
    a library without a catalogue
    a harbour in fog
    an umbrella on a sunny day
    a kettle about to boil
    a rehearsal without an audience
    a seed kept for a year
    a ladder leaned on a wall
    a suitcase half packed
    a taxi shared by strangers
    a football pitch after rain
    a mosaic with loose stones
    a beehive in March
    a footnote longer than its page
    a detour that turns out shorter
    a spare key under a flowerpot
    a sail mended at sea
    a translation of a translation
    kitchen scales that need zeroing
    a hedge with a hole in it
    a lost glove on a fence
    a compass held near iron
    soup stretched for one more guest
    a swimming pool in winter
    a joke that has to be explained
    a relay race at the handover
    a ferry turning in a narrow port
    a piano moved up the stairs
    a lantern carried by the last in line
    a crossword done in ink
    a nest in a letterbox
    wet paint behind a rope
    a goalkeeper at a corner kick
    a bonfire seen across a valley
    a grandfather clock in a small flat
    a parcel for the neighbours
    the first frost on a pumpkin
    a typewriter without the letter e
    a caravan on a mountain pass
    a cake cut before the candles
    a mirror turned to the wall
    an elevator between floors
    the last page read first
    a drum kit in the next flat
    a scarecrow in the wrong field
    a parade in light rain
    a tightrope over a puddle
    a greenhouse at night
    a coin spinning on a table
    a snowman in April
    a bus that waits for one passenger
    a speech without the notes
    a marathon at the second mile
    a well with a new bucket
    an aquarium in a waiting room
    a letter opened by mistake
    a hammock between two young trees
    a borrowed suit
    a campfire on the second evening
    a canoe facing upstream
    a doorbell nobody admits to
    a quilt with one new square
    a volcano on a postcard
    a windmill on a still day
    a lesson after the bell
    an anchor in soft mud
    a cat on a warm bonnet
    a tower of plates
    a barn dance in socks
    an echo that comes too soon
    a sandcastle at half tide
    a tram in a snowstorm
    a bell rung for practice
    a recipe read aloud
    a rope bridge in the afternoon
    an audition for a small part
    a truce over lunch
    a circus leaving at dawn
"""
