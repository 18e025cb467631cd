"""The worker: leases shards, evaluates the log as it grows, delivers. Any number may run; work happens once."""

import math
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import numpy as np
import psycopg
import structlog
from apscheduler.schedulers.background import BackgroundScheduler
from sqlalchemy import Engine
from sqlalchemy.exc import InterfaceError, OperationalError

from alerts.delivery import Providers, deliver
from api.books import Books
from api.case_intake import forget_case_files, register_waiting
from api.clock import SystemClock
from api.clock_work import ClockMemory, look_at_clock
from api.device_watch import load_watches
from api.escalating import escalate_due
from api.evaluator import Advanced, Memory, Policies, advance, load_memory
from api.guardian.link_maker import LinkMaker
from api.inbox import WAKE_CHANNEL
from api.leases import LeaseLostError, fair_share, forget_worker, lease_shards, release_leases, renew_leases
from api.outbox import DatabaseOutbox
from api.partitions import WEEK, make_room
from api.personal.keyring import Keyring, KeyringError
from api.polling import poll_providers
from api.proposing import propose_due
from api.records.shredding import shred_due
from api.reported import raise_reported
from api.retention import Thinning, drop_weeks, forget_read, thin_weeks
from geo.postgis import driver_connection
from tracking.presence_rows import to_instant
from venues.register_store import settle_ended_venues

log = structlog.get_logger()

DATABASE_AWAY = (OperationalError, InterfaceError, psycopg.OperationalError, psycopg.InterfaceError)
"""Lost connections, lock timeouts, deadlocks, a full disk: worth another try. Anything else is a bug and stops us."""

LOOKS_PER_LEASE = 3
"""How often within the time of a lease a worker renews it, and looks whether others came or went."""

CLOCK_EVERY_S = 5.0
"""How often a worker looks at what falls due by the clock alone. Twice this and the wait of ``tracking.clock_edges``
stay below the minute in which a curfew that begins must be noticed."""

BEHIND_S = 30.0
"""A worker with unread fixes reads them first, before it asks where anybody is; but no longer than this."""

ESCALATE_EVERY_S = 5.0
"""How often a worker looks whether an alert goes on to its next step."""

PROPOSE_EVERY_S = 60.0
"""How often a worker looks whether officers confirmed enough to propose a look at a guardian's order."""

CASES_EVERY_S = 1.0
"""How often a worker looks whether cases were filed."""

IDLE_WAIT_S = 1.0
"""How long an idle worker sleeps if nothing wakes it."""


