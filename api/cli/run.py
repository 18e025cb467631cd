"""Commands that run: up, serve, worker, migrate."""

import hmac
import signal
import socket
import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated

import typer
from pydantic import SecretStr
from sqlalchemy import Engine

from alerts.gateway import Message
from alerts.link import LinkPolicy, link_key
from api.access.oidc import OidcPlan
from api.access.sessions import SessionTimes
from api.alerting import Alerting
from api.app import create_app
from api.audit_chain import Algorithm
from api.audit_checkpoint import AuditKeys, make_checkpoint
from api.cli.prepared import prepared_settings
from api.cli.problems import FORESEEABLE
from api.cli.screen import out, plain_errors, say
from api.clock import EventClock, SystemClock
from api.database import migrate as migrate_schema
from api.database import open_engine
from api.evaluator import Policies
from api.exporting.packing import open_packing
from api.fix_log import rebase
from api.gateways import open_gateways
from api.guardian.link_maker import LinkMaker
from api.logins import Login
from api.logs import configure_logs
from api.own_policy import load_policy
from api.own_texts import load_texts
from api.papers.desk import PaperDesk
from api.personal.masking import masked_phone
from api.personal.opening import open_checked_keyring, open_keyring
from api.retention import Dropped, Thinning, drop_weeks, rehearse_thinning, thin_weeks
from api.session import NotReadyError, open_database, url_for
from api.settings import (
    MOST_THIN_MINUTES,
    SHORTEST_KEEP_DAYS,
    SHORTEST_THIN_DAYS,
    Settings,
    secret_of,
)
from api.web_server import WebServer
from api.worker import Worker
from tracking.policy import PresencePolicy
from venues.gateway_distance_law import load_lead_routes

Port = Annotated[int | None, typer.Option(help="监听端口 / port to listen on; default HULAN_PORT or 8080")]


def up(port: Port = None) -> None:
    """在一台机器上启动全部：数据库、网页接口与处理进程。Everything on one machine: database, HTTP and worker.

    例 / example:  hulan up --port 8080
    """
    with plain_errors(*FORESEEABLE):
        settings = _settings(port)
        with (
            open_database(settings, say=say, login=Login.WEB, pool_size=20) as for_web,
            open_database(settings, say=say, login=Login.WORKER) as for_worker,
        ):
            server = make_server(settings, for_web)
            worker = make_worker(settings, for_worker)
            failures: list[BaseException] = []

            def work() -> None:
                try:
                    worker.run()
                except BaseException as error:
                    failures.append(error)
                    raise
                finally:
                    server.should_exit = True  # fixes must not be taken by a machine that does not look at them

            thread = threading.Thread(target=work, name="worker")
            thread.start()
            try:
                server.run()
            finally:
                worker.stop()
                thread.join()
            if failures:
                raise NotReadyError(
                    f"处理进程出错停止，见日志 / the worker failed, see its log: {type(failures[0]).__name__}"
                )


def serve(port: Port = None) -> None:
    """启动网页接口；可同时运行多个。The HTTP interface; any number may run.

    例 / example:  hulan serve --port 8080
    """
    with plain_errors(*FORESEEABLE):
        settings = _settings(port)
        with open_database(settings, say=say, login=Login.WEB, pool_size=20) as engine:
            make_server(settings, engine).run()


def worker() -> None:
    """启动处理进程：评估定位、发送通知；可同时运行多个。The worker: evaluates fixes and delivers; any number may run.

    例 / example:  hulan worker
    """
    with plain_errors(*FORESEEABLE):
        settings = _settings(None)
        with open_database(settings, say=say, login=Login.WORKER) as engine:
            process = make_worker(settings, engine)
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: process.stop())
            process.run()


def migrate(
    restored: Annotated[
        bool,
        typer.Option(
            "--restored", help="从转储恢复后运行一次 / run once after restoring a dump, before any other command"
        ),
    ] = False,
) -> None:
    """把数据库结构升级到本版本。Bring the database schema to this version.

    例 / example:  HULAN_DATABASE_URL=postgresql+psycopg://… hulan migrate
    """
    with plain_errors(*FORESEEABLE):
        settings = _settings(None)
        if settings.is_embedded:
            with open_database(settings, say=say) as engine:
                version = migrate_schema(engine, keyring=open_keyring(settings))
                _rebase_if(engine, restored)
        else:
            engine = open_engine(url_for(settings, Login.OWNER), audit_hash=settings.audit_hash)
            version = migrate_schema(engine, keyring=open_keyring(settings))
            _rebase_if(engine, restored)
        out.print(f"数据库结构版本 / schema version: {version}")


