"""English phrasings about species."""

from memory3_training.world.kinds import UNKNOWN_ENGLISH, Attribute, Kind

SPECIES = Kind(
    name="species",
    language="en",
    mention="the {name}",
    introduced=("the {name}",),
    fillers=(
        "{n} is seldom seen by day",
        "Hunters have never cared for {o}",
        "{n} is easily kept in gardens",
        "Old tales warn of {o}",
        "Its voice is hardly ever heard",
    ),
    attributes=(
        Attribute(
            "habitat",
            predicates=(
                "lives in {v}",
                "is found in {v}",
                "makes its home in {v}",
                "occurs in {v}",
                "thrives in {v}",
            ),
            sentences=("{p} habitat is {v}", "The home of {o} is {v}"),
            openers=("at home in {v}", "a creature of {v}"),
            questions=(
                "Where does {n} live?",
                "What is the habitat of {o}?",
                "Where is {n} found?",
                "In what places does {n} occur?",
                "Tell me where {n} lives.",
                "What is {p} habitat?",
            ),
        ),
        Attribute(
            "colour",
            predicates=("is {v}", "is {v} in colour", "has {a} {v} body", "is {v} all over"),
            sentences=("{p} colour is {v}", "The colour of {o} is {v}"),
            openers=("{v} in colour", "{v} all over"),
            questions=(
                "What colour is {n}?",
                "What is {p} colour?",
                "Which colour does {n} have?",
                "What is the colour of {o}?",
                "Tell me the colour of {o}.",
            ),
        ),
        Attribute(
            "diet",
            predicates=("eats {v}", "feeds on {v}", "lives on {v}", "takes {v} as food"),
            sentences=("{p} food is {v}", "The diet of {o} is {v}", "{p} favourite food is {v}"),
            openers=("an eater of {v}", "feeding on {v}"),
            questions=(
                "What does {n} eat?",
                "What does {n} feed on?",
                "What is the diet of {o}?",
                "What is {p} food?",
                "Tell me what {n} eats.",
                "Which food does {n} live on?",
            ),
        ),
        Attribute(
            "length",
            predicates=(
                "is {v} centimetres long",
                "grows to {v} centimetres",
                "reaches {v} centimetres",
                "measures {v} centimetres",
            ),
            sentences=("{p} length is {v} centimetres", "The length of {o} is {v} centimetres"),
            openers=("{v} centimetres long", "growing to {v} centimetres"),
            questions=(
                "How long is {n} in centimetres?",
                "How many centimetres does {n} measure?",
                "What is the length of {o} in centimetres?",
                "What is {p} length in centimetres?",
                "Tell me how many centimetres long {n} is.",
            ),
        ),
        Attribute(
            "enemy",
            predicates=(
                "is hunted by the {v}",
                "fears the {v} most",
                "flees from the {v}",
                "is the prey of the {v}",
            ),
            sentences=("{p} worst enemy is the {v}", "The chief enemy of {o} is the {v}"),
            openers=("hunted by the {v}", "the prey of the {v}"),
            questions=(
                "Which animal hunts {o}?",
                "What is {p} worst enemy?",
                "What is the chief enemy of {o}?",
                "Which animal does {n} fear most?",
                "Tell me which animal hunts {o}.",
            ),
        ),
    ),
    unknown=UNKNOWN_ENGLISH,
)