@dataclass(kw_only=True)
class Worker:
    """One worker process. ``on_batch`` hears of every committed batch."""

    engine: Engine
    gateways: Providers
    clock: SystemClock
    policies: Policies
    keyring: Keyring
    lease_seconds: float
    secret: bytes = field(repr=False)
    """Of the office: spot checks are planned from it, and nobody who lacks it can tell when."""
    links: LinkMaker | None = None
    """Puts the codes of the answer page into messages that ask for one; ``None``: they leave without."""
    poll_every: timedelta = timedelta(seconds=60)
    """How often providers are asked what became of messages, by all workers together."""
    device_secret: bytes | None = field(default=None, repr=False)
    """Of the tokens of devices; ``None``: this worker registers no cases."""
    batch_size: int = 20_000
    keep_days: int | None = None
    """Weeks of fixes older than so many days are dropped; ``None`` keeps all."""
    thinning: Thinning | None = None
    """How weeks of fixes are thinned before that; ``None`` leaves them whole."""
    sign_audit: Callable[[], object] | None = None
    """Signs a checkpoint of the audit, unless another worker did so lately."""
    audit_minutes: int = 10
    on_batch: Callable[[Advanced], None] = lambda _: None
    rng: np.random.Generator = field(default_factory=np.random.default_rng)
    """How long to wait before a message is tried again."""
    owner: str = field(default_factory=lambda: f"{os.getpid()}/{uuid4().hex[:8]}")
    _stop: threading.Event = field(default_factory=threading.Event)
    _memory: Memory | None = None
    _stale: bool = False
    _failure: Exception | None = None
    _wake: threading.Event = field(default_factory=threading.Event)
    _delivery_due: threading.Event = field(default_factory=threading.Event)
    _books: Books | None = None
    _look_at: float = 0.0
    _clock_memory: ClockMemory | None = None
    _clock_at: float = -math.inf

    def run(self) -> None:
        """Work until :meth:`stop`. The database may go away and come back meanwhile."""
        scheduler = BackgroundScheduler(timezone="Asia/Shanghai")
        # Retries come due without any fix arriving; missed runs fold into one.
        scheduler.add_job(self._delivery_due.set, "interval", seconds=1, max_instances=1, coalesce=True)
        scheduler.add_job(
            self._safely, "interval", [self.tidy], hours=1, next_run_time=datetime.now(UTC), coalesce=True
        )
        # Steps that fell due while no worker ran, or this one stood still, are found by the next look: never skipped.
        scheduler.add_job(
            self._escalate_or_stop,
            "interval",
            seconds=ESCALATE_EVERY_S,
            max_instances=1,
            coalesce=True,
            misfire_grace_time=None,
        )
        # An officer who filed a case waits for it; evaluation must not.
        scheduler.add_job(
            self._safely, "interval", [self.register_cases], seconds=CASES_EVERY_S, max_instances=1, coalesce=True
        )
        scheduler.add_job(
            self._safely, "interval", [self.propose_orders], seconds=PROPOSE_EVERY_S, max_instances=1, coalesce=True
        )
        seconds = self.poll_every.total_seconds()
        scheduler.add_job(
            self._safely, "interval", [self.poll_receipts], seconds=seconds, max_instances=1, coalesce=True
        )
        if self.sign_audit is not None:
            scheduler.add_job(self._safely, "interval", [self._sign], minutes=self.audit_minutes, coalesce=True)
        scheduler.start()
        threading.Thread(target=self._listen, name="listener", daemon=True).start()
        # A slow provider must not hold up evaluation.
        delivery = threading.Thread(target=self._deliver_loop, name="delivery")
        delivery.start()
        try:
            while not self._stop.is_set():
                self._wake.clear()
                has_more = self._safely(self.step)
                if time.monotonic() >= self._clock_at + (BEHIND_S if has_more else CLOCK_EVERY_S):
                    self._safely(self.look_at_clock if not has_more else self._look_while_behind)
                if not has_more:
                    self._wake.wait(self._pause_s)
        finally:
            self.stop()
            scheduler.shutdown(wait=True)
            delivery.join()
            self._safely(self._give_back)
        if isinstance(self._failure, KeyringError):
            raise self._failure
        if self._failure is not None:
            raise RuntimeError("delivery or escalation ended: somebody would not be told") from self._failure

    @property
    def _pause_s(self) -> float:
        """No longer than until the next look at the leases: who sleeps over that loses them."""
        return min(IDLE_WAIT_S, self.lease_seconds / LOOKS_PER_LEASE)

    def stop(self) -> None:
        """Finish the batch in hand, give the shards back, and return from :meth:`run`."""
        self._stop.set()
        self._wake.set()
        self._delivery_due.set()

    def step(self) -> bool:
        """Lease, evaluate and commit one batch; True when there is more to do at once."""
        memory = self._hold_shards()
        if memory is None:
            return False
        try:
            # One snapshot for rules, zones and fixes: a rule edited meanwhile is seen by the next batch, whole.
            with self.engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
                advanced = advance(
                    connection,
                    memory,
                    policies=self.policies,
                    at=self.clock.now(),
                    most_rows=self.batch_size,
                    lease_seconds=self.lease_seconds,
                    now_for=self.clock.now_for,
                )
                connection.commit()
        except LeaseLostError:
            self._memory = None
            raise
        except Exception:
            self._stale = True  # whatever was computed was not committed
            raise
        self._memory, self._books = advanced.memory, advanced.memory.books
        if advanced.fix_count:
            self.on_batch(advanced)
        if advanced.notification_count:
            self._delivery_due.set()
        return advanced.has_more

    def look_at_clock(self, *, is_read_to_end: bool = True) -> bool:
        """Do what fell due by the clock, and commit it. False: there is never more to do at once."""
        memory = self._memory
        self._clock_at = time.monotonic()
        if memory is None or self._stale or memory.books is None or memory.swept_to == 0:
            return False
        try:
            with self.engine.begin() as connection:
                looked = look_at_clock(
                    connection,
                    memory,
                    self._clock_memory,
                    presence=self.policies.presence,
                    silence=self.policies.silence,
                    alerting=self.policies.alerting,
                    secret=self.secret,
                    now=self.clock.now_for(to_instant(memory.swept_to)),
                    is_read_to_end=is_read_to_end,
                )
        except LeaseLostError:
            self._memory = None
            raise
        except Exception:
            self._stale = True  # whatever was found was not committed
            raise
        self._memory, self._clock_memory = replace(memory, watches=looked.watches), looked.memory
        if looked.notification_count:
            self._delivery_due.set()
        return False

    def _look_while_behind(self) -> bool:
        return self.look_at_clock(is_read_to_end=False)

    def drain(self) -> None:
        """Work until the log is evaluated, what fell due is done and the outbox has nothing due; for replays, demos
        and tests.
        """
        self.register_cases()
        while self.step():
            pass
        self.look_at_clock()
        self.escalate()
        self.deliver_due()
        while self.escalate():  # who could not be reached is not waited for
            self.deliver_due()
        self.propose_orders()

    def escalate(self) -> bool:
        """Alerts of what officers reported, and the steps due of those that nobody acknowledged; whether any were."""
        memory = self._memory
        swept_to = 0 if memory is None else memory.swept_to
        now = self.clock.now_for(to_instant(swept_to)) if swept_to else self.clock.now()
        count = raise_reported(self.engine, self.policies.alerting, now=now)
        count += escalate_due(self.engine, self.policies.alerting, now=now)
        if count:
            log.info("alerts_escalated", count=count)
            self._delivery_due.set()
        return count > 0

    def _escalate_or_stop(self) -> None:
        try:
            self._safely(self.escalate)
        except Exception as error:  # a worker that cannot escalate must not go on as if it could
            self._failure = error
            self.stop()

    def poll_receipts(self) -> bool:
        """Ask providers what became of messages; whether anything was told."""
        outbox = DatabaseOutbox(self.engine, self.policies.alerting.policy, self.keyring)
        told = poll_providers(
            self.engine,
            self.gateways,
            keyring=self.keyring,
            open_address=outbox.open_address,
            now=self.clock.now(),
            every=self.poll_every,
        )
        if told:
            self._delivery_due.set()
        return told > 0

    def propose_orders(self) -> bool:
        """Ask prosecutors to look at guardians of whom officers confirmed repeated events; whether any is new."""
        count = propose_due(self.engine, self.policies.alerting.policy)
        if count:
            log.info("guardianship_orders_proposed", count=count)
        return count > 0

    def register_cases(self) -> bool:
        """Register what officers filed over the web, case by case; any number of workers may at once."""
        try:
            while (
                self.device_secret is not None
                and not self._stop.is_set()
                and register_waiting(self.engine, self.keyring, secret=self.device_secret, at=self.clock.now())
            ):
                pass
        except KeyringError as error:  # a worker that has the key takes them; this one goes on watching
            log.warning("cases_wait", reason=str(error))
        return False

    def tidy(self) -> bool:
        """Make room for the weeks to come, drop and thin old ones, destroy sealed records whose time is up, take the
        zones of businesses that are over out of force.

        Any number of workers may do it at once.
        """
        at = self.clock.now()
        with self.engine.begin() as connection:
            make_room(driver_connection(connection), [at, at + WEEK])
        if self.keep_days is not None:
            with self.engine.begin() as connection:
                for dropped in drop_weeks(connection, keep_days=self.keep_days, at=at):
                    log.info("fixes_dropped", partition=dropped.partition.name, count=dropped.fix_count)
        if self.thinning is not None:
            for thinned in thin_weeks(self.engine, self.thinning, at=at):
                log.info("fixes_thinned", partition=thinned.partition.name, count=thinned.fix_count)
        with self.engine.begin() as connection:
            forget_read(connection)
            if over := settle_ended_venues(connection):
                log.info("venues_ended", count=over)
        forget_case_files(self.engine, at=at)
        shred_due(self.engine, self.keyring, now=at)
        return False

    def _sign(self) -> bool:
        if self.sign_audit is not None:
            self.sign_audit()
        return False

    def _hold_shards(self) -> Memory | None:
        """Look after the leases when it is time; every commit of a batch renews them too."""
        held = {} if self._memory is None else self._memory.fences
        if self._stale:
            self._memory = load_memory(self.engine, held, self._books) if held else None
            self._stale = False
        if held and time.monotonic() < self._look_at:
            return self._memory
        with self.engine.begin() as connection:
            if held and not renew_leases(connection, held, lease_seconds=self.lease_seconds):
                self._memory = None
                raise LeaseLostError("a lease ran out while this worker was busy")
            share = fair_share(connection, self.owner, lease_seconds=self.lease_seconds)
            kept, surplus = dict(sorted(held.items())[:share]), dict(sorted(held.items())[share:])
            release_leases(connection, surplus)
            watches = load_watches(connection, sorted(kept)) if surplus else None
            free = share - len(kept)
            fresh = lease_shards(connection, self.owner, lease_seconds=self.lease_seconds, most=free) if free else {}
        self._look_at = time.monotonic() + self.lease_seconds / LOOKS_PER_LEASE
        if watches is not None and self._memory is not None:
            self._memory = replace(self._memory.only(kept), watches=watches, duties_until=0)
            log.info("shards_given_up", count=len(surplus), held=len(kept))
        if fresh:
            self._memory = load_memory(self.engine, kept | fresh, self._books)
            log.info("shards_leased", count=len(fresh), held=len(kept | fresh))
        return self._memory

    def deliver_due(self) -> bool:
        """Send every notification that is due; stops between two claims when the worker is told to stop."""
        alerting = self.policies.alerting
        outbox = DatabaseOutbox(self.engine, alerting.policy, self.keyring, self.links, alerting.catalogue)
        while not self._stop.is_set() and outbox.apply_news(self.clock):
            pass
        while not self._stop.is_set() and deliver(
            outbox=outbox,
            providers=self.gateways,
            clock=self.clock,
            policy=alerting.policy,
            rng=self.rng,
        ):
            pass
        return True

    def _deliver_loop(self) -> None:
        try:
            while not self._stop.is_set():
                self._delivery_due.wait()
                self._delivery_due.clear()
                self._safely(self.deliver_due)
        except Exception as error:  # a worker that cannot deliver must not go on as if it could
            self._failure = error
            self.stop()

    def _give_back(self) -> bool:
        with self.engine.begin() as connection:
            forget_worker(connection, self.owner)
            if self._memory is not None:
                release_leases(connection, self._memory.fences)
        self._memory = None
        return False

    def _safely(self, work: Callable[[], bool]) -> bool:
        """A lost lease or a database that is away is waited out; anything else is a bug and stops the worker."""
        try:
            return work()
        except LeaseLostError as error:
            log.warning("lease_lost", reason=str(error))
        except DATABASE_AWAY as error:
            log.warning("database_away", error=type(getattr(error, "orig", error)).__name__)
            self._stale = True
            time.sleep(self._pause_s)
        return False

    def _listen(self) -> None:
        """Wake the loop when fixes are committed. Without it the worker still looks every second."""
        url = self.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        while not self._stop.is_set():
            try:
                with psycopg.connect(url, autocommit=True) as connection:
                    connection.execute(f"LISTEN {WAKE_CHANNEL}".encode())
                    while not self._stop.is_set():
                        for _ in connection.notifies(timeout=1.0, stop_after=1):
                            self._wake.set()
            except psycopg.Error:
                self._stop.wait(IDLE_WAIT_S)
