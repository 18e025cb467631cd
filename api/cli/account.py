"""Commands for accounts, tokens, divisions, case teams and devices. Whoever runs them has the database anyway."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

import typer
from sqlalchemy import Connection, text

from api.access.accounts import (
    AccountDraft,
    AccountError,
    account_no_of,
    add_division,
    create_account,
    disable_account,
    join_case,
    leave_case,
    normal_name,
    reset_totp,
    set_jurisdiction,
)
from api.access.linking import is_linked, link_identity, lock_password, unlink_identity
from api.access.roles import ADMINISTRATORS, OFFICERS, AccountRole, Scope
from api.access.throttle import Attempt, clear_account
from api.access.tokens import ScopeError, create_token, list_tokens, revoke_token
from api.cli.prepared import prepared_settings
from api.cli.problems import FORESEEABLE
from api.cli.screen import out, plain_errors, say, show_table
from api.clock import SystemClock
from api.devices import reissue_device, revoke_devices
from api.ids import subject_id_for
from api.logs import configure_logs
from api.session import open_database
from api.settings import read_settings, secret_of

account = typer.Typer(help="账号。Accounts of officers and administrators.", no_args_is_help=True)
token = typer.Typer(help="接口令牌。API tokens.", no_args_is_help=True)
device = typer.Typer(help="设备。Devices.", no_args_is_help=True)
division = typer.Typer(help="区划。Divisions: the tree of jurisdictions.", no_args_is_help=True)
team = typer.Typer(help="办案组。Case teams: who works on a case.", no_args_is_help=True)

LoginName = Annotated[str, typer.Argument(help="登录名 / log-in name")]
StaffNumber = Annotated[str, typer.Option(help="工号，一人一号 / staff number: one person, one account")]
DisplayName = Annotated[str, typer.Option("--name", help="姓名 / name")]
SubjectReference = Annotated[str, typer.Argument(help="对象编号：案件编号或 id / reference or id of the subject")]


@contextmanager
def _transaction() -> Iterator[tuple[Connection, bytes, datetime]]:
    """One transaction, the secret, and the time it is."""
    with plain_errors(*FORESEEABLE, AccountError, ScopeError):
        settings = prepared_settings()
        configure_logs(settings.log_level)
        with open_database(settings, say=say) as engine, engine.begin() as connection:
            yield connection, secret_of(settings), SystemClock().now()


def _show_secret(label: str, secret: str) -> None:
    out.print(f"{label}: {secret}", markup=False, highlight=False, soft_wrap=True)
    say("只显示这一次，请当面交付 / shown this once: hand it over in person")


@account.command("create-admin")
def create_admin(
    login_name: LoginName,
    staff_number: StaffNumber,
    name: DisplayName,
    role: Annotated[AccountRole, typer.Option(help="三类管理员之一 / one of the three")] = (
        AccountRole.SECURITY_ADMINISTRATOR
    ),
) -> None:
    """新建管理员：系统、安全、审计三类互斥。An administrator: system, security or audit, and nothing else.

    例 / example:  hulan account create-admin an --staff-number A-001 --name 安 --role security_administrator
    """
    with _transaction() as (connection, _, now):
        if role not in ADMINISTRATORS:
            raise AccountError(f"{role} 不是管理员角色 / {role} is not an administrator's role: use account create")
        draft = AccountDraft(
            login_name=login_name, staff_number=staff_number, display_name=name, roles=frozenset({role})
        )
        _, password = create_account(connection, draft, now=now)
    _show_secret("初始密码 / first password", password)


@account.command("create")
def create(
    login_name: LoginName,
    staff_number: StaffNumber,
    name: DisplayName,
    role: Annotated[list[AccountRole], typer.Option(help="角色，可多次 / role, may be repeated")],
    division: Annotated[str, typer.Option(help="区划代码 / code of the division")],
    days: Annotated[int | None, typer.Option(min=1, help="账号有效天数 / the account ends after so many days")] = None,
) -> None:
    """新建办案人员账号。An officer's account.

    例 / example:  hulan account create wang --staff-number P-017 --name 王 --role prosecutor --division 320303
    """
    with _transaction() as (connection, _, now):
        if not set(role) <= OFFICERS:
            raise AccountError("管理员请用 create-admin 新建 / administrators are made with create-admin")
        draft = AccountDraft(
            login_name=login_name,
            staff_number=staff_number,
            display_name=name,
            roles=frozenset(role),
            division_code=division,
            expires_at=None if days is None else now + timedelta(days=days),
        )
        _, password = create_account(connection, draft, now=now)
    _show_secret("初始密码 / first password", password)


@account.command("disable")
def disable(login_name: LoginName) -> None:
    """停用账号，会话与令牌立即失效。Disable an account, its sessions and its tokens at once."""
    with _transaction() as (connection, _, now):
        disable_account(connection, account_no_of(connection, login_name), now=now)
    out.print("已停用 / disabled")


@account.command("unlock")
def unlock(login_name: LoginName) -> None:
    """解除登录锁定。Forget the failed log-ins of an account."""
    with _transaction() as (connection, secret, _):
        account_no_of(connection, login_name)
        attempt = Attempt.of(login_name=normal_name(login_name), address="", secret=secret)
        clear_account(connection, attempt.account_key)
    out.print("已解锁 / unlocked")


@account.command("reset-totp")
def reset(login_name: LoginName) -> None:
    """手机丢失：重置两步验证，并发新的初始密码。For a lost telephone: both factors anew."""
    with _transaction() as (connection, _, now):
        account_no = account_no_of(connection, login_name)
        password = reset_totp(connection, account_no, now=now)
        is_by_provider = is_linked(connection, account_no)
        if is_by_provider:
            lock_password(connection, account_no)
    if is_by_provider:
        out.print("已重置；请用单点登录后重新绑定 / reset: log in at the provider and enrol anew")
        return
    _show_secret("初始密码 / first password", password)


@account.command("link-oidc")
def link_oidc(
    login_name: LoginName,
    subject: Annotated[str, typer.Option(help="身份提供者给此人的 sub / the provider's `sub` of this person")],
    issuer: Annotated[str | None, typer.Option(help="签发者，默认 HULAN_OIDC_ISSUER / issuer")] = None,
) -> None:
    """把账号关联到单点登录的身份；此后不能再用密码登录。Link an account to an identity: no password opens it any more.

    例 / example:  hulan account link-oidc wang --subject 248289761001
    """
    with _transaction() as (connection, _, now):
        issuer = issuer or read_settings().oidc_issuer
        if not issuer or not subject:
            raise AccountError("需要 --issuer 或 HULAN_OIDC_ISSUER / --issuer or HULAN_OIDC_ISSUER is needed")
        link_identity(connection, account_no_of(connection, login_name), issuer=issuer, subject=subject, now=now)
    out.print("已关联 / linked")


@account.command("unlink-oidc")
def unlink_oidc(login_name: LoginName) -> None:
    """解除关联，并发新的初始密码。Undo the link; a new first password."""
    with _transaction() as (connection, _, now):
        password = unlink_identity(connection, account_no_of(connection, login_name), now=now)
    _show_secret("初始密码 / first password", password)


@token.command("create")
def create_api_token(
    login_name: LoginName,
    scope: Annotated[list[Scope], typer.Option(help="范围，可多次 / scope, may be repeated")],
    label: Annotated[str, typer.Option(help="用途 / what it is for")],
    days: Annotated[int, typer.Option(min=1, max=365, help="有效天数 / days it lives")] = 90,
) -> None:
    """新建接口令牌，只显示一次。A token of an account, shown once."""
    with _transaction() as (connection, secret, now):
        account_no = account_no_of(connection, login_name)
        rows = connection.execute(text("SELECT role FROM account_role WHERE account_no = :no"), {"no": account_no})
        _, made = create_token(
            connection,
            account_no,
            label=label,
            scopes=scope,
            roles=frozenset(AccountRole(row.role) for row in rows),
            life=timedelta(days=days),
            secret=secret,
            now=now,
        )
    _show_secret("令牌 / token", made)


@token.command("list")
def list_api_tokens(login_name: LoginName) -> None:
    """列出账号的令牌。The tokens of an account, without the tokens themselves."""
    with _transaction() as (connection, _, _now):
        rows = list_tokens(connection, account_no_of(connection, login_name))
    heading = ("编号 id", "用途 label", "范围 scopes", "到期 expires", "吊销 revoked")
    table = [
        (str(row.token_id), row.label, " ".join(row.scopes), f"{row.expires_at:%Y-%m-%d}", str(row.revoked_at or ""))
        for row in rows
    ]
    show_table([heading, *table])


@token.command("revoke")
def revoke_api_token(login_name: LoginName, token_id: Annotated[UUID, typer.Argument(help="编号 / id")]) -> None:
    """吊销令牌。Revoke a token."""
    with _transaction() as (connection, _, now):
        if not revoke_token(connection, account_no_of(connection, login_name), token_id, now=now):
            raise AccountError("该账号没有这个有效令牌 / the account has no such token in force")
    out.print("已吊销 / revoked")


@device.command("reissue")
def reissue(reference: SubjectReference) -> None:
    """换发设备令牌，旧令牌失效。A new device token for a subject; the old ones are revoked."""
    with _transaction() as (connection, secret, now):
        made = reissue_device(connection, _subject_no(connection, reference), secret, now=now)
    _show_secret("设备令牌 / device token", made)


@device.command("revoke")
def revoke(reference: SubjectReference) -> None:
    """吊销监管对象的全部设备。Revoke every device of a subject."""
    with _transaction() as (connection, _, now):
        count = revoke_devices(connection, _subject_no(connection, reference), now=now)
    out.print(f"已吊销设备 / devices revoked: {count}")


@division.command("add")
def add(
    code: Annotated[str, typer.Argument(help="代码 / code, e.g. 320303")],
    name: Annotated[str, typer.Option(help="名称 / name")],
    parent: Annotated[str | None, typer.Option(help="上级代码 / code of the division above")] = None,
) -> None:
    """新增区划。Add a division; accounts see cases of their own division and those below it."""
    with _transaction() as (connection, _, _now):
        add_division(connection, code=code, name=name, parent_code=parent)
    out.print("已保存 / saved")


@team.command("join")
def join(
    reference: SubjectReference,
    login_name: LoginName,
    division: Annotated[str | None, typer.Option(help="案件所属区划 / division of the case")] = None,
) -> None:
    """加入办案组。Put an officer on the team of a case; with --division also say whose case it is."""
    with _transaction() as (connection, _, now):
        subject_no = _subject_no(connection, reference)
        if division is not None:
            set_jurisdiction(connection, subject_no, division)
        join_case(connection, subject_no, account_no_of(connection, login_name), now=now)
    out.print("已加入 / joined")


@team.command("leave")
def leave(reference: SubjectReference, login_name: LoginName) -> None:
    """退出办案组。Take an officer off the team of a case."""
    with _transaction() as (connection, _, now):
        leave_case(connection, _subject_no(connection, reference), account_no_of(connection, login_name), now=now)
    out.print("已退出 / left")


def _subject_no(connection: Connection, reference: str) -> int:
    found = connection.execute(
        text("SELECT subject_no FROM open_subject WHERE subject_id = :subject_id"),
        {"subject_id": subject_id_for(reference)},
    ).scalar()
    if found is None:
        raise AccountError("没有这个监管对象 / there is no such subject")
    return int(found)
