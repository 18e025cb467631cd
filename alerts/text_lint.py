"""What is wrong with a wording or with a text about to leave: every fault, with its rule, source and remedy."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from alerts.refused_words import SOURCES, WordKind
from alerts.segments import TEXT_LIMITS, length_of
from alerts.templates import LONGEST, VARIABLE, Catalogue, Claim, Reader, Template
from alerts.text_names import is_full_name
from alerts.text_rules import RULES, Rule
from alerts.text_seen import TRADITIONAL, holds, see_words

SIGNATURE_LENGTH = 12
"""Characters kept free for the signature with its brackets; Aliyun's and Tencent's are at most 12 and 15 without."""

_NEEDED_LITERALS = 6
_ALLOWED = re.compile(r"[0-9A-Za-z\u3007\u3400-\u4dbf\u4e00-\u9fff，。：；、！？（）,.:;!?()'\"“”‘’/ \-]")
_BRACKETS = re.compile(r"[【】\[\]〔〕［］〖〗]")
_LINK = re.compile(
    r"://|\bwww\b|[a-z0-9]\s*[.．。·点]\s*(?:com|cn|net|org|top|xyz|vip|gov)(?![a-z])"
    r"|[a-z0-9][.．·](?:cc|io|me|info|site|club)(?![a-z])|点\s*(?:com|cn|net)(?![a-z])|[\w.]+@[\w.]+",
    re.IGNORECASE,
)
_HIDDEN_GAP = re.compile(r"[^0-9A-Za-z\u3400-\u9fff:：]+")
_NUMERALS = dict(zip("〇零一二三四五六七八九幺壹贰叁肆伍陆柒捌玖", "001234567891123456789", strict=True))
_PHONE = re.compile(r"\d{7,}|(?<!\d)(?:110|120|119|12309|12348|12355|1234[0-9]|95\d{3}|400\d{3,})(?!\d)")
_HEDGES = {"zh": re.compile("疑似"), "en": re.compile(r"\bmay\b")}
_OTHER_HEDGES = {"zh": re.compile("可能|也许|涉嫌"), "en": re.compile(r"\b(?:might|perhaps|possibly|suspected)\b")}
_CONDUCT = {
    "zh": re.compile("违反|违规|擅自|逃|拒不|拒绝|故意|进入|离开|接触|脱管"),
    "en": re.compile(r"\b(?:entered|violat\w+|breach\w*|escap\w+|refus\w+|absconded|met)\b"),
}
_FORMS = {
    "reference": re.compile(r"[0-9A-Z]{4,8}"),
    "code": re.compile(r"[0-9A-Z]{4,8}"),
    "minutes": re.compile(r"\d{1,4}"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One fault. ``field``: the template and part; ``value``: what is wrong, never a whole name."""

    field: str
    value: str
    rule: Rule
    source: str
    zh: str
    en: str


def lint_catalogue(catalogue: Catalogue, *, signature_length: int = SIGNATURE_LENGTH) -> list[Problem]:
    """All faults of all wordings, in their order."""
    return [
        problem
        for template in catalogue.templates.values()
        for problem in lint_template(template, signature_length=signature_length)
    ]


def lint_template(template: Template, *, signature_length: int = SIGNATURE_LENGTH) -> list[Problem]:
    """All faults of one wording, as if each variable were as long as it may be."""
    field = f"{template.template_id}.{template.language}"
    if template.language not in LONGEST:
        return [problem_of(field, template.language, Rule.LANGUAGE)]
    found = _variable_faults(template, field)
    literal = VARIABLE.sub("\n", template.wording)
    found += lint_text(literal.replace("\n", " "), field=field)
    found += _claim_faults(template, literal, field)
    rare = dict.fromkeys(letter for letter in literal if letter not in TRADITIONAL and not _is_common(letter))
    found += [problem_of(field, letter, Rule.TRADITIONAL) for letter in rare]
    found += [problem_of(field, run, Rule.DIGITS) for run in re.findall(r"\d{5,}", literal)]
    if template.reader is not Reader.CALLER:
        worst = VARIABLE.sub(lambda match: "0" * LONGEST[template.language].get(match[1], 35), template.wording)
        if template.language == "zh":
            worst = worst.replace("0", "某")
        found += _length_faults(worst, template.language, field, signature_length)
    return found


def lint_text(text: str, *, field: str, known: Collection[str] = ()) -> list[Problem]:
    """Faults of the words of a text. ``known``: what must not be in it whatever it looks like: full name, school."""
    found = [problem_of(field, bracket, Rule.BRACKET) for bracket in dict.fromkeys(_BRACKETS.findall(text))]
    strange = dict.fromkeys(letter for letter in text if not _ALLOWED.match(letter) and not _BRACKETS.match(letter))
    old = [letter for letter in strange | dict.fromkeys(text) if letter in TRADITIONAL]
    found += [problem_of(field, _visible(letter), Rule.SYMBOL) for letter in strange if letter not in TRADITIONAL]
    found += [problem_of(field, letter, Rule.TRADITIONAL) for letter in dict.fromkeys(old)]
    found += [problem_of(field, match[0], Rule.LINK) for match in _LINK.finditer(text)]
    found += [problem_of(field, number, Rule.PHONE) for number in phone_numbers(text)]
    for seen in see_words(text):
        found.append(problem_of(field, seen.written, _WORD_RULES[seen.kind], word=seen.word, sources=seen.sources))
    found += [problem_of(field, f"{secret[:1]}**", Rule.KNOWN) for secret in holds(text, known)]
    return found


