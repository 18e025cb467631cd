"""How long a text message is: 70 characters a segment, or 160 septets of GSM 7 bit (3GPP TS 23.038)."""

GSM_7 = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ"
    " !\"#¤%&'()*+,-./0123456789:;<=>?¡"
    "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_7_EXTENDED = frozenset("^{}\\[~]|€\f")
"""Two septets each."""

TEXT_LIMITS: dict[str, int] = {"zh": 70, "en": 134}
"""Characters with the signature. Chinese: one segment. English: two of 67, since a signature in 【】 makes every text
UCS-2; without one, what fits here fits one segment of 160 septets too."""

SEGMENT_CHARACTERS, JOINED_CHARACTERS, SEGMENT_SEPTETS, JOINED_SEPTETS = 70, 67, 160, 153


def length_of(text: str, *, language: str, signature_length: int) -> int:
    """Characters of ``text`` and its signature; of English in GSM 7 bit, septets if these are more."""
    septets = septet_count(text)
    size = len(text) if language == "zh" or septets is None else max(len(text), septets)
    return size + signature_length


def septet_count(text: str) -> int | None:
    """Septets of ``text`` in GSM 7 bit, or ``None`` if a character is not of it."""
    if not all(letter in GSM_7 or letter in GSM_7_EXTENDED for letter in text):
        return None
    return sum(2 if letter in GSM_7_EXTENDED else 1 for letter in text)


def segment_count(text: str) -> int:
    """How many segments are billed for ``text``, which includes its signature."""
    septets = septet_count(text)
    size = len(text.encode("utf-16-be")) // 2 if septets is None else septets
    one, joined = (SEGMENT_CHARACTERS, JOINED_CHARACTERS) if septets is None else (SEGMENT_SEPTETS, JOINED_SEPTETS)
    return 1 if size <= one else -(-size // joined)
