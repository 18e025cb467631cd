"""The worker: leases shards, evaluates the log as it grows, delivers. Any number may run; work happens once."""

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import uuid4

import psycopg
import structlog
from apscheduler.schedulers.background import BackgroundScheduler
from sqlalchemy import Engine
from sqlalchemy.exc import InterfaceError, OperationalError

from alerts.delivery import deliver
from alerts.gateway import Gateway
from api.clock import SystemClock
from api.evaluator import Advanced, Memory, Policies, advance, load_memory
from api.inbox import WAKE_CHANNEL
from api.leases import LeaseLostError, lease_shards, release_leases, renew_leases
from api.outbox import DatabaseOutbox

log = structlog.get_logger()

DATABASE_AWAY = (OperationalError, InterfaceError, psycopg.OperationalError, psycopg.InterfaceError)
"""Lost connections, lock timeouts, deadlocks, a full disk: worth another try. Anything else is a bug and stops us."""

IDLE_WAIT_S = 1.0
"""How long an idle worker sleeps if nothing wakes it."""


@dataclass(kw_only=True)
class Worker:
    """One worker process. ``on_batch`` hears of every committed batch."""

    engine: Engine
    gateway: Gateway
    clock: SystemClock
    policies: Policies
    lease_seconds: float
    batch_size: int
    on_batch: Callable[[Advanced], None] = lambda _: None
    owner: str = field(default_factory=lambda: f"{os.getpid()}/{uuid4().hex[:8]}")
    _stop: threading.Event = field(default_factory=threading.Event)
    _memory: Memory | None = None
    _stale: bool = False
    _failure: Exception | None = None
    _wake: threading.Event = field(default_factory=threading.Event)
    _delivery_due: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Work until :meth:`stop`. The database may go away and come back meanwhile."""
        scheduler = BackgroundScheduler(timezone="Asia/Shanghai")
        # Retries come due without any fix arriving; missed runs fold into one.
        scheduler.add_job(self._delivery_due.set, "interval", seconds=1, max_instances=1, coalesce=True)
        scheduler.start()
        threading.Thread(target=self._listen, name="listener", daemon=True).start()
        # A slow provider must not hold up evaluation.
        delivery = threading.Thread(target=self._deliver_loop, name="delivery")
        delivery.start()
        try:
            while not self._stop.is_set():
                self._wake.clear()
                if not self._safely(self.step):
                    self._wake.wait(IDLE_WAIT_S)
        finally:
            self.stop()
            scheduler.shutdown(wait=True)
            delivery.join()
            self._safely(self._give_back)
        if self._failure is not None:
            raise RuntimeError("the delivery thread ended: no message would leave") from self._failure

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
        except Exception:
            self._stale = True  # whatever was computed was not committed
            raise
        self._memory = advanced.memory
        if advanced.fix_count:
            self.on_batch(advanced)
        if advanced.notification_count:
            self._delivery_due.set()
        return advanced.has_more

    def drain(self) -> None:
        """Work until the log is evaluated and the outbox has nothing due; for replays, demos and tests."""
        while self.step():
            pass
        self.deliver_due()

    def _hold_shards(self) -> Memory | None:
        held = {} if self._memory is None else self._memory.fences
        if self._stale:
            self._memory = load_memory(self.engine, held) if held else None
            self._stale = False
        with self.engine.begin() as connection:
            if held and not renew_leases(connection, held, lease_seconds=self.lease_seconds):
                self._memory = None
                raise LeaseLostError("a lease ran out while this worker was busy")
            fresh = lease_shards(connection, self.owner, lease_seconds=self.lease_seconds)
        if fresh:
            self._memory = load_memory(self.engine, held | fresh)
            log.info("shards_leased", count=len(fresh), held=len(held | fresh))
        return self._memory

    def deliver_due(self) -> bool:
        """Send every notification that is due; stops between two claims when the worker is told to stop."""
        outbox = DatabaseOutbox(self.engine, self.policies.alerts)
        while not self._stop.is_set() and deliver(
            outbox=outbox, gateway=self.gateway, clock=self.clock, policy=self.policies.alerts
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
        if self._memory is not None:
            with self.engine.begin() as connection:
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
            time.sleep(IDLE_WAIT_S)
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