def lint_values(values: Mapping[str, str], *, language: str, field: str, known: Collection[str] = ()) -> list[Problem]:
    """Faults of what is put into a wording: lengths, a name that is a full name or carries a refused word."""
    longest, found = LONGEST.get(language, LONGEST["zh"]), []
    for variable, value in values.items():
        where = f"{field}.{variable}"
        if not 1 <= len(value) <= longest.get(variable, 35) or not value.strip():
            found.append(problem_of(where, f"{len(value)}", Rule.VALUE_LENGTH))
        pattern = _FORMS.get(variable)
        if pattern is not None and not pattern.fullmatch(value):
            found.append(problem_of(where, _visible(value[:8]), Rule.VALUE_FORM))
    if (name := values.get("name")) is not None:
        where = f"{field}.name"
        if "{" in name or "}" in name:
            found.append(problem_of(where, "{}", Rule.SYMBOL))
        if is_full_name(name):
            found.append(problem_of(where, f"{name[:1]}**", Rule.FULL_NAME))
        found += lint_text(name.replace("{", "").replace("}", ""), field=where, known=known)
    return found


def lint_rendered(text: str, *, language: str, field: str, signature_length: int = SIGNATURE_LENGTH) -> list[Problem]:
    """Whether the whole text fits."""
    return _length_faults(text, language, field, signature_length)


def lint_signature(signature: str) -> list[Problem]:
    """``signature`` with its brackets 【】, as the provider registered it."""
    inside = signature[1:-1]
    has_brackets = signature.startswith("【") and signature.endswith("】") and not _BRACKETS.search(inside)
    return [] if has_brackets and 2 <= len(inside) <= 15 else [problem_of("signature", signature, Rule.SIGNATURE)]


def phone_numbers(text: str) -> list[str]:
    """Runs of digits, however separated or spelt, that read like a telephone number."""
    digits = "".join(_NUMERALS.get(letter, letter) for letter in text)
    return list(dict.fromkeys(_PHONE.findall(_HIDDEN_GAP.sub("", digits))))


def _variable_faults(template: Template, field: str) -> list[Problem]:
    wording, names = template.wording, template.variables
    found = [problem_of(field, f"{{{name}}}", Rule.VARIABLE_UNKNOWN) for name in names if name not in LONGEST["zh"]]
    found += [
        problem_of(field, f"{{{name}}}", Rule.VARIABLE_TWICE) for name in dict.fromkeys(names) if names.count(name) > 1
    ]
    if re.search(r"\}[^0-9A-Za-z\u3400-\u9fff，,：:]*\{", wording):
        found.append(problem_of(field, "}{", Rule.VARIABLE_ADJACENT))
    rest = VARIABLE.sub("", wording)
    if "{" in rest or "}" in rest or "$" in rest:
        found.append(problem_of(field, re.sub(r"[^{}$]", "", rest), Rule.VARIABLE_FORM))
    if len(re.findall(r"\w", rest)) < _NEEDED_LITERALS:
        found.append(problem_of(field, wording[:35], Rule.VARIABLE_ONLY))
    if template.reader is not Reader.CALLER and "time" not in names:
        found.append(problem_of(field, "{time}", Rule.TIME_MISSING))
    return found


def _is_common(letter: str) -> bool:
    """Whether an ideograph is one of the 6,763 of GB 2312, which are simplified; names may have others."""
    if not "\u3400" <= letter <= "\u9fff":
        return True
    try:
        letter.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return True


def _claim_faults(template: Template, literal: str, field: str) -> list[Problem]:
    hedged = _HEDGES[template.language].search(literal)
    other = _OTHER_HEDGES[template.language].search(literal)
    conduct = _CONDUCT[template.language].search(literal)
    found: list[Problem] = []
    if template.claim is Claim.SUSPECTED and not hedged:
        found.append(problem_of(field, template.wording[:35], Rule.HEDGE_MISSING))
    if template.claim is not Claim.SUSPECTED and (hedged or other):
        found.append(problem_of(field, (hedged or other)[0], Rule.HEDGE_LEFT))  # type: ignore[index] # one of them is
    if template.claim is Claim.OBSERVED and conduct:
        found.append(problem_of(field, conduct[0], Rule.CONDUCT))
    return found


def _length_faults(text: str, language: str, field: str, signature_length: int) -> list[Problem]:
    size, limit = length_of(text, language=language, signature_length=signature_length), TEXT_LIMITS[language]
    return [problem_of(field, f"{size} > {limit}", Rule.LENGTH)] if size > limit else []


_WORD_RULES: dict[WordKind, Rule] = {
    WordKind.VENUE: Rule.VENUE,
    WordKind.OFFENCE: Rule.OFFENCE,
    WordKind.ORGAN: Rule.ORGAN,
    WordKind.SCHOOL: Rule.SCHOOL,
    WordKind.PERSON: Rule.PERSON,
    WordKind.LINK: Rule.LINK,
    WordKind.PROVIDER: Rule.PROVIDER,
}


def problem_of(field: str, value: str, rule: Rule, *, word: str = "", sources: tuple[str, ...] = ()) -> Problem:
    text = RULES[rule]
    also = "" if word in {"", value} else f"（{word}）"
    listed = [SOURCES[name] for name in sources if name in SOURCES and name != "invariant 11"]
    dated = [f"{item.name} {item.address}{f' {item.updated_on}' if item.updated_on else ''}" for item in listed]
    return Problem(
        field=field, value=value + also, rule=rule, source="；".join([text.source, *dated]), zh=text.zh, en=text.en
    )


def _visible(letter: str) -> str:
    return (
        letter if letter.isprintable() and not letter.isspace() else " ".join(f"U+{ord(part):04X}" for part in letter)
    )
