"""Cleaning of training text: rules, near duplicates, overlap. Standard library only.

kept = [text for text in texts if reason_to_drop(text) is None]
unique = list(without_near_duplicates(kept))
overlaps(reference_ids, text_ids)      # then the two are not paired in training
"""

from memory3_training.cleaning.minhash import MinHasher, jaccard, shingles, without_near_duplicates
from memory3_training.cleaning.overlap import overlap, overlaps
from memory3_training.cleaning.rules import RuleLimits, reason_to_drop

__all__ = [
    "MinHasher",
    "RuleLimits",
    "jaccard",
    "overlap",
    "overlaps",
    "reason_to_drop",
    "shingles",
    "without_near_duplicates",
]
