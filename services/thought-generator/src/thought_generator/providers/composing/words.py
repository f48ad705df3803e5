"""Word lists that tell a topic from the words around it."""


def _listed(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Words that neither make a topic nor belong in one.
FUNCTION_WORDS = _listed(
    """
    a about above across actually after again against ago all almost along already
    also although always am among an and another any anybody anymore anyone anything
    anyway anywhere are aren't around as aside at away back be became because become
    been before behind being below beneath beside besides between beyond both but by
    can can't cannot could couldn't definitely despite did didn't do does doesn't
    doing don't done down during each either else enough especially even ever every
    everybody everyone everything everywhere except far few for forward from further
    gonna gotta had hadn't has hasn't have haven't having he he'd he'll he's hello
    hence her here here's hers herself hey hi him himself his how how's however i
    i'd i'll i'm i've if in indeed inside instead into is isn't it it'd it'll it's
    its itself just kinda later least less let let's like likely lots many may maybe
    me might mine more moreover most mostly much must mustn't my myself near nearly
    neither never no nobody none nor not nothing now nowhere of off often oh ok okay
    on once one ones only onto or other others otherwise our ours ourselves out
    outside over own perhaps please plenty probably quite rather really same shall
    she she'd she'll she's should shouldn't since so some somebody somehow someone
    something sometimes somewhere soon sorry still such sure than thank thanks that
    that'd that'll that's the their theirs them themselves then there there's
    therefore these they they'd they'll they're they've this those though through
    thus till to together tomorrow tonight too totally toward towards tried truly
    under unless until up upon us usually very via was wasn't we we'd we'll we're
    we've well were weren't what what's whatever when when's whenever where where's
    wherever whether which whichever while who who's whoever whole whom whose why
    will with within without won't would wouldn't wow yeah yep yes yesterday yet you
    you'd you'll you're you've your yours yourself yourselves hmm haha aww btw lol
    etc congrats congratulations bye cheers welcome nope hiya ah ugh oops
    """
)

# Verbs of everyday talk: a topic ends before one of them.
VERBS = _listed(
    """
    add adds agree allow allows appreciate ask asks ate began begin believe bet
    bought break bring brings brought build built buy call calls came care check
    choose chose come comes consider continue cook deal decide did do enjoy enjoys
    excuse expect explore express face fall feel feeling feels fell felt figure find
    finds finish fit fix focus follow forget found gave get gets getting give gives
    giving glad go goes going gone got gotta grab grew grow guess happen happens
    hate hear heard held help helps hold holds hope hopes hoping imagine improve
    inspire inspires join keep keeps kept knew know known knows laugh lead leads
    leap learn learned leave leaves left let lets lie live lives look looked looking
    looks lose lost love loved loves made make makes making mean means meant meet
    met mind miss motivate move need needed needs offer open order owe own paid pay
    pick play plays prefer put puts ran read reads realize recommend relate relax
    remember remind reminds run runs said sang sat saw say saying says see seeing
    seem seems seen sell send sent set share shows shut sit sold solve sound sounds
    speak spend spent spread stand start starts stay stays stick stood stop stopped
    suggest support suppose take taken takes taking talk talked talking taught teach
    tell tells tend think thinking thinks thought threw told took touch try trying
    turn turned turns understand use used visit wait waiting walk wanna want wanted
    wants watch went win wins wish woke won wonder work worked works worry write
    writes wrote yell dislike dislikes tends avoid avoids stops drew draws lies
    """
)

# Describing words: a topic may hold one but never ends with it.
ADJECTIVES = _listed(
    """
    able amazing awesome bad beautiful best better big bigger biggest black blue
    bright brilliant busy calm challenging cheap clear close cold comforting common
    cool crazy creative cute dark dear deep different difficult early easy emotional
    excellent excited exciting extra fabulous familiar fantastic fast favorite
    favourite fine first free fresh full fun funny gentle glad good gorgeous great
    green grateful happy hard healthy heavy helpful high hot huge important
    impressive incredible inspiring interested interesting kind large last late
    latest lazy light little local long lovely low lucky main major meaningful minor
    native nervous new next nice old older open perfect personal pink possible
    powerful precious pretty proud quick quiet rare ready real recent red relaxing
    rewarding rich right sad safe second serious several short sick silly similar
    simple single slow small smooth soft special strange strong stressful stunning
    super surprised sweet tall tasty terrible thankful therapeutic thin third
    thrilled tight tiny tired tough true ultimate unique upcoming useful various
    vibrant warm weird white wild wonderful wooden worse worst worth wrong yellow
    young younger yummy broken spare whole own earlier longer other same last
    """
)

# Nouns too thin to think about, and those that composed thoughts are built with.
THIN_NOUNS = _listed(
    """
    answer bit bunch case chance couple course day days detail edge end evening
    example fact feeling form hand hold hour hours idea interest kind kinds layer
    line link lot luck matter meaning memories memory mention middle minute minutes
    moment moments month months morning name night none note order pair part past
    path pattern people person piece place plan point question reading reason record
    remark rest seen self sense side sign sort source stage start step stuff surface
    thing things thought thoughts thread time times today turn type view voice way
    ways week weekend weeks while word words year years guy guys dude mate deal
    today's future sort front top gap tension warmth tie blast meantime difference
    chances inspiration move mix rhythm vowels sound tone undertone temperature
    witness evidence attention company seam corridor version machine instrument shop
    calendar stamp bridge alphabet portrait motive method boundary fam pic pics
    photo photos picture pictures user assistant
    """
)

# Of the words in -ing these name a thing by themselves.
ACTIVITIES = _listed(
    """
    baking building camping climbing cooking counseling counselling cycling dancing
    diving drawing farming fishing gardening gaming hiking housing jogging knitting
    meditating meeting morning painting parenting parking reading running sailing
    sewing singing skating skiing surfing swimming training travelling volunteering
    wedding writing heating lighting wiring ceiling evening string king ring spring
    wing sibling darling clothing earring pudding
    """
)

DETERMINERS = _listed(
    """
    a an the my your his her its our their these those some each another
    """
)
PREPOSITIONS = _listed(
    """
    of in at for with about from into through by on over between
    """
)

# Past forms that do not end in -ed: "I went" reads on as "Melanie went".
IRREGULAR_PAST = _listed(
    """
    ate became began bought broke brought built came caught chose did drew drove
    fell felt forgot found gave got grew heard held kept knew learnt left lost made
    met paid ran rode sang sat saw sent slept sold spent spoke stood swam taught
    thought threw told took went woke won wore wrote
    """
)
PRESENT = _listed(
    """
    believe bring collect cook dream drink eat enjoy feel find grow hate hope keep
    know like live love make mean miss need own paint plan play prefer read rent run
    sing sleep speak swim take teach think use walk want work write
    """
)
AUXILIARIES = {
    "am": "is",
    "can": "can",
    "could": "could",
    "had": "had",
    "have": "has",
    "was": "was",
    "will": "will",
    "would": "would",
    "'m": " is",
    "'ve": " has",
    "'ll": " will",
}

WARM = _listed(
    """
    accepted amazing beautiful belonging blessed calm celebrate cherish comfort cosy
    cozy delighted enjoy enjoyed excited friend friends fun glad grateful gratitude
    happiness happy helped hope hug inspiring joy kind kindness laugh laughed
    laughing laughter love loved lovely lucky peace peaceful pleased precious proud
    relaxing relief safe smile smiled support sweet thankful thrilled warm welcome
    wonderful
    """
)
TENSE = _listed(
    """
    accident afraid alone angry annoyed anxiety anxious argued argument ashamed
    broken cried crying dark difficult disappointed exhausted fail failed fear fight
    frustrated frustrating guilty hard hurt ill jealous late lonely lose losing loss
    lost mad miss missed missing nervous pain painful problem regret sad scared
    scary sick sorry stress stressed stressful struggle struggling swamped tense
    tired tough trouble upset worried worry worries wrong
    """
)

MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
WEEKDAYS = (
    *("Monday", "Tuesday", "Wednesday", "Thursday", "Friday"),
    *("Saturday", "Sunday"),
)

# A colon after one of these does not mean that somebody speaks.
LABELS = _listed(
    """
    answer attention caution conclusion context danger date error fact fyi hint idea
    important info instruction instructions memo note observation output ps question
    reminder result rule step subject summary task time tip title todo update
    warning http https
    """
)
