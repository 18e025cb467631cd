"""What kind of data each column is, why it is kept, how long, and who is shown it: the form of the declarations.

``api.stored_data`` declares every column of every table; ``docs/data-protection.md`` is written from it. Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum


class DataClass(StrEnum):
    """What a column tells. The first four are about a person under supervision, and 28 PIPL covers them."""

    PERSONAL = "个人身份 personal"
    PSEUDONYM = "代号 pseudonym"
    LOCATION = "行踪 location"
    FINDING = "判断结果 finding"
    LEGAL = "法律文书 legal"
    ACCOUNT = "工作人员账号 account"
    SECRET = "秘密 secret"  # noqa: S105 # a class, no secret
    AUDIT = "审计 audit"
    PLACE = "场所 place"
    TECHNICAL = "技术 technical"


class Form(StrEnum):
    """How a value lies on the disk."""

    CLEAR = "明文 clear"
    SEALED = "加密 sealed"
    HASHED = "杂凑 hashed"


class Basis(StrEnum):
    """Why it may be kept at all (reference: 个人信息保护法 13(3), 34)."""

    ORDER = "决定书：刑诉法71、77、78、283；个保法13(3)、34 / the order"
    TOLD = "决定书；未成年人网络保护条例34 / the order: who is to be told"
    MINORS = "未保法58；检察监督 / places that may not admit minors"
    ACCESS = "网安法21；等保三级；条例36 / who may look, and the record of it"
    SEALING = "刑诉法286；人民检察院刑事诉讼规则482–486；预防未成年人犯罪法59 / sealed records, and who opened one"
    RUNNING = "为上述目的运行系统 / running the system for the purposes above"


class Retention(StrEnum):
    """When it goes."""

    WEEKS = (
        "满 `HULAN_THIN_AFTER_DAYS` 天后抽稀（证据除外），满 `HULAN_KEEP_DAYS` 天后按周整体删除；未设置则不删"
        " / thinned after `HULAN_THIN_AFTER_DAYS` but for evidence, whole weeks dropped after `HULAN_KEEP_DAYS`;"
        " unset: kept"
    )
    CASE = "随案件保存 / with the case"
    ENGINE = "随时被新状态替换 / replaced as work goes on"
    ACCOUNT = "随账号保存，停用后仍留作记录 / with the account, and after it as a record"
    FILES = "登记后即删除内容，30 天后删除结果 / content when it is registered, what became of it after 30 days"
    STATES = "满 20 分钟后的下次单点登录时 / at the first single sign-on after 20 minutes"
    FAILURES = "48 小时 / 48 hours"
    GUESSES = "满 10 分钟后的下次尝试时 / at the first try after 10 minutes"
    AUDIT = "不删除；法定至少 6 个月 / never deleted; the law asks for 6 months at least"
    REGISTER = "到下次导入为止 / until the next import replaces it"


class Seen(StrEnum):
    """Whom the database shows it under the application's role (ADR 0016, ADR 0018)."""

    CASE = "本案人员 officers of the case"
    FINDING = "本案人员，被警报涉及的 officers of the case, if a finding of theirs names it"
    EXPORT = "本人；负责人看本区划本案的 oneself, and leaders of the division, of their cases"
    OWN = "本人；账号管理员 oneself; who keeps accounts"
    ASKER = "提交的本人 who filed it"
    ALL = "所有账号 every account"
    OFFICERS_THERE = "当地及上级的办案人员 officers of the place and of the divisions above it"
    LOOK = "本案人员，在说明目的的查阅时段内 officers of the case, within a look with a purpose"
    AUDITOR = "审计管理员 the audit administrator"
    NOBODY = "无人（仅程序） nobody, the program only"


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Columns of one class in one form."""

    data_class: DataClass
    form: Form
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """One table or partitioned table."""

    table: str
    purpose: str
    basis: Basis
    retention: Retention
    seen: Seen
    groups: tuple[Group, ...]

    @property
    def columns(self) -> dict[str, Group]:
        """Column → the group that it is declared in."""
        return {column: group for group in self.groups for column in group.columns}


HEADING = "| 表 table | 用途 purpose | 类别与字段 classes and columns | 依据 basis | 保存 kept | 可见 seen by |"


def as_markdown(declarations: Sequence[Declaration]) -> str:
    """The table of the data-protection page, and what its words mean."""
    rows = [
        f"| `{item.table}` | {item.purpose} | {'<br>'.join(_group(group) for group in item.groups)}"
        f" | {item.basis.name} | {item.retention.name} | {item.seen.value} |"
        for item in declarations
    ]
    words: tuple[tuple[str, type[Enum]], ...] = (("依据 basis", Basis), ("保存 kept", Retention))
    meanings = [
        "\n".join([f"{title}:", "", *(f"- {member.name}: {member.value}" for member in kind)]) for title, kind in words
    ]
    return "\n".join([HEADING, "|---|---|---|---|---|---|", *rows, "", "\n\n".join(meanings), ""])


def _group(group: Group) -> str:
    form = "" if group.form is Form.CLEAR else f"，{group.form.value}"
    return f"{group.data_class.value}{form}: {', '.join(group.columns)}"
