"""Commands of evidence packs: make, verify."""

import getpass
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Connection

from api.audit import LookKind, record_look
from api.audit_checkpoint import public_keys
from api.cli.problems import PROBLEMS
from api.cli.screen import out, plain_errors, progress, say, show_table
from api.clock import SystemClock
from api.evidence.case import read_case
from api.evidence.making import KIND, make_evidence
from api.exporting.manifest import SignedPack, fingerprint_of
from api.exporting.packing import Packing, open_packing
from api.exporting.runs import ExportRun, own_entry, record_terminal_run
from api.exporting.stamp import Stamp
from api.exporting.verifying import PackFaultKind, PackReport, verify_pack
from api.ids import new_id
from api.session import open_database
from api.settings import read_settings

FOUND_FAULTS = 3
"""Exit code: the pack was read, and it is not whole. 1 is an error, 2 a wrong option."""

TERMINAL = "terminal"
"""Purpose code of what is made at the server's terminal; the purpose itself is in words."""

KIND_NAMES = {
    PackFaultKind.ALTERED: "被改动 altered",
    PackFaultKind.MISSING: "缺失 missing",
    PackFaultKind.ADDED: "多出 added",
    PackFaultKind.SWAPPED: "被对调 swapped",
    PackFaultKind.SIGNATURE: "签名不符 signature",
    PackFaultKind.COUNT: "条数不符 row count",
    PackFaultKind.CONTAINER: "压缩包不符 container",
}


def make(
    alert: Annotated[str, typer.Argument(help="警报编号，完整或短信中的 8 位 / alert id, full or the 8 characters")],
    out_file: Annotated[Path, typer.Option("--out", help="输出 ZIP，不覆盖 / the ZIP to write, never over a file")],
    purpose: Annotated[str | None, typer.Option(help="目的，记入审计与清单 / what for; goes into the audit")] = None,
) -> None:
    """制作一个警报的证据包：报告、定位、决定内容、清单与签名。The evidence pack of an alert, signed.

    例 / example:  hulan evidence make 5F2C09AB --purpose 移送起诉 --out evidence.zip
    """
    with plain_errors(*PROBLEMS):
        settings = read_settings()
        if out_file.exists() or not out_file.parent.is_dir():
            raise FileExistsError(f"文件已存在，或文件夹不存在 / there is such a file, or no such folder: {out_file}")
        packing = open_packing(settings)
        with (
            open_database(settings, say=say) as engine,
            progress("制作 making") as advance,
            engine.begin() as connection,
        ):
            pack = _made(connection, alert, packing=packing, purpose=purpose)
            advance(1)
        with out_file.open("xb") as file:  # after the commit: nothing is shown that the audit does not tell
            file.write(pack.content)
        out.print(f"证据包 evidence: {out_file}  {len(pack.content):,} bytes", markup=False, soft_wrap=True)
        out.print(f"清单 manifest SHA-256: {pack.manifest_hash.hex()}", markup=False, soft_wrap=True)
        out.print(f"公钥指纹 key fingerprint: {fingerprint_of(packing.key.public_key())}", markup=False, soft_wrap=True)


def verify(
    file: Annotated[Path, typer.Argument(help="证据包或导出的 ZIP / a pack or an export", exists=True, dir_okay=False)],
    public_key: Annotated[
        Path | None,
        typer.Option(help="制作机关的公钥；不填则用数据目录中的 / key of the office; none: those of the data folder"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="输出 JSON / print JSON")] = False,
) -> None:
    """核验证据包：指出第一处改动、缺失或多出；不需要数据库。Check a pack; names the first altered or missing file.

    退出码 exit code: 0 完好 whole, 3 有问题 faults.

    例 / example:  hulan evidence verify evidence.zip --public-key office.pem
    """
    with plain_errors(*PROBLEMS):
        trusted = _trusted(public_key)
        size = file.stat().st_size
        with progress("核验 verifying", total=size) as advance:
            report = verify_pack(file.read_bytes(), trusted=trusted, progress=advance)
        if as_json:
            told = asdict(report) | {"manifest": None if report.manifest is None else report.manifest.model_dump()}
            typer.echo(json.dumps(told, ensure_ascii=False))
        else:
            show_report(report)
    if report.faults:
        raise typer.Exit(FOUND_FAULTS)


def show_report(report: PackReport) -> None:
    """What the pack says of itself, and the faults in order."""
    if report.manifest is not None:
        told = report.manifest
        out.print(
            f"{told.kind} {told.export_id}  {told.made_by}  {told.made_at}  目的 purpose: {told.purpose}",
            markup=False,
            soft_wrap=True,
        )
        counts = (
            f"文件 files: {report.file_count}  定位 track rows: {told.track_rows}  住宿 lodging: {told.lodging_rows}"
        )
        out.print(counts, markup=False)
    if report.fingerprint is not None:
        out.print(f"签名公钥指纹 signed by key: {report.fingerprint}", markup=False, soft_wrap=True)
    if not report.faults:
        out.print("证据包完好 / the pack is whole", markup=False)
        return
    first = report.faults[0]
    out.print(f"第一处 first: {KIND_NAMES[first.kind]}  {first.where}  {first.detail}", markup=False, soft_wrap=True)
    faults = [("问题 fault", "文件 file", "说明 detail")]
    faults += [(KIND_NAMES[item.kind], item.where, item.detail) for item in report.faults]
    show_table(faults, title=f"共 {len(report.faults)} 处 faults")


def _made(connection: Connection, reference: str, *, packing: Packing, purpose: str | None) -> SignedPack:
    """The pack, and what the audit and the register of exports say of it; to be committed."""
    case = read_case(connection, reference, keyring=packing.keyring, is_synthetic=packing.is_synthetic)
    stamp = Stamp(
        export_id=new_id(),
        made_by=f"cli:{getpass.getuser()}",
        made_at=SystemClock().now(),
        purpose_code=TERMINAL,
        purpose=(purpose or "").strip(),
    )
    record_look(
        connection,
        LookKind.EVIDENCE,
        actor=stamp.made_by,
        purpose=purpose,
        subject_no=case.subject_no,
        detail=f"alert {case.alert_id} export {stamp.export_id} rows {len(case.fixes)}",
    )
    pack = make_evidence(
        case,
        stamp,
        audit=own_entry(connection),
        key=packing.key,
        algorithms=packing.algorithms,
        assets_dir=packing.assets_dir,
    )
    run = ExportRun(
        export_id=stamp.export_id,
        kind=KIND,
        account_no=None,
        made_by=stamp.made_by,
        subject_no=case.subject_no,
        alert_id=case.alert_id,
        look_id=None,
        track_rows=len(case.fixes),
        lodging_rows=0,
        manifest_hash=pack.manifest_hash,
    )
    record_terminal_run(connection, run)
    return pack


def _trusted(public_key: Path | None) -> Mapping[str, Ed25519PublicKey]:
    """The key that was given, or those that this installation knows. Raises ``ValueError`` for another kind of file."""
    if public_key is None:
        return public_keys(read_settings().data_dir)
    content = public_key.read_bytes()
    # A PEM reader would find the key within a pack, too: that would be trusting the pack because it says so.
    key = serialization.load_pem_public_key(content) if content.startswith(b"-----BEGIN PUBLIC KEY-----") else None
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError(f"{public_key} 不是 Ed25519 公钥 / is no Ed25519 public key")
    return {public_key.name: key}
