"""Chinese names of businesses in one spelling, with what tells them apart in fields of their own. Pure.

A register writes 徐州市云龙区星光娱乐有限公司, a map 星光KTV（万达店）: both have the core 星光. Nothing is lost: the
full name stays, the branch is a field (two branches of a chain are two venues), and a name of nothing but words of the
trade keeps them as its core. Order of the steps: reference/venues-maps.md 3.4.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import cache

from opencc import OpenCC

from venues.divisions import (
    division_names,
    short_division_names,
    starts_with_division,
    starts_with_short_division,
)
from venues.name_words import LEGAL_FORMS, ORDINAL_BRANCHES, TYPE_WORDS

_BRACKETED = re.compile(r"\(([^()]*)\)")
_ROAD_BRANCH = re.compile(r"(?<=..)(\w{2}(?:大道|大街|广场|路|街|巷)店)$")
_TOWN = re.compile(r"\w{1,5}?(?:街道|镇|乡)(?=..)")
_BLANKS = re.compile(r"[\s·・\-_,，。、.'\"“”‘’&]+")
_MAY_BE_ACCENTED = re.compile("[\u0080-\u2e7f]")
"""No character beyond is an ASCII one with marks, and to look up each Chinese one takes long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueName:
    """One name, taken apart."""

    full: str
    """As sent, without blanks around it."""
    normal: str
    """NFKC, simplified characters, upper case, no blanks or points, Latin letters without accents."""
    core: str
    """What is left of ``normal`` without division, branch, legal form and words of the trade; empty only if it is."""
    branch: str
    """路店、分店、分公司, or what stood in brackets; empty if the name says none."""
    division: str
    """The divisions that it began with, for example 徐州市云龙区."""


def normal_text(text: str) -> str:
    """One spelling: NFKC, simplified (OpenCC t2s), upper case, Latin without accents. Blanks inside are kept."""
    spelled = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).upper())
    simplified = _simplifier().convert(_simplifier().convert(spelled))  # twice: 薴 becomes 苧, which is 苎
    return _without_accents(simplified).strip()


def parse_name(text: str) -> VenueName:
    """``text`` taken apart. Any text is a name; an empty one has empty parts."""
    spelled = normal_text(text)
    rest, bracketed = _cut_brackets(spelled)
    rest, tail = _cut_branch(rest)
    division, rest = _cut_division(rest, is_company=rest.endswith(LEGAL_FORMS))
    core = _cut_words(rest)
    return VenueName(
        full=text.strip(),
        normal=_compact(spelled),
        core=_compact(core) or _compact(rest) or _compact(spelled),
        branch=_compact("".join(part for part in (tail, bracketed) if part)),
        division=division,
    )


@cache
def _simplifier() -> OpenCC:
    return OpenCC("t2s")


def _without_accents(text: str) -> str:
    """Latin letters lose their marks; Chinese, Japanese and Korean characters keep what belongs to them."""
    return _MAY_BE_ACCENTED.sub(_without_accent, text)


def _without_accent(character: re.Match[str]) -> str:
    first = unicodedata.normalize("NFD", character.group())[0]
    return first if first.isascii() else character.group()


def _compact(text: str) -> str:
    return _BLANKS.sub("", text)


def _cut_brackets(text: str) -> tuple[str, str]:
    """The text without its brackets, and those of their contents that name a branch."""
    branches = []
    for content in _BRACKETED.findall(text):
        bare = content.strip()
        is_division = bare in division_names() or bare in short_division_names()
        if bare and bare not in LEGAL_FORMS and not is_division and not bare.startswith("原"):
            branches.append(bare)
    return _BRACKETED.sub("", text).strip(), "".join(branches)


def _cut_division(text: str, *, is_company: bool) -> tuple[str, str]:
    """Leading divisions (徐州市云龙区, and 徐州 of a company), with a town after them, and the rest, never emptied."""
    found, rest = "", text
    while (name := starts_with_division(rest)) and len(rest) - len(name) >= 2:
        found, rest = found + name, rest[len(name) :].lstrip()
    if (
        not found
        and is_company
        and (name := starts_with_short_division(rest))
        and len(_cut_words(rest)) >= len(name) + 2
    ):
        return name, rest[len(name) :]
    if found and (town := _TOWN.match(rest)):
        return found + town.group(), rest[town.end() :]
    return found, rest


def _cut_branch(text: str) -> tuple[str, str]:
    """A tail that names a branch: after a legal form, after a word of the trade, a road, or an ordinal."""
    if not text.endswith(("店", "分公司", "分部")) or text.endswith(TYPE_WORDS):
        return text, ""
    for word in _BEFORE_A_BRANCH:
        at = text.rfind(word, 1, len(text) - 1)
        tail = text[at + len(word) :].strip()
        if at > 0 and len(tail) > 1 and not tail.startswith(TYPE_WORDS):
            return text[: at + len(word)], tail
    if road := _ROAD_BRANCH.search(text):
        return text[: road.start()], road.group()
    for word in ORDINAL_BRANCHES:
        if text.endswith(word) and len(text) - len(word) >= 2:
            return text[: -len(word)], word
    return text, ""


def _cut_words(text: str) -> str:
    """Without legal forms and words of the trade at the end, as long as something is left."""
    rest = text
    while word := _last_word(rest):
        rest = rest[: -len(word)].rstrip()
    return rest


def _last_word(text: str) -> str:
    """The longest legal form or word of the trade that ``text`` ends with and does not consist of."""
    for size in range(min(_LONGEST_WORD, len(text) - 1), 0, -1):
        word = text[-size:]
        if word in _WORDS and text[:-size].strip():
            before = text[-size - 1]
            return "" if word.isascii() and before.isascii() and before.isalpha() else word
    return ""


_BEFORE_A_BRANCH = (*LEGAL_FORMS, *TYPE_WORDS)
_WORDS = frozenset((*LEGAL_FORMS, *TYPE_WORDS))
_LONGEST_WORD = max(map(len, _WORDS))
