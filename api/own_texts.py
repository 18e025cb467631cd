"""The office's own wordings, from the file that the settings name."""

from pathlib import Path

from alerts.own_texts import OwnTexts, OwnTextsError, read_own_texts
from alerts.templates import BUILT_IN, Catalogue
from alerts.text_lint import SIGNATURE_LENGTH
from api.settings import Settings


def load_texts(settings: Settings) -> Catalogue:
    """What may be sent. Raises OwnTextsError if the file is not there or one of its wordings is refused."""
    if settings.texts_file is None:
        return BUILT_IN
    own = read_texts_file(settings.texts_file)
    if own.problems:
        first = own.problems[0]
        raise OwnTextsError(
            f"{settings.texts_file} 有 {len(own.problems)} 处未通过检查，运行 hulan texts lint 查看；首处"
            f" / has {len(own.problems)} faults, see hulan texts lint; the first: {first.field} {first.rule}"
        )
    return own.catalogue


def read_texts_file(path: Path, *, signature_length: int = SIGNATURE_LENGTH) -> OwnTexts:
    """The file, checked. Raises OwnTextsError naming the file."""
    try:
        return read_own_texts(path.read_text(encoding="utf-8-sig"), signature_length=signature_length)
    except OSError as error:
        raise OwnTextsError(f"无法读取 cannot read {path}: {error.strerror}") from error
    except (OwnTextsError, UnicodeDecodeError) as error:
        raise OwnTextsError(f"{path}: {error}") from error
