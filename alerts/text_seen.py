"""What a text says whatever it is written in: full width, traditional, look-alikes, pinyin, letters pulled apart.

Not seen: characters taken apart into their components, and homophones that are words of their own.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from alerts.refused_words import ENGLISH_WORDS, REFUSED_WORDS, RefusedWord, WordKind

_TRADITIONAL_PAIRS = (
    "網网館馆賭赌廳厅遊游戲戏學学園园兒儿訴诉訟讼傳传煙烟菸烟會会檯台臺台總总樂乐將将賓宾藝艺電电競竞劇剧殺杀審审檢检"
    "黨党監监獄狱矯矫盜盗搶抢詐诈騙骗傷伤姦奸嚇吓調调貸贷債债鬥斗毆殴販贩證证罰罚偵侦號号碼码鏈链連连點点擊击強强組组"
    "團团眾众醫医療疗險险養养師师業业體体場场獎奖購购發发費费還还練练廂厢間间咖咖檔档開开據据報报滿满離离進进"
    "區区請请實实帶带親亲稱称經经規规動动範范聯联係系繫系設设備备關关閉闭權权檢检機机終终級级個个務务員员證证壞坏話话"
    "頭头後后辦办應应時时從从對对產产這这裡里無无與与為为過过遠远運运題题錄录說说語语認认識识警警處处幼幼類类選选"
)
TRADITIONAL: dict[str, str] = {
    old: new for old, new in zip(_TRADITIONAL_PAIRS[::2], _TRADITIONAL_PAIRS[1::2], strict=True) if old != new
}
"""Traditional → simplified: the characters of refused words and the commonest of messages."""

LOOK_ALIKES: dict[str, str] = {
    "酒": "洒氿九久玖", "吧": "巴叭芭疤", "网": "罔纲冈", "赌": "堵睹", "博": "搏膊", "毒": "独读", "浴": "裕峪",
    "会": "汇", "所": "锁", "馆": "倌管", "店": "惦", "彩": "采", "厅": "汀听", "犯": "范", "校": "较", "院": "垸",
    "骗": "编", "盗": "倒", "台": "苔抬", "球": "求", "牌": "拍", "微": "威薇", "信": "芯",
}  # fmt: skip
"""Character → those written in its place. Used within words of two characters and more only."""

_LEET = {"0": "o", "1": "i", "3": "e", "4": "a", "5": "s"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A refused word in a text: the word, and how the text writes it."""

    word: str
    kind: WordKind
    sources: tuple[str, ...]
    written: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Folded:
    """A text without what hides words. ``places``: of each character, its index in the text."""

    letters: str
    places: tuple[int, ...]


def fold(text: str) -> Folded:
    """Letters, digits and ideographs only: NFKC, lower case, without accents, simplified."""
    letters: list[str] = []
    places: list[int] = []
    for place, written in enumerate(text):
        for part in unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", written)).casefold():
            if part.isalnum():
                letters.append(TRADITIONAL.get(part, part))
                places.append(place)
    return Folded(letters="".join(letters), places=tuple(places))


def see_words(text: str) -> list[Seen]:
    """Every refused word that ``text`` holds, however written, each once, and none that is part of one found."""
    folded = fold(text)
    found: dict[str, Seen] = {}
    for pattern, words in _PATTERNS:
        if pattern.search(folded.letters) is None:
            continue
        for word, single in words:
            if word.word not in found and (place := _find(single, folded, text)) is not None:
                found[word.word] = Seen(word=word.word, kind=word.kind, sources=word.sources, written=place)
    return [seen for word, seen in found.items() if not any(word != other and word in other for other in found)]


def holds(text: str, secrets: Iterable[str]) -> list[str]:
    """Which of ``secrets`` (a full name, a school) ``text`` holds, however they are pulled apart."""
    folded = fold(text).letters
    return [secret for secret in secrets if len(wanted := fold(secret).letters) > 1 and wanted in folded]


def _find(pattern: re.Pattern[str], folded: Folded, text: str) -> str | None:
    """How the text writes the word. Latin letters must not run on: ``ba`` is in ``jiu ba``, not in ``bay``."""
    for match in pattern.finditer(folded.letters):
        first, last = match.start(), match.end() - 1
        if not (_runs_on(folded, first - 1, first) or _runs_on(folded, last, last + 1)):
            return text[folded.places[first] : folded.places[last] + 1]
    return None


def _runs_on(folded: Folded, left: int, right: int) -> bool:
    if left < 0 or right >= len(folded.letters):
        return False
    pair = folded.letters[left] + folded.letters[right]
    return pair.isascii() and pair.isalpha() and folded.places[right] - folded.places[left] <= 1


def _chinese_pattern(word: RefusedWord) -> str:
    parts: list[str] = []
    for number, character in enumerate(word.word.casefold()):
        written = re.escape(character)
        if len(word.word) > 1 and character in LOOK_ALIKES:
            written = f"[{character}{LOOK_ALIKES[character]}]"
        parts.append(f"(?:{written}|{word.pinyin[number]})" if word.pinyin else written)
    return "".join(parts)


def _english_pattern(word: str) -> str:
    digits = {letter: digit for digit, letter in _LEET.items()}
    letters = "".join(f"[{letter}{digits[letter]}]" if letter in digits else letter for letter in word)
    return f"{letters}(?:e?s)?"


def _compile() -> list[tuple[re.Pattern[str], list[tuple[RefusedWord, re.Pattern[str]]]]]:
    chinese = [(word, _chinese_pattern(word)) for word in REFUSED_WORDS]
    english = [
        (RefusedWord(word=word, kind=kind), _english_pattern(word))
        for kind, line in ENGLISH_WORDS.items()
        for word in line.split()
    ]
    return [
        (
            re.compile("|".join(pattern for _, pattern in group)),
            [(word, re.compile(pattern)) for word, pattern in group],
        )
        for group in (chinese, english)
    ]


_PATTERNS = _compile()
