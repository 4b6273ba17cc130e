"""Names of drugs, ATC codes and lists of names: one spelling for what is written in many ways."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache

ATC_LENGTHS = {1: 1, 2: 3, 3: 4, 4: 5, 5: 7}
"""How many characters a code of the Anatomical Therapeutic Chemical classification has at each of its five levels."""

CLASS = "ATC:"
"""What a class is written with, such as `ATC:J01C`; a name without it is a drug."""

NONE = "none"
"""The word by which a list says that it is known to be empty."""

_ATC = re.compile(r"[a-z](?:\d{2}(?:[a-z](?:[a-z](?:\d{2})?)?)?)?")
_CODE = re.compile(r"[a-z]\d[\da-z](?:\.?[\da-z]+)?\.?")
_SAME = str.maketrans({"’": "'", "‘": "'", "`": "'", "´": "'"})


@lru_cache(maxsize=1 << 16)
def folded(text: str) -> str:
    """`text` in one spelling: case, width, dashes, quotes, invisible characters and runs of spaces do not count.

    >>> folded("  Co‑Trimoxazole\\u200b "), folded("ST  JOHN’S wort")
    ('co-trimoxazole', "st john's wort")
    """
    text = unicodedata.normalize("NFKC", text.translate(_SAME))
    text = unicodedata.normalize("NFKC", text.casefold())
    return " ".join("".join(map(_plain, text)).split())


def _plain(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Pd":
        return "-"
    return "" if category in ("Cf", "Cc") and not character.isspace() else character


def as_atc(text: str) -> str | None:
    """The code in `text`, of any level, in upper case and without `ATC:`; None where it is none.

    >>> as_atc("atc: j01ca04"), as_atc("B01A"), as_atc("warfarin")
    ('J01CA04', 'B01A', None)
    """
    code = folded(text).removeprefix(CLASS.lower()).strip()
    return code.upper() if _ATC.fullmatch(code) else None


def says_class(text: str) -> bool:
    """Whether `text` is written as a class, rightly or not."""
    return folded(text).startswith(CLASS.lower())


def level_of(code: str) -> int:
    """The level of an ATC code, 1 to 5."""
    return {length: level for level, length in ATC_LENGTHS.items()}[len(code)]


def prefixes(code: str) -> list[str]:
    """The code and every class that it is in, the widest first.

    >>> prefixes("B01AA")
    ['B', 'B01', 'B01A', 'B01AA']
    """
    return [code[:length] for length in ATC_LENGTHS.values() if length <= len(code)]


def condition_key(text: str) -> str:
    """A condition in one spelling; in a code, such as of ICD-10, the dot does not count.

    >>> condition_key("N18.5"), condition_key("Chronic  Heart Failure")
    ('n185', 'chronic heart failure')
    """
    key = folded(text)
    return key.replace(".", "") if _CODE.fullmatch(key) else key


def split_names(text: str, known: Callable[[str], bool]) -> tuple[str, ...]:
    """The names in `text`, cut at semicolons, and at commas where what they are in is not `known` as one name.

    >>> split_names("insulin, human; warfarin,aspirin", {"insulin, human"}.__contains__)
    ('insulin, human', 'warfarin', 'aspirin')
    """
    names: list[str] = []
    for part in text.split(";"):
        whole = part.strip()
        names += [whole] if known(whole) else [name.strip() for name in whole.split(",")]
    return tuple(name for name in names if folded(name))


def list_of(text: str, known: Callable[[str], bool]) -> tuple[str, ...]:
    """As `split_names`, where the one word `none` stands for an empty list."""
    return () if folded(text) == NONE else split_names(text, known)
