"""An evidence pack from what was read: the four files, then manifest and signature. Pure but for the fonts on disk."""

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from api.audit_chain import Algorithm
from api.evidence.case import EvidenceCase
from api.evidence.files import alert_json, fixes_csv, fixes_geojson
from api.evidence.font import load_fonts
from api.evidence.report import Provenance, report_pdf
from api.exporting.manifest import AuditPlace, Contents, SignedPack, fingerprint_of, sign_pack
from api.exporting.stamp import Stamp

KIND = "evidence"


def make_evidence(
    case: EvidenceCase,
    stamp: Stamp,
    *,
    audit: AuditPlace,
    key: Ed25519PrivateKey,
    algorithms: tuple[Algorithm, ...],
    assets_dir: Path | None = None,
) -> SignedPack:
    """The pack of one alert; the same input gives the same bytes. Raises ``FontMissingError``."""
    load_fonts(assets_dir)
    versions = versions_of(case.statement)
    provenance = Provenance(
        stamp=stamp, audit=audit, fingerprint=fingerprint_of(key.public_key()), versions=dict(versions)
    )
    contents = Contents(
        kind=KIND,
        subject_id=case.subject_id,
        alert_id=case.alert_id,
        members={
            "report.pdf": report_pdf(case, provenance),
            "fixes.geojson": fixes_geojson(case, stamp),
            "fixes.csv": fixes_csv(case, stamp),
            "alert.json": alert_json(case, stamp),
        },
        row_counts={"fixes.geojson": len(case.fixes), "fixes.csv": len(case.fixes)},
        track_rows=len(case.fixes),
    )
    return sign_pack(contents, stamp, audit=audit, versions=versions, algorithms=algorithms, key=key)


def versions_of(statement: Mapping[str, object]) -> Mapping[str, str]:
    """The program that made the pack, and engine and policy of the first violation."""
    first = statement["violations"][0]  # type: ignore[index] # as `api.evidence.case` writes it
    return {"hulan": version("hulan"), "engine": first["engine_version"], "policy": first["policy_version"]}
