"""A paper as an answer: a file to be saved, that no cache keeps."""

from fastapi import Response

from api.papers.desk import PaperKind

MEDIA_TYPES = {
    PaperKind.WORD: "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    PaperKind.PDF: "application/pdf",
}


def as_paper(content: bytes, name: str, kind: PaperKind) -> Response:
    """``name``: without suffix, of letters, digits and hyphens."""
    return Response(
        content,
        media_type=MEDIA_TYPES[kind],
        headers={"Content-Disposition": f'attachment; filename="{name}.{kind}"', "Cache-Control": "no-store"},
    )
