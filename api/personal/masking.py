"""What a screen shows of a personal field until someone asks for all of it. Pure."""

HIDDEN = "****"

UNREADABLE = "密文被改动 altered"
"""Shown for a personal field that cannot be opened: the rest of what is shown stands."""


def masked_name(name: str) -> str:
    """The first character: 王**. Always two stars, so that the length tells nothing."""
    return f"{name[:1]}**"


def masked_phone(phone: str) -> str:
    """First three and last four digits: 138****0101."""
    return f"{phone[:3]}{HIDDEN}{phone[-4:]}" if len(phone) >= 8 else HIDDEN


def masked_id_number(id_number: str) -> str:
    """Province and the last two characters, neither birthday nor district: 320*************1X."""
    return f"{id_number[:3]}{'*' * (len(id_number) - 5)}{id_number[-2:]}" if len(id_number) >= 15 else HIDDEN


def masked_address(address: str) -> str:
    """The first three characters, which are the province: 江苏省****."""
    return f"{address[:3]}{HIDDEN}"
