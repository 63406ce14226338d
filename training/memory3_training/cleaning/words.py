"""What counts as a word: a run of letters and digits, or one Chinese character."""

import re

_WORD = re.compile(r"[\u3400-\u9fff]|[^\W\u3400-\u9fff]+")


def words_of(text: str) -> list[str]:
    return _WORD.findall(text)
