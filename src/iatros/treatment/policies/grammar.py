"""A rule as one reads it: `cd4 < 200 and age >= 40 -> didanosine, else zidovudine`. Parsed, never run as code.

    rule       = { clause separator } "else" arm
    clause     = condition "->" arm
    separator  = "," | ";" | end of line
    condition  = and { "or" and }
    and        = not { "and" not }
    not        = [ "not" ] atom
    atom       = "(" condition ")" | "missing" "(" column ")" | column comparison value
               | column "in" "(" value { "," value } ")"
    comparison = "<" | "<=" | ">" | ">=" | "=" | "==" | "!="
    value      = number | column
    column     = word | "text" | 'text' | `text`

An arm is written as a column or a number is. The first clause whose condition holds names the arm. Words need no quotes
where they hold no space or sign; `and`, `or`, `not`, `in`, `else` and `missing` stand for themselves in quotes only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn

from iatros.core.errors import RequestError

_MAX_TEXT = 20_000
_MAX_NESTING = 50
_TOKENS = re.compile(
    r"""(?P<space>[ \t\r]+)
      | (?P<arrow>->|→|=>)
      | (?P<sign><=|>=|!=|==|≤|≥|≠|<|>|=)
      | (?P<mark>[(),;\n])
      | (?P<quoted>"[^"\n]*"|'[^'\n]*'|`[^`\n]*`)
      | (?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.+]))
      | (?P<word>[^\s<>=!(),;"'`≤≥≠→-][^\s<>=!(),;"'`≤≥≠→]*?(?=->|[\s<>=!(),;"'`≤≥≠→]|$))""",
    re.VERBOSE,
)
_BARE = re.compile(r"[^\W\d][\w.]*")
_KEYWORDS = ("and", "or", "not", "in", "else", "missing")
_SIGNS = {"==": "=", "≤": "<=", "≥": ">=", "≠": "!="}


@dataclass(frozen=True)
class Comparison:
    """Whether a column compares so with one value, or (with =) equals any of several."""

    column: str
    sign: str
    values: tuple[str | float, ...]


@dataclass(frozen=True)
class Missing:
    """Whether a column has no value."""

    column: str


@dataclass(frozen=True)
class Not:
    """Whether the part does not hold."""

    part: Condition


@dataclass(frozen=True)
class All:
    """Whether every part holds."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True)
class Either:
    """Whether at least one part holds."""

    parts: tuple[Condition, ...]


Condition = Comparison | Missing | Not | All | Either


@dataclass(frozen=True)
class Clause:
    """Who meets the condition is given the arm."""

    condition: Condition
    arm: str


@dataclass(frozen=True)
class Parsed:
    """The clauses in their order, and the arm of all others."""

    clauses: tuple[Clause, ...]
    otherwise: str

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the conditions read, each once, as they come."""
        read = [name for clause in self.clauses for name in columns_of(clause.condition)]
        return tuple(dict.fromkeys(read))

    @property
    def arms(self) -> tuple[str, ...]:
        """The arms named, each once, as they come."""
        return tuple(dict.fromkeys([*(clause.arm for clause in self.clauses), self.otherwise]))


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    at: int


def parse(text: str) -> Parsed:
    """The rule in `text`; RequestError with the place and what was expected where it is none.

    >>> parse("cd4 < 200 -> didanosine, else zidovudine").arms
    ('didanosine', 'zidovudine')
    """
    if len(text) > _MAX_TEXT:
        raise RequestError(f"a rule has at most {_MAX_TEXT:,} characters, this one has {len(text):,}")
    return _Parser(text).rule()


def quoted(text: str) -> str:
    """A column or an arm as `parse` reads it back: in quotes where it holds a space, a sign or a word of the grammar.

    RequestError where it holds every kind of quote, or ends its line.
    """
    if _BARE.fullmatch(text) and text.lower() not in _KEYWORDS:
        return text
    for mark in ('"', "'", "`"):
        if mark not in text and "\n" not in text:
            return mark + text + mark
    raise RequestError("a name with all three kinds of quotes, or of several lines, cannot stand in a rule")


class _Parser:
    """Reads one token after the other; each method reads what the line of the grammar with its name says."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = _tokens(text)
        self.place = 0
        self.nesting = 0

    def rule(self) -> Parsed:
        clauses: list[Clause] = []
        self.separators()
        while not self.keyword("else"):
            if self.peek().kind == "end":
                self.refuse("'else' and the arm of all other patients")
            condition = self.condition()
            self.expect("arrow", "'->' and an arm")
            clauses.append(Clause(condition, self.name("an arm")))
            if not self.separators():
                self.refuse("a comma before the next clause or 'else'")
        if self.peek().kind == "arrow":
            self.place += 1
        otherwise = self.name("an arm")
        self.separators()
        if self.peek().kind != "end":
            self.refuse("the end: 'else' comes last")
        return Parsed(tuple(clauses), otherwise)

    def condition(self) -> Condition:
        parts = [self.conjunction()]
        while self.keyword("or"):
            parts.append(self.conjunction())
        return parts[0] if len(parts) == 1 else Either(tuple(parts))

    def conjunction(self) -> Condition:
        parts = [self.negation()]
        while self.keyword("and"):
            parts.append(self.negation())
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def negation(self) -> Condition:
        negated = False
        while self.keyword("not"):
            negated = not negated
        part = self.atom()
        return Not(part) if negated else part

    def atom(self) -> Condition:
        if self.mark("("):
            self.nesting += 1
            if self.nesting > _MAX_NESTING:
                self.refuse(f"at most {_MAX_NESTING} parentheses inside each other")
            inside = self.condition()
            self.expect_mark(")")
            self.nesting -= 1
            return inside
        if self.keyword("missing"):
            self.expect_mark("(")
            column = self.name("a column")
            self.expect_mark(")")
            return Missing(column)
        column = self.name("a column")
        if self.keyword("in"):
            return Comparison(column, "=", self.values())
        sign = self.expect("sign", "a comparison (<, <=, >, >=, =, !=) or 'in (...)'")
        return Comparison(column, _SIGNS.get(sign.text, sign.text), (self.value(),))

    def values(self) -> tuple[str | float, ...]:
        self.expect_mark("(")
        found = [self.value()]
        while self.mark(","):
            found.append(self.value())
        self.expect_mark(")")
        return tuple(found)

    def value(self) -> str | float:
        token = self.peek()
        if token.kind == "number":
            self.place += 1
            return float(token.text)
        return self.name("a value")

    def name(self, what: str) -> str:
        token = self.peek()
        is_name = token.kind == "quoted" or (token.kind == "word" and token.text.lower() not in _KEYWORDS)
        # an arm may be called 0 or 1
        if not is_name and not (token.kind == "number" and what == "an arm"):
            self.refuse(what)
        self.place += 1
        return token.text[1:-1] if token.kind == "quoted" else token.text

    def separators(self) -> bool:
        begin = self.place
        while self.peek().kind == "mark" and self.peek().text in ",;\n":
            self.place += 1
        return self.place > begin

    def keyword(self, word: str) -> bool:
        token = self.peek()
        found = token.kind == "word" and token.text.lower() == word
        self.place += found
        return found

    def mark(self, text: str) -> bool:
        token = self.peek()
        found = token.kind == "mark" and token.text == text
        self.place += found
        return found

    def expect_mark(self, text: str) -> None:
        if not self.mark(text):
            self.refuse(f"'{text}'")

    def expect(self, kind: str, what: str) -> _Token:
        token = self.peek()
        if token.kind != kind:
            self.refuse(what)
        self.place += 1
        return token

    def peek(self) -> _Token:
        return self.tokens[self.place]

    def refuse(self, expected: str) -> NoReturn:
        token = self.peek()
        got = "the end of the rule" if token.kind == "end" else repr(token.text)
        raise _error(f"expected {expected}, got {got}", token.at)


def _tokens(text: str) -> list[_Token]:
    found, at = [], 0
    while at < len(text):
        match = _TOKENS.match(text, at)
        if match is None:
            raise _error(f"the character {text[at]!r} has no meaning here", at)
        if match.lastgroup != "space":
            found.append(_Token(str(match.lastgroup), match.group(), at))
        at = match.end()
    return [*found, _Token("end", "", len(text))]


def _error(said: str, at: int) -> RequestError:
    return RequestError(
        f"the rule cannot be read: {said} at character {at + 1}",
        hint="write it as 'column < number -> arm, else arm'; names with spaces or signs stand in quotes",
    )


def columns_of(condition: Condition) -> tuple[str, ...]:
    """The columns that a condition reads, each once, as they come."""
    if isinstance(condition, (Comparison, Missing)):
        return (condition.column,)
    parts = (condition.part,) if isinstance(condition, Not) else condition.parts
    return tuple(dict.fromkeys(name for part in parts for name in columns_of(part)))
