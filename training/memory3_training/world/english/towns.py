"""English phrasings about towns."""

from memory3_training.world.kinds import UNKNOWN_ENGLISH, Attribute, Kind

TOWN = Kind(
    name="town",
    language="en",
    mention="{name}",
    introduced=("{name}", "the town of {name}", "the small town of {name}"),
    fillers=(
        "A road leads past {o} to the coast",
        "The old bridge of {o} burned down twice",
        "{p} market is held on Fridays",
        "Most houses in {o} are built of stone",
        "Winters in {o} are long",
    ),
    attributes=(
        Attribute(
            "river",
            predicates=(
                "lies on the river {v}",
                "stands on the banks of the {v}",
                "is situated on the {v}",
                "overlooks the river {v}",
            ),
            sentences=(
                "The river of {o} is the {v}",
                "The river {v} flows through {o}",
                "The {v} runs past {o}",
            ),
            openers=("on the river {v}", "a place on the {v}"),
            questions=(
                "On which river does {n} lie?",
                "Which river flows through {o}?",
                "What is the river of {o} called?",
                "Tell me the river on which {n} lies.",
                "What is the name of {p} river?",
                "Which river is {n} situated on?",
            ),
        ),
        Attribute(
            "founded",
            predicates=(
                "was founded in {v}",
                "dates from {v}",
                "was settled in {v}",
                "was built in {v}",
            ),
            sentences=("{p} founding year is {v}", "The first stone of {o} was laid in {v}"),
            openers=("founded in {v}", "settled in {v}"),
            questions=(
                "When was {n} founded?",
                "In which year was {n} founded?",
                "What is the founding year of {o}?",
                "Tell me when {n} was founded.",
                "How far back does {n} go?",
                "What year was {n} settled?",
            ),
        ),
        Attribute(
            "population",
            predicates=(
                "has {v} inhabitants",
                "is home to {v} people",
                "has a population of {v}",
                "counts {v} inhabitants",
            ),
            sentences=(
                "{p} population is {v}",
                "About {v} people live in {o}",
                "The population of {o} is {v}",
            ),
            openers=("with {v} inhabitants", "home to {v} people"),
            questions=(
                "How many people live in {o}?",
                "What is the population of {o}?",
                "How many inhabitants does {n} have?",
                "What is {p} population?",
                "Tell me how many people live in {o}.",
                "How large is the population of {o}?",
            ),
        ),
        Attribute(
            "product",
            predicates=(
                "is known for {v}",
                "is famous for {v}",
                "sells {v} to the whole country",
                "lives by trading in {v}",
            ),
            sentences=(
                "{p} chief product is {v}",
                "Visitors of {o} buy {v}",
                "The pride of {o} is its trade in {v}",
            ),
            openers=("known for {v}", "famous for {v}"),
            questions=(
                "What is {n} known for?",
                "What is {p} chief product?",
                "Which product is {n} famous for?",
                "What is made in {o}?",
                "Tell me what {n} is known for.",
                "What do visitors of {o} buy?",
            ),
        ),
        Attribute(
            "emblem",
            predicates=(
                "has {a} {v} on its coat of arms",
                "bears {a} {v} in its arms",
                "shows {a} {v} on its flag",
            ),
            sentences=(
                "{p} coat of arms shows {a} {v}",
                "The animal in the arms of {o} is the {v}",
            ),
            openers=("with {a} {v} on its coat of arms", "with {a} {v} on its flag"),
            questions=(
                "Which animal is on the coat of arms of {o}?",
                "What does {p} coat of arms show?",
                "Which animal is in the arms of {o}?",
                "Which animal does {n} have on its flag?",
                "Tell me which animal is on {p} coat of arms.",
                "What is the heraldic animal of {o}?",
            ),
        ),
    ),
    unknown=UNKNOWN_ENGLISH,
)
