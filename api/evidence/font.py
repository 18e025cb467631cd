"""The font of the reports, read from disk and written into every PDF, so that it reads the same on any machine.

Noto Sans SC (SIL Open Font License 1.1, which allows it) from the npm package that ``package.json`` pins.
"""

from functools import lru_cache
from pathlib import Path

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont

REGULAR, BOLD = "NotoSansSC-Regular", "NotoSansSC-Bold"

_FILES = {REGULAR: "400Regular/NotoSansSC_400Regular.ttf", BOLD: "700Bold/NotoSansSC_700Bold.ttf"}


class FontMissingError(FileNotFoundError):
    """The font is not where it should be."""


def load_fonts(root: Path | None = None) -> None:
    """Make both weights known to ReportLab. ``root``: the ``node_modules`` folder or one that holds it, ``None``: ours.

    Raises :class:`FontMissingError`.
    """
    folder = Path(__file__).resolve().parents[2] if root is None else root
    nested = folder / "node_modules"
    _load(nested if nested.is_dir() else folder)


@lru_cache(maxsize=4)
def _load(folder: Path) -> None:
    for name, file in _FILES.items():
        path = folder / "@expo-google-fonts" / "noto-sans-sc" / file
        if not path.is_file():
            raise FontMissingError(
                f"缺少字体 {path}：请运行 make prepare / the font {path} is missing: run `make prepare` (npm ci)"
            )
        pdfmetrics.registerFont(TTFont(name, path))
    pdfmetrics.registerFontFamily(REGULAR, normal=REGULAR, bold=BOLD, italic=REGULAR, boldItalic=BOLD)


def drawable(text: str) -> str:
    """The text with every character that the font lacks told by its number: 〔U+20BB7〕, never an empty box."""
    known = pdfmetrics.getFont(REGULAR).face.charToGlyph  # type: ignore[attr-defined] # not in the stubs
    return "".join(
        character if character == "\n" or ord(character) in known else f"〔U+{ord(character):04X}〕"
        for character in text
    )