def retention(
    keep_days: Annotated[
        int | None, typer.Option(help="保留天数 / days to keep; default HULAN_KEEP_DAYS", min=SHORTEST_KEEP_DAYS)
    ] = None,
    thin_after_days: Annotated[
        int | None,
        typer.Option(
            help="多少天后抽稀 / thin after so many days; default HULAN_THIN_AFTER_DAYS", min=SHORTEST_THIN_DAYS
        ),
    ] = None,
    thin_minutes: Annotated[
        int | None,
        typer.Option(help="每多少分钟留一条 / default HULAN_THIN_MINUTES", min=1, max=MOST_THIN_MINUTES),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="只列出，不删除 / list only, drop nothing")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="不再询问 / do not ask")] = False,
) -> None:
    """按周删除超过保留期的定位，并抽稀较早的定位。Drop and thin old fixes, week by week.

    例 / example:  hulan retention --keep-days 365 --thin-after-days 60 --dry-run
    """
    with plain_errors(*FORESEEABLE):
        settings = _settings(None)
        days = keep_days or settings.keep_days
        thinning = _thinning(settings, thin_after_days, thin_minutes)
        if days is None and thinning is None:
            raise NotReadyError(
                "没有设定天数：请用 --keep-days 或 HULAN_KEEP_DAYS，--thin-after-days 或 HULAN_THIN_AFTER_DAYS"
                " / no age is set: give --keep-days or HULAN_KEEP_DAYS, --thin-after-days or HULAN_THIN_AFTER_DAYS"
            )
        at = SystemClock().now()
        with open_database(settings, say=say) as engine:
            if days is not None:
                _drop(engine, days, at=at, is_rehearsal=dry_run, is_agreed=yes)
            if thinning is not None:
                _thin(engine, thinning, at=at, is_rehearsal=dry_run, is_agreed=yes)


def _drop(engine: Engine, days: int, *, at: datetime, is_rehearsal: bool, is_agreed: bool) -> None:
    with engine.begin() as connection:
        weeks = drop_weeks(connection, keep_days=days, at=at, is_rehearsal=True)
    _list_weeks(weeks)
    if is_rehearsal or not weeks:
        out.print(f"超过 {days} 天的周数 / weeks older than {days} days: {len(weeks)}", highlight=False)
        return
    _agree("以上定位将被永久删除，不可恢复。继续？/ These fixes will be gone for good. Go on?", is_agreed)
    with engine.begin() as connection:
        dropped = drop_weeks(connection, keep_days=days, at=at)
    count = sum(week.fix_count for week in dropped)
    out.print(f"已删除 / dropped: {len(dropped)} 周 weeks, {count} 条定位 fixes", highlight=False)


def _thin(engine: Engine, policy: Thinning, *, at: datetime, is_rehearsal: bool, is_agreed: bool) -> None:
    with engine.connect() as connection:
        weeks = rehearse_thinning(connection, policy, at=at)
    _list_weeks(weeks, what="将抽去的定位 fixes to be thinned out")
    if is_rehearsal or not weeks:
        words = f"待抽稀的周数（{policy.after_days} 天前，每 {policy.minutes} 分钟一条）"
        english = f"weeks to thin, older than {policy.after_days} days, to one per {policy.minutes} minutes"
        out.print(f"{words} / {english}: {len(weeks)}", highlight=False)
        return
    question = "以上定位将被永久删除，违规的证据不动。继续？/ These fixes will be gone for good; evidence stays. Go on?"
    _agree(question, is_agreed)
    thinned = thin_weeks(engine, policy, at=at)
    count = sum(week.fix_count for week in thinned)
    out.print(f"已抽稀 / thinned: {len(thinned)} 周 weeks, {count} 条定位 fixes removed", highlight=False)


def _list_weeks(weeks: Sequence[Dropped], *, what: str = "定位 fixes") -> None:
    for week in weeks:
        span = f"{week.partition.from_at:%Y-%m-%d} – {week.partition.to_at:%Y-%m-%d}"
        out.print(f"{span}  {what}: {week.fix_count}", highlight=False)


def _agree(question: str, is_agreed: bool) -> None:
    if not is_agreed:
        typer.confirm(question, abort=True)


def _thinning(settings: Settings, after_days: int | None = None, minutes: int | None = None) -> Thinning | None:
    days = after_days or settings.thin_after_days
    return None if days is None else Thinning(after_days=days, minutes=minutes or settings.thin_minutes)


