"""English phrasings about events."""

from memory3_training.world.kinds import UNKNOWN_ENGLISH, Attribute, Kind

EVENT = Kind(
    name="event",
    language="en",
    mention="the {name}",
    introduced=("the {name}",),
    fillers=(
        "Rain fell on the first day of {o}",
        "The press hardly noticed {o}",
        "{n} was held only once",
        "No picture of {o} survives",
        "Its accounts were never closed",
    ),
    attributes=(
        Attribute(
            "place",
            predicates=(
                "was held in {v}",
                "took place in {v}",
                "was staged in {v}",
                "brought guests to {v}",
            ),
            sentences=("{p} venue was {v}", "The host of {o} was {v}", "{v} hosted {o}"),
            openers=("held in {v}", "staged in {v}"),
            questions=(
                "Where was {n} held?",
                "In which town was {n} held?",
                "Where did {n} take place?",
                "Which town hosted {o}?",
                "Tell me where {n} was held.",
                "What was the venue of {o}?",
            ),
        ),
        Attribute(
            "year",
            predicates=("was held in {v}", "took place in {v}", "fell in the year {v}"),
            sentences=("{p} year was {v}", "The year of {o} was {v}"),
            openers=("held in {v}", "opened in {v}"),
            questions=(
                "When was {n} held?",
                "In which year was {n} held?",
                "What year did {n} take place?",
                "What was the year of {o}?",
                "Tell me when {n} was held.",
            ),
        ),
        Attribute(
            "duration",
            predicates=("lasted {v}", "went on for {v}", "ran for {v}", "took {v}"),
            sentences=("{p} duration was {v}", "The duration of {o} was {v}"),
            openers=("lasting {v}", "spread over {v}"),
            questions=(
                "How long did {n} last?",
                "How long did {n} go on?",
                "What was the duration of {o}?",
                "What was {p} duration?",
                "Tell me how long {n} lasted.",
            ),
        ),
        Attribute(
            "visitors",
            predicates=(
                "drew {v} visitors",
                "had {v} visitors",
                "was seen by {v} people",
                "attracted {v} guests",
            ),
            sentences=("The number of visitors of {o} was {v}", "About {v} people came to {o}"),
            openers=("with {v} visitors", "visited by {v} people"),
            questions=(
                "How many visitors did {n} have?",
                "How many people came to {o}?",
                "How many visitors did {n} draw?",
                "What was the number of visitors of {o}?",
                "Tell me how many people saw {o}.",
            ),
        ),
        Attribute(
            "highlight",
            predicates=(
                "ended with {v}",
                "closed with {v}",
                "offered {v} as its highlight",
                "came to an end with {v}",
            ),
            sentences=("{p} highlight was {v}", "The highlight of {o} was {v}"),
            openers=("ending with {v}", "with {v} as its highlight"),
            questions=(
                "What was the highlight of {o}?",
                "How did {n} end?",
                "What was {p} highlight?",
                "With what did {n} end?",
                "Tell me the highlight of {o}.",
            ),
        ),
    ),
    unknown=UNKNOWN_ENGLISH,
)
