"""From environment variables to gateways that send: every account, address, secret and certificate."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from alerts.channel import Channel
from alerts.gateway import CONNECT_TIMEOUT_S, TIMEOUT_S, Gateway, GatewayError
from alerts.policy import AlertPolicy
from api.gateways import open_gateways
from api.settings import read_settings
from tests.gateways import aliyun_server, mail_server, smpp_centre, tencent_server
from tests.gateways.certificates import make_certificates
from tests.gateways.http_provider import Answer, served
from tests.gateways.messages import a_message, kind_of, refused

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*utcfromtimestamp.*:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning:aiosmtpd", "ignore::DeprecationWarning:aiosmtpd"),
]

TEMPLATES = json.dumps({"guardian_entry_suspected": "SMS_100"})
TENCENT_TEMPLATES = json.dumps({"guardian_entry_suspected": "100"})


@dataclass(frozen=True, kw_only=True)
class World:
    aliyun: aliyun_server.Aliyun
    tencent: tencent_server.Tencent
    centre: smpp_centre.Centre
    mail: mail_server.MailServer


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Every provider over TLS by one authority, which only HULAN_GATEWAY_CA names."""
    certificates = make_certificates(tmp_path)
    tls = certificates.of_server()
    with ExitStack() as stack:
        world = World(
            aliyun=aliyun_server.Aliyun(),
            tencent=tencent_server.Tencent(),
            centre=stack.enter_context(smpp_centre.a_centre(tls)),
            mail=stack.enter_context(mail_server.a_mail_server(tls)),
        )
        variables = {
            "SMS_GATEWAYS": "aliyun, tencent,smpp,webhook,console",
            "SMS_SIGNATURE": aliyun_server.SIGNATURE,
            "ALIYUN_ACCESS_KEY_ID": aliyun_server.ACCESS_KEY_ID,
            "ALIYUN_ACCESS_KEY_SECRET": aliyun_server.ACCESS_KEY_SECRET,
            "ALIYUN_TEMPLATES": TEMPLATES,
            "ALIYUN_ENDPOINT": stack.enter_context(served(world.aliyun.answer, tls)),
            "TENCENT_SECRET_ID": tencent_server.SECRET_ID,
            "TENCENT_SECRET_KEY": tencent_server.SECRET_KEY,
            "TENCENT_APP_ID": tencent_server.APP_ID,
            "TENCENT_TEMPLATES": TENCENT_TEMPLATES,
            "TENCENT_ENDPOINT": stack.enter_context(served(world.tencent.answer, tls)),
            "SMPP_HOST": "127.0.0.1",
            "SMPP_PORT": str(world.centre.port),
            "SMPP_SYSTEM_ID": smpp_centre.SYSTEM_ID,
            "SMPP_PASSWORD": smpp_centre.PASSWORD,
            "SMPP_SENDER": "10690000",
            "WEBHOOK_URL": stack.enter_context(served(lambda _: Answer(), tls)),
            "WEBHOOK_SECRET": "a secret of the tests, not of anyone",
            "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": str(world.mail.port),
            "SMTP_USER": mail_server.USER,
            "SMTP_PASSWORD": mail_server.PASSWORD,
            "SMTP_SENDER": mail_server.USER,
            "GATEWAY_CA": str(certificates.authority),
            "DATA_DIR": str(tmp_path / "data"),
        }
        for name, value in variables.items():
            monkeypatch.setenv(f"HULAN_{name}", value)
        yield world
        for gateway in opened_here:
            getattr(gateway, "close", lambda: None)()
        opened_here.clear()


opened_here: list[Gateway] = []


def opened() -> dict[Channel, tuple[Gateway, ...]]:
    gateways = open_gateways(read_settings(), lambda _: None)
    opened_here.extend(gateway for some in gateways.values() for gateway in some)
    return gateways


def test_every_gateway_that_is_set_sends_in_the_order_that_is_set(world: World) -> None:
    gateways = opened()
    assert [gateway.provider for gateway in gateways[Channel.SMS]] == [
        "aliyun", "tencent", "smpp", "webhook", "console",
    ]  # fmt: skip
    assert [gateway.provider for gateway in gateways[Channel.EMAIL]] == ["smtp"]
    assert gateways[Channel.WEBHOOK] == (gateways[Channel.SMS][3],)
    assert Channel.VOICE_TASK not in gateways
    for gateway in gateways[Channel.SMS]:
        assert gateway.send(a_message()).provider == gateway.provider
    gateways[Channel.EMAIL][0].send(a_message(channel=Channel.EMAIL, address="guardian@mail.example"))
    counts = (world.aliyun.taken, world.tencent.taken, world.centre.taken, world.mail.taken)
    assert [len(taken) for taken in counts] == [1, 1, 1, 1]


def test_a_provider_whose_certificate_is_not_trusted_hears_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HULAN_GATEWAY_CA")
    gateways = opened()
    for gateway in gateways[Channel.SMS][:4]:
        assert kind_of(refused(gateway)) == "down", gateway.provider
    with pytest.raises(GatewayError):
        gateways[Channel.EMAIL][0].send(a_message(channel=Channel.EMAIL, address="guardian@mail.example"))
    assert (world.aliyun.actions, world.aliyun.refused) == ([], [])
    assert (world.tencent.actions, world.tencent.refused) == ([], [])
    assert (world.centre.binds, world.mail.logins) == ([], [])


def test_nothing_set_is_console_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HULAN_DATA_DIR", str(tmp_path))
    gateways = opened()
    assert {channel: [gateway.provider for gateway in some] for channel, some in gateways.items()} == {
        Channel.SMS: ["console"]
    }


def test_no_library_of_a_provider_is_loaded_before_a_gateway_is_used() -> None:
    """Aliyun's alone takes more than a second, which nobody who runs a command should wait for."""
    code = (
        "import sys, api.gateways, api.cli.run, alerts.gateway_aliyun, alerts.gateway_tencent, alerts.gateway_smpp\n"
        "names = {'alibabacloud_dysmsapi20170525', 'darabonba', 'tencentcloud', 'smpplib', 'aiohttp'}\n"
        "sys.exit(str(sorted(names & set(sys.modules))) if names & set(sys.modules) else 0)"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_slowest_answer_fits_a_claim() -> None:
    policy = AlertPolicy()
    assert policy.claim_count * (CONNECT_TIMEOUT_S + TIMEOUT_S) <= policy.claim.total_seconds()