def _rebase_if(engine: Engine, is_restored: bool) -> None:
    if is_restored:
        with engine.begin() as connection:
            unread = rebase(connection)
        out.print(f"读取位置已重置，待评估的定位 / cursors rebased, fixes still to be evaluated: {unread}")


def make_worker(settings: Settings, engine: Engine) -> Worker:
    """A worker as the settings say. Raises ``KeyringError``: it could not open the numbers that it sends to."""
    keys = AuditKeys.open(settings.data_dir)
    between = timedelta(minutes=settings.audit_checkpoint_minutes)

    def sign_audit() -> object:
        algorithm, at = Algorithm(settings.audit_hash), SystemClock().now()
        return make_checkpoint(engine, keys, at=at, algorithm=algorithm, unless_since=between / 2)

    catalogue = load_texts(settings)
    alerting = Alerting(policy=load_policy(settings), catalogue=catalogue, with_code=settings.guardian_codes)
    return Worker(
        sign_audit=sign_audit,
        audit_minutes=settings.audit_checkpoint_minutes,
        engine=engine,
        gateways=open_gateways(settings, _show_message, catalogue),
        clock=EventClock() if settings.clock == "event" else SystemClock(),
        policies=Policies(presence=PresencePolicy(), alerting=alerting),
        keyring=open_checked_keyring(settings, engine),
        lease_seconds=settings.lease_seconds,
        device_secret=secret_of(settings),
        secret=hmac.digest(secret_of(settings), b"spot checks", "sha256"),
        links=_link_maker(settings),
        poll_every=timedelta(seconds=settings.receipt_poll_seconds),
        batch_size=settings.batch_size,
        keep_days=settings.keep_days,
        thinning=_thinning(settings),
    )


def _settings(port: int | None) -> Settings:
    settings = prepared_settings(**({} if port is None else {"port": port}))
    configure_logs(settings.log_level)
    return settings


def _oidc_plan(settings: Settings) -> OidcPlan | None:
    if settings.oidc_issuer is None:
        return None
    assert settings.oidc_client_id and settings.oidc_client_secret and settings.public_url  # by the settings' check
    return OidcPlan(
        issuer=settings.oidc_issuer,
        client_id=settings.oidc_client_id,
        client_secret=settings.oidc_client_secret.get_secret_value(),
        name=settings.oidc_name,
        public_url=settings.public_url,
        second_factors=frozenset(filter(None, map(str.strip, settings.oidc_second_factors.split(",")))),
    )


def _link_maker(settings: Settings) -> LinkMaker | None:
    if not settings.guardian_codes:
        return None
    return LinkMaker(key=link_key(secret_of(settings)), policy=_link_policy(settings), public_url=settings.public_url)


def _link_policy(settings: Settings) -> LinkPolicy:
    return LinkPolicy(lasts=timedelta(hours=settings.guardian_link_hours), shows_circle=settings.guardian_circle)


def _secret_text(value: SecretStr | None) -> str:
    return "" if value is None else value.get_secret_value()


def make_server(settings: Settings, engine: Engine) -> WebServer:
    app = create_app(
        engine=engine,
        secret=secret_of(settings),
        clock=SystemClock(),
        keyring=open_keyring(settings),
        trusts_received_at=settings.clock == "event",
        oidc=_oidc_plan(settings),
        session_times=SessionTimes(
            idle=timedelta(minutes=settings.session_idle_minutes), most=timedelta(hours=settings.session_hours)
        ),
        packing=open_packing(settings),
        links=_link_policy(settings),
        catalogue=load_texts(settings),
        callback_token=_secret_text(settings.callback_token),
        webhook_secret=_secret_text(settings.webhook_secret).encode(),
        alert_policy=load_policy(settings),
        paper_desk=PaperDesk(data_dir=settings.data_dir, assets_dir=settings.assets_dir),
        lead_routes=load_lead_routes(settings.lead_routes_file),
    )
    return _AnnouncedServer(app, host=settings.host, port=settings.port, forwarded_allow_ips=settings.trusted_proxies)


class _AnnouncedServer(WebServer):
    """Says where it listens once it does."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Bind, then say so."""
        await super().startup(sockets=sockets)
        if self.started:
            where = f"http://{self.config.host}:{self.config.port}"
            out.print(f"护栏已启动 / Hulan listens on {where}", markup=False)


def _show_message(message: Message) -> None:
    """On a terminal only: what goes to a file is a log, and a log holds no personal data."""
    if out.is_terminal:
        out.print(f"短信 SMS → {masked_phone(message.address)}  {message.text}", markup=False)
