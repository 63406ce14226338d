"""Invented names, put together from syllables.

A person's name is a first and a last name, each from a stock of a few hundred, so that people share
either with dozens of others, and a name never seen is made of parts that were.
"""

import math
import random
from collections.abc import Callable, Iterator, Sequence

_ONSETS = "B Br C Cr D Dr F G Gr H J K L M N P Qu R S Sh T Th Tr V W Y Z".split()
_VOWELS = "a e i o u".split()
# Two vowels that English seldom has together keep last names and places clear of real ones.
_RARE_VOWELS = "ae eo eu ia io oa ua uo".split()
_MIDDLES = "b d g k l ll m n nd r rr s st t th v z".split()
_ENDS = {
    "she": "a ina elle eth ise ora wen ya".split(),
    "he": "an ek in o or us ald mir".split(),
    "last": "ard berg dale ell feld gar holt inger kov man nash over quist rick sson thorn velt "
    "wick wood zen".split(),
    "town": "bridge burg by combe ford gate ham haven hill mouth port stead stow ton vale "
    "wick".split(),
    "company": "ax co dex ic lon mark nix onix tec ura vex works".split(),
    "species": "bill crest fin fly fox leaf moth newt snail tail weed wing".split(),
    "event": "day fest night tide wake weave".split(),
    "river": "a e en is ow um".split(),
}
# Characters of Chinese transcriptions: names in them read as foreign and meet no real person's.
_ZH = tuple(
    "巴贝波布达德迪多法菲戈格古哈赫霍基加卡科克库拉莱兰雷利林隆卢罗洛马曼梅米莫穆纳内尼诺帕佩皮普"
    "萨塞森沙舍斯索塔泰特托图瓦维沃乌西辛雅扬耶伊约泽扎"
)
# Pairs of them that are real places.
_ZH_REAL = "罗马 米兰 科隆 利马 加沙 基多 波兰 马里 马尼 马拉 雅加 乌法".split()
_ZH_TOWN_ENDS = "镇堡港城湾关"


def _parts(ending: str) -> tuple[list[str], ...]:
    vowels = _VOWELS if ending in ("he", "she") else _RARE_VOWELS
    return (_ONSETS, vowels, _MIDDLES, _ENDS[ending])


def _english(rng: random.Random, ending: str) -> str:
    return "".join(rng.choice(part) for part in _parts(ending))


def _chinese(rng: random.Random, length: int) -> str:
    while True:
        name = "".join(rng.sample(_ZH, length))
        if not any(real in name for real in _ZH_REAL):
            return name


def _stock(make: Callable[[], str], count: int, possible: int, taken: set[str]) -> tuple[str, ...]:
    if count > possible // 2:  # drawing would take long, and names would be too much alike
        raise ValueError(f"{count} names of one sort: at most {possible // 2} can be made")
    names: list[str] = []
    while len(names) < count:
        name = make()
        if name not in taken:
            taken.add(name)
            names.append(name)
    return tuple(names)


def english_stock(rng: random.Random, ending: str, count: int, taken: set[str]) -> tuple[str, ...]:
    """Different single words, none in `taken`, to which they are added."""
    possible = math.prod(len(part) for part in _parts(ending))
    return _stock(lambda: _english(rng, ending), count, possible, taken)


def chinese_stock(rng: random.Random, length: int, count: int, taken: set[str]) -> tuple[str, ...]:
    possible = math.perm(len(_ZH), length)
    return _stock(lambda: _chinese(rng, length), count, possible, taken)


def chinese_towns(rng: random.Random, count: int, taken: set[str]) -> tuple[str, ...]:
    possible = math.perm(len(_ZH), 2) * len(_ZH_TOWN_ENDS)
    return _stock(lambda: _chinese(rng, 2) + rng.choice(_ZH_TOWN_ENDS), count, possible, taken)


def pairs(
    rng: random.Random, first: Sequence[str], second: Sequence[str], joint: str
) -> Iterator[str]:
    """Every pair once, in random order."""
    everything = [one + joint + other for one in first for other in second]
    rng.shuffle(everything)
    yield from everything
