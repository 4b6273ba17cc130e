"""What names mean: synonyms, ingredients of products and ATC codes of drugs, and terms for everything else."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from iatros.core.errors import TableError
from iatros.treatment.safety.chains import Step, contents, ends
from iatros.treatment.safety.names import CLASS, as_atc, condition_key, folded, prefixes, says_class
from iatros.treatment.safety.rows import Row
from iatros.treatment.safety.rules import Party, class_key

_WHOLE = 7
"""Characters of an ATC code that names a substance."""

_SURELY_CODE = 4
"""Characters from which a text of the form of an ATC code is taken for one, and not for a name such as B12."""

_NO_SYSTEM = ("", "name", "brand")


class Drug(NamedTuple):
    """What a name stands for: its drugs in one spelling, with their ingredients, and their ATC codes.

    `keys` are those under which rules about it are found. `known` is false where the knowledge does not have the name.
    """

    written: str
    names: frozenset[str]
    codes: frozenset[str]
    keys: frozenset[str]
    known: bool


@dataclass(frozen=True)
class Vocabulary:
    """Names as the tables of names give them; `listed` are those that stand in one of these tables."""

    synonyms: Mapping[str, str]
    ingredients: Mapping[str, frozenset[str]]
    codes: Mapping[str, frozenset[str]]
    terms: Mapping[str, str]
    listed: frozenset[str]
    known: frozenset[str]
    """`listed`, and every drug that a rule names."""

    def canonical(self, key: str) -> str:
        """The name that a name in one spelling stands for."""
        return self.synonyms.get(key, key)

    def term(self, text: str) -> str:
        """The key of a condition, an allergy or a laboratory value."""
        key = condition_key(text)
        return self.terms.get(key, key)

    def drug(self, text: str) -> Drug:
        """What `text` stands for: a name, a code of a synonym, or an ATC code of any level."""
        key = folded(text)
        code = as_atc(text)
        if code is not None and not says_class(text) and len(code) < _WHOLE:
            code = None
        keys = [key] if code is None else [key, code.lower()]
        found = {self.canonical(one) for one in keys if one in self.known}
        if code is not None:
            found |= self._by_code.get(code, set())
        named = found or ({key} if code is None else set())
        names = frozenset(named).union(*(self.ingredients.get(name, ()) for name in named))
        codes = frozenset().union(
            *(self.codes.get(one, ()) for one in names), () if code is None else (code,)
        )
        classes = (class_key(one) for whole in codes for one in prefixes(whole))
        return Drug(text, names, codes, names.union(classes), bool(found))

    def party(self, text: str, row: Row, column: str) -> Party:
        """The drug or class that a cell of a rule names; TableError where a code is none, or could be either."""
        key, code = folded(text), as_atc(text)
        if says_class(text):
            if code is None:
                raise TableError(
                    "is no ATC code", where=row.place(column), cell=text,
                    hint="a class is written as ATC:B, ATC:B01, ATC:B01A, ATC:B01AA or ATC:B01AA03",
                )  # fmt: skip
            return Party(class_key(code), CLASS + code, is_class=True)
        if code is not None and len(code) == _WHOLE:
            return Party(class_key(code), CLASS + code, is_class=True)
        if key not in self.listed and code is not None and len(code) >= _SURELY_CODE:
            raise TableError(
                "is it a drug or an ATC class?",
                where=row.place(column),
                cell=text,
                hint=f"write a class as {CLASS}{code}",
            )
        return Party(self.canonical(key), text)

    def nearest(self, text: str) -> str | None:
        """The known name with the same first letter that is spelt most like `text`, or None where none is like it."""
        key = folded(text)
        if key not in self._found:
            near = difflib.get_close_matches(key, self._by_letter.get(key[:1], ()), n=1, cutoff=0.8)
            self._found[key] = near[0] if near else None
        return self._found[key]

    @cached_property
    def _by_code(self) -> dict[str, set[str]]:
        """The drugs of each ATC code that names a substance."""
        found: dict[str, set[str]] = {}
        for name, codes in self.codes.items():
            for code in codes:
                if len(code) == _WHOLE:
                    found.setdefault(code, set()).add(name)
        return found

    @cached_property
    def _found(self) -> dict[str, str | None]:
        return {}

    @cached_property
    def _by_letter(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for name in sorted(self.known):
            found.setdefault(name[:1], []).append(name)
        return found


def build_vocabulary(tables: Mapping[str, Iterable[Row]]) -> Vocabulary:
    """The vocabulary of the tables synonyms, ingredients, drugs and terms; `known` holds the listed names.

    TableError for synonyms that go in a circle or stand for two names, for a product that contains itself, and for an
    ATC code that is none.
    """
    steps = [step for row in tables.get("synonyms", ()) for step in _synonym(row)]
    synonyms = ends(steps, "synonyms")
    inside = [_ingredient(row, synonyms) for row in tables.get("ingredients", ())]
    ingredients = contents(inside, "ingredients")
    codes: dict[str, set[str]] = {}
    listed = {name for step in (*steps, *inside) for name in (step.key, step.target)}
    for name, code in _codes(tables):
        listed.add(folded(name))
        if code is not None:
            canonical = synonyms.get(folded(name), folded(name))
            codes.setdefault(canonical, set()).add(code)
    for name in {synonyms.get(one, one) for one in listed}:
        own = as_atc(name)
        if own is not None and len(own) == _WHOLE:
            codes.setdefault(name, set()).add(own)
    terms = [
        Step(
            condition_key(row["name"]),
            condition_key(row["canonical"]),
            row["name"],
            row["canonical"],
            row.where,
        )
        for row in tables.get("terms", ())
    ]
    names = frozenset(listed)
    frozen = {name: frozenset(found) for name, found in codes.items()}
    return Vocabulary(synonyms, ingredients, frozen, ends(terms, "terms"), names, names)


def _ingredient(row: Row, synonyms: Mapping[str, str]) -> Step:
    product, ingredient = (folded(row[name]) for name in ("product", "ingredient"))
    ends_at = (synonyms.get(product, product), synonyms.get(ingredient, ingredient))
    return Step(*ends_at, row["product"], row["ingredient"], row.where)


def _is_atc(row: Row) -> bool:
    """Whether the name of a synonym is an ATC code: because it is said, or because it can be nothing else."""
    name = row["name"]
    return folded(row["system"]) == "atc" or says_class(name) or len(as_atc(name) or "") == _WHOLE


def _synonym(row: Row) -> list[Step]:
    """A synonym under its name, and where it is a code of a system under `system:code` as well."""
    name, canonical, system = row["name"], row["canonical"], folded(row["system"])
    if says_class(canonical):
        raise TableError(
            "a synonym stands for a drug, not for a class", where=row.place("canonical"), cell=canonical,
            hint="give the ATC code of a drug in drugs, or as a synonym of system atc",
        )  # fmt: skip
    keys = [folded(name)]
    if _is_atc(row):
        code = _code(name, row, "name")
        keys = [code.lower(), class_key(code).lower()]
    elif system not in _NO_SYSTEM:
        keys.append(f"{system}:{keys[0]}")
    return [Step(key, folded(canonical), name, canonical, row.where) for key in keys]


def _codes(tables: Mapping[str, Iterable[Row]]) -> Iterable[tuple[str, str | None]]:
    """Each drug with each of its ATC codes, or with None where a row gives none."""
    for row in tables.get("drugs", ()):
        written = [part for part in re.split(r"[;,\s]+", row["atc"]) if part]
        for part in written or [None]:
            yield row["drug"], None if part is None else _code(part, row, "atc")
    for row in tables.get("synonyms", ()):
        if _is_atc(row):
            yield row["canonical"], _code(row["name"], row, "name")


def _code(text: str, row: Row, column: str) -> str:
    code = as_atc(text)
    if code is None:
        hint = "an ATC code is written B, B01, B01A, B01AA or B01AA03"
        raise TableError("is no ATC code", where=row.place(column), cell=text, hint=hint)
    return code
