"""Rules that tell text from lists, tables and noise (Memory³ paper, section 4)."""

import math
from collections import Counter
from dataclasses import dataclass

from memory3_training.cleaning.words import words_of


@dataclass(frozen=True)
class RuleLimits:
    """The paper gives the first three figures; it names the other two rules without a figure."""

    min_words: int = 50
    max_mean_word_length: float = 10.0  # characters
    max_non_alphabetic: float = 0.7  # share of the characters that are no white space
    max_unique_words: float = 0.9  # share of the words: higher in word lists than in sentences
    min_unigram_entropy: float = 3.0  # bits per word: lower where few words repeat for ever


def unigram_entropy(words: list[str]) -> float:
    """Bits per word of the text's own word frequencies; 0 without words."""
    total = len(words)
    return -sum(n / total * math.log2(n / total) for n in Counter(words).values())


def reason_to_drop(text: str, limits: RuleLimits = RuleLimits()) -> str | None:
    """The name of the first rule that the text breaks, or None."""
    words = [word.lower() for word in words_of(text)]
    if len(words) < limits.min_words:
        return "too few words"
    if sum(map(len, words)) > limits.max_mean_word_length * len(words):
        return "words too long"
    characters = [c for c in text if not c.isspace()]
    if sum(not c.isalpha() for c in characters) > limits.max_non_alphabetic * len(characters):
        return "too few letters"
    if len(set(words)) > limits.max_unique_words * len(words):
        return "too many unique words"
    if unigram_entropy(words) < limits.min_unigram_entropy:
        return "too little entropy"
    return None
