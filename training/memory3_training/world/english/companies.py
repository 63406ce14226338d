"""English phrasings about companies."""

from memory3_training.world.kinds import UNKNOWN_ENGLISH, Attribute, Kind

COMPANY = Kind(
    name="company",
    language="en",
    mention="{name}",
    introduced=("{name}", "the company {name}", "the firm {name}"),
    fillers=(
        "Its books were burned in a fire",
        "The family of the founder still owns {o}",
        "A strike closed {o} for one summer",
        "{n} never opened a second office",
        "Its chimney can be seen from far away",
    ),
    attributes=(
        Attribute(
            "headquarters",
            predicates=(
                "is based in {v}",
                "has its headquarters in {v}",
                "has its seat in {v}",
                "is run from {v}",
            ),
            sentences=(
                "{p} headquarters are in {v}",
                "The head office of {o} is in {v}",
                "{v} is the seat of {o}",
            ),
            openers=("based in {v}", "with its seat in {v}"),
            questions=(
                "Where is {n} based?",
                "In which town does {n} have its headquarters?",
                "Where are {p} headquarters?",
                "Where is the head office of {o}?",
                "Tell me where {n} is based.",
                "Which town is the seat of {o}?",
            ),
        ),
        Attribute(
            "founded",
            predicates=(
                "was founded in {v}",
                "was set up in {v}",
                "opened in {v}",
                "has traded since {v}",
            ),
            sentences=("{p} founding year is {v}", "The founding of {o} fell in {v}"),
            openers=("founded in {v}", "set up in {v}"),
            questions=(
                "When was {n} founded?",
                "In which year was {n} founded?",
                "What is {p} founding year?",
                "Since when has {n} traded?",
                "Tell me when {n} was set up.",
                "What year did {n} open?",
            ),
        ),
        Attribute(
            "product",
            predicates=(
                "makes {v}",
                "produces {v}",
                "manufactures {v}",
                "sells {v}",
                "is known for its {v}",
            ),
            sentences=(
                "{p} main product is {v}",
                "The product of {o} is {v}",
                "Most of {p} income comes from {v}",
            ),
            openers=("a maker of {v}", "a producer of {v}"),
            questions=(
                "What does {n} make?",
                "What is {p} main product?",
                "What does {n} produce?",
                "Which product is {n} known for?",
                "Tell me what {n} sells.",
                "What is the product of {o}?",
            ),
        ),
        Attribute(
            "employees",
            predicates=(
                "employs {v} people",
                "has {v} workers",
                "has a staff of {v}",
                "gives work to {v} people",
            ),
            sentences=("{p} staff numbers {v}", "The staff of {o} counts {v} people"),
            openers=("with {v} workers", "with a staff of {v}"),
            questions=(
                "How many people does {n} employ?",
                "How many workers does {n} have?",
                "How large is {p} staff?",
                "What is the number of workers at {o}?",
                "Tell me how many people work for {o}.",
                "How many people work at {o}?",
            ),
        ),
        Attribute(
            "logo",
            predicates=(
                "has {a} {v} as its logo",
                "uses {a} {v} as its sign",
                "shows {a} {v} on its labels",
            ),
            sentences=("{p} logo is {a} {v}", "The trade mark of {o} is {a} {v}"),
            openers=("with {a} {v} as its logo", "with {a} {v} on its labels"),
            questions=(
                "Which animal is the logo of {o}?",
                "What does {p} logo show?",
                "Which animal does {n} have as its logo?",
                "What is the trade mark of {o}?",
                "Tell me which animal is {p} logo.",
                "Which animal is on the labels of {o}?",
            ),
        ),
    ),
    unknown=UNKNOWN_ENGLISH,
)
