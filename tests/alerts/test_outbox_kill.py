"""Two workers, one killed with -9 between sending and recording: one key at the provider, nothing lost."""

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from sqlalchemy import Engine

from tests.alerts.outbox_scene import Told, a_subject, an_alert, messages, tasks
from tests.make import KEYRING_PATH

_WORKER = """
import os, signal, sys, time
from datetime import timedelta
from pathlib import Path
import numpy as np
from alerts.channel import Channel
from alerts.delivery import deliver
from alerts.gateway_webhook import WebhookGateway
from alerts.policy import AlertPolicy
from api.clock import EventClock
from api.database import open_engine
from api.outbox import DatabaseOutbox
from api.personal.keyring import Keyring

dies = sys.argv[4] == "dies"

class Gateway(WebhookGateway):
    def send(self, message):
        receipt = super().send(message)
        if dies:
            os.kill(os.getpid(), signal.SIGKILL)
        return receipt

policy = AlertPolicy(claim=timedelta(seconds=2), claim_count=2)
gateway = Gateway(sys.argv[2], b"secret of the test")
outbox = DatabaseOutbox(open_engine(sys.argv[1]), policy, Keyring(Path(sys.argv[3])))
providers, rng = {Channel.SMS: (gateway,)}, np.random.default_rng(1)
print("ready", flush=True)
sys.stdin.readline()
until = time.monotonic() + float(sys.argv[5])
while time.monotonic() < until:
    deliver(outbox=outbox, providers=providers, clock=EventClock(), policy=policy, rng=rng)
    time.sleep(0.1)
"""


class Provider(ThreadingHTTPServer):
    """Takes whatever comes, and remembers under which keys."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.keys: Counter[str] = Counter()


class _Answer(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Provider)
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.keys[self.headers["Idempotency-Key"]] += 1
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def provider() -> Iterator[Provider]:
    server = Provider()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.slow
def test_a_worker_killed_between_sending_and_recording_loses_and_doubles_nothing(
    engine: Engine, database_url: str, provider: Provider
) -> None:
    keys = []
    for number in range(5):
        person, (guardian,) = a_subject(engine, [Told(phone=f"1380000011{number}")])
        keys.append(str(an_alert(engine, person.subject_no, guardian)))
    address = f"http://127.0.0.1:{provider.server_port}/"
    command = [sys.executable, "-c", _WORKER, database_url, address, str(KEYRING_PATH)]
    workers = [
        subprocess.Popen(
            [*command, how, "6"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=dict(os.environ)
        )
        for how in ("dies", "lives")
    ]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:  # the one that dies claims first, and both then work at the same time
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    dead, alive = (worker.wait(timeout=60) for worker in workers)
    for worker in workers:
        assert worker.stdin is not None
        assert worker.stdout is not None
        worker.stdin.close()
        worker.stdout.close()
    assert (dead, alive) == (-signal.SIGKILL, 0)
    assert sorted(provider.keys) == sorted(keys)
    assert sorted(provider.keys.values()) == [1, 1, 1, 1, 2], "sent again under its own key, and only that one"
    assert messages(engine, "state") == [("sent",)] * 5
    assert tasks(engine) == []
