"""Commands for what messages say: show the wordings, check them. Neither needs a database."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from alerts.templates import BUILT_IN, LONGEST, VARIABLE, Catalogue, Claim, Reader, Template, provider_wording
from alerts.text_lint import SIGNATURE_LENGTH, Problem, lint_catalogue, lint_signature
from alerts.texts import said_time
from api.cli.problems import PROBLEMS
from api.cli.screen import out, plain_errors, show_table
from api.own_texts import read_texts_file
from api.settings import read_settings
from tracking.local_time import LOCAL_TIME

_PROVIDERS = ("aliyun", "tencent", "huawei", "baidu")

CLAIM_NAMES = {
    Claim.SUSPECTED: "疑似 suspected",
    Claim.OBSERVED: "记录 recorded",
    Claim.CONFIRMED: "核实 confirmed",
    Claim.NOTICE: "通知 notice",
}

_AT = datetime(2022, 10, 9, 22, 13, tzinfo=LOCAL_TIME)
"""Of the alert of record (reference/domain.md 1.1)."""

_SAMPLES = {"zh": {"name": "小丽"}, "en": {"name": "Lily"}}


def lint(
    file: Annotated[
        Path | None, typer.Argument(help="本单位的措辞文件；不填则用设置中的文件和自带措辞 / own wordings (TOML)")
    ] = None,
    signature: Annotated[
        str | None, typer.Option(help="签名，如 【徐州云龙检察】，计入字数 / signature, counted in")
    ] = None,
) -> None:
    """检查短信措辞：字数、禁词、变量、疑似；有问题时退出码为 1。Check the wordings; exit code 1 on any fault.

    例 / example:  hulan texts lint own-texts.toml --signature 【徐州云龙检察】
    """
    with plain_errors(*PROBLEMS):
        length = SIGNATURE_LENGTH if signature is None else len(signature)
        problems = [] if signature is None else lint_signature(signature)
        path = file or read_settings().texts_file
        if path is None:
            problems += lint_catalogue(BUILT_IN, signature_length=length)
            count = len(BUILT_IN.templates)
        else:
            own = read_texts_file(path, signature_length=length)
            problems += own.problems
            count = len(own.templates)
    show_problems(problems, count)
    if problems:
        raise typer.Exit(1)


def show(
    reader: Annotated[Reader | None, typer.Option(help="只看给谁的 / for whom")] = None,
    language: Annotated[str | None, typer.Option(help="只看 zh 或 en / one language")] = None,
    provider: Annotated[
        str | None, typer.Option(help="按服务商的写法：aliyun、tencent、huawei、baidu / as typed into its console")
    ] = None,
    as_toml: Annotated[bool, typer.Option("--toml", help="输出可修改的措辞文件 / as a file to edit")] = False,
) -> None:
    """列出短信措辞：样例，或服务商模板的写法。Show the wordings, filled in, or as a provider wants them.

    例 / example:  hulan texts show --reader guardian --language zh --provider aliyun
    """
    with plain_errors(*PROBLEMS):
        if provider is not None and provider not in _PROVIDERS:
            raise ValueError(f"没有服务商 {provider}；可用 / no such provider; there are: {', '.join(_PROVIDERS)}")
        if language is not None and language not in LONGEST:
            raise ValueError(f"没有语言 {language}；可用 / no such language; there are: {', '.join(LONGEST)}")
        chosen = [
            item
            for item in _catalogue().templates.values()
            if reader in {None, item.reader} and language in {None, item.language}
        ]
    if as_toml:
        typer.echo("\n".join(_toml(item) for item in chosen), nl=False)
        return
    heading: tuple[str, ...] = ("模板 template", "语言", "性质 claim", "措辞 wording", "版本 version", "审核 reviewed")
    if provider is not None:
        heading = (*heading, f"{provider} 编号 code")
    show_table([heading, *(_row(item, provider) for item in chosen)])
    out.print(f"措辞 wordings: {len(chosen)}", markup=False)


def show_problems(problems: list[Problem], count: int) -> None:
    """Each fault with its place, value, remedy and source; or that there is none."""
    if not problems:
        out.print(f"措辞 wordings: {count}  全部通过 all pass", markup=False)
        return
    rows = [("位置 where", "内容 value", "规则 rule", "怎么改 what to do", "依据 source")]
    rows += [(item.field, item.value, item.rule, f"{item.zh}\n{item.en}", item.source) for item in problems]
    show_table(rows, title="未通过检查的措辞 wordings that are refused")
    out.print(f"措辞 wordings: {count}  问题 faults: {len(problems)}", markup=False)


def sample(template: Template) -> str:
    """The wording filled in as on the evening of the alert of record."""
    values = {
        **_SAMPLES[template.language],
        "time": said_time(_AT, now=_AT, language=template.language),
        "reference": "0123ABCD",
        "code": "7KQ3M8TX",
        "minutes": "30",
        "message": "……" if template.language == "zh" else "...",
    }
    return VARIABLE.sub(lambda found: values[found[1]], template.wording)


def _row(item: Template, provider: str | None) -> tuple[str, ...]:
    reviewed = "未经本单位 by nobody" if item.reviewed_by is None else f"{item.reviewed_by} {item.reviewed_at}"
    row = (item.template_id, item.language, CLAIM_NAMES[item.claim])
    if provider is None:
        return (*row, sample(item), item.version, reviewed)
    return (*row, provider_wording(item, provider), item.version, reviewed, item.code_of(provider) or "–")


def _toml(item: Template) -> str:
    wording = item.wording.replace("\\", "\\\\").replace('"', '\\"')
    return (
        f'[{item.template_id}.{item.language}]\nwording = "{wording}"\nversion = "{item.version}"\n'
        f'reviewed_by = "{item.reviewed_by or ""}"\n# reviewed_at = 2026-03-01\n# codes = {{aliyun = "SMS_…"}}\n'
    )


def _catalogue() -> Catalogue:
    path = read_settings().texts_file
    return BUILT_IN if path is None else read_texts_file(path).catalogue
