"""Settings from ``HULAN_*`` environment variables: read once at the edge, then passed in."""

import contextlib
import os
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from api.gateway_settings import GatewaySettings
from api.personal.sealing import CipherName
from api.web_address import is_safe_address

DEMO_SECRET = "demo-secret-never-for-real-people"  # noqa: S105 # refused outside the demo, by the check below


SHORTEST_SECRET = 16
"""Characters."""

SHORTEST_KEEP_DAYS = 14
"""Late fixes are evaluated again with those of up to seven days before: less would drop what the engine reads."""

SHORTEST_THIN_DAYS = 30
"""A late fix of a thinned week is judged no more."""

MOST_THIN_MINUTES = 15
"""Half a silence: fixes farther apart would look as if the device had been silent."""


def _default_data_dir() -> Path:
    if os.geteuid() == 0:
        return Path("/var/lib/hulan")
    return Path(os.environ.get("XDG_DATA_HOME", Path.home() / ".local" / "share")) / "hulan"


class Settings(GatewaySettings):
    """Everything that may differ between installations."""

    model_config = SettingsConfigDict(env_prefix="HULAN_", extra="ignore")

    database_url: str | None = Field(
        None, description="PostGIS 的地址；不填则使用内置数据库 / a PostGIS server; none: embedded"
    )
    web_database_url: str | None = Field(
        None, description="网页进程登录数据库的地址 / the same server, with the login of the web process (hulan_web)"
    )
    worker_database_url: str | None = Field(
        None, description="处理进程登录数据库的地址 / the same server, with the login of the worker (hulan_service)"
    )
    data_dir: Path = Field(default_factory=_default_data_dir, description="数据目录 / data folder")
    keyring: Path | None = Field(
        None, description="密钥环文件；不填则为数据目录中的 keyring.json / keyring file; none: in the data folder"
    )
    cipher: CipherName = Field(
        CipherName.AES_256_GCM,
        description="新密钥的算法 aes-256-gcm 或 sm4-gcm / cipher of keys made from now on",
    )
    secret_key: SecretStr | None = Field(
        None, description="签名密钥，至少 16 个字符 / secret for device tokens and signatures, 16 characters or more"
    )
    demo: bool = Field(False, description="演示模式：只用合成数据 / demo mode: synthetic people only")
    clock: Literal["system", "event"] = Field(
        "system", description="event：按事件时间回放，仅限演示 / replay by event time, demo only"
    )
    host: str = Field("127.0.0.1", description="监听地址 / address to listen on")
    port: int = Field(8080, ge=0, le=65535, description="监听端口 / port to listen on")
    trusted_proxies: str = Field(
        "127.0.0.1",
        description="可信反向代理的地址，以逗号分隔 / proxies whose X-Forwarded-For is believed, comma-separated",
    )
    session_idle_minutes: float = Field(
        30.0, gt=0, le=24 * 60, description="会话闲置多少分钟后失效 / minutes unused after which a session ends"
    )
    session_hours: float = Field(
        12.0, gt=0, le=24 * 7, description="会话最长小时数 / hours after which a session ends anyhow"
    )
    public_url: str | None = Field(
        None, description="浏览器访问的地址，如 https://hulan.example / address at which browsers reach Hulan"
    )
    oidc_issuer: str | None = Field(
        None, description="单点登录（OpenID Connect）的签发者；不填则关闭 / issuer for single sign-on; none: off"
    )
    oidc_client_id: str | None = Field(None, description="在签发者处登记的客户端 / client id there")
    oidc_client_secret: SecretStr | None = Field(None, description="客户端密钥 / client secret there")
    oidc_name: str = Field("单点登录", min_length=1, max_length=40, description="登录按钮的名称 / name of the button")
    oidc_second_factors: str = Field(
        "",
        description="ID 令牌的 acr 或 amr 中可代替验证码的值，以逗号分隔；空则一律要求验证码，管理员总须验证码"
        " / values of acr or amr that stand for Hulan's code, comma-separated; administrators give the code anyhow",
    )
    lease_seconds: float = Field(10.0, gt=0, description="分片租约秒数 / how long a worker holds its shards unheard")
    batch_size: int = Field(20_000, ge=1, description="每批最多处理的定位数 / most fixes evaluated in one transaction")
    keep_days: int | None = Field(
        None,
        ge=SHORTEST_KEEP_DAYS,
        description="定位保留天数，至少 14；不填则不删除 / days that fixes are kept, 14 or more; none: for good",
    )
    thin_after_days: int | None = Field(
        None,
        ge=SHORTEST_THIN_DAYS,
        description="定位满多少天后抽稀，至少 30，作为证据的不动；不填则不抽稀"
        " / days after which old weeks are thinned, 30 or more, never what a finding rests on; none: never",
    )
    thin_minutes: int = Field(
        10,
        ge=1,
        le=MOST_THIN_MINUTES,
        description="抽稀后每多少分钟留一条，1 至 15 / of thinned weeks one fix stays per so many minutes, 1 to 15",
    )
    audit_hash: Literal["sha256", "sm3"] = Field("sha256", description="审计链的杂凑算法 / hash function of the audit")
    audit_checkpoint_minutes: int = Field(
        10, ge=1, description="每隔多少分钟签署检查点 / minutes between two signed checkpoints of the audit"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="日志级别 / log level")
    texts_file: Path | None = Field(
        None,
        description="本单位的短信措辞文件（TOML）；不填则用自带措辞 / own wordings of messages; none: those shipped",
    )
    alert_policy_file: Path | None = Field(
        None,
        description="本单位的告警数值文件（TOML）：每日短信条数、升级时限等；不填则用默认值，见 hulan alert policy"
        " / own numbers of alerting: messages a day, times of escalation …; none: the defaults, see hulan alert policy",
    )
    distance_law_file: Path | None = Field(
        None,
        description="本单位的距离规则文件（TOML），补充或替换自带规则；不填则只用自带的"
        " / own rules of distance, added to those shipped or in their place; none: those shipped",
    )
    lead_routes_file: Path | None = Field(
        None,
        description="本单位的线索移送表（TOML），优先于自带的；不填则只用自带的"
        " / own table of which regulator a lead goes to, before the one shipped; none: the one shipped",
    )
    guardian_codes: bool = Field(
        False,
        description="监护人短信末尾是否带反馈码；默认否。先让 /g 可从外网打开，并报备带反馈码的措辞"
        " / whether messages to guardians end with a code of the answer page; first open /g to the public and"
        " register the wordings with a code; no by default",
    )
    guardian_link_hours: float = Field(
        24.0, gt=0, le=72, description="监护人反馈码的有效小时数 / hours for which a guardian's code is good"
    )
    guardian_circle: bool = Field(
        False,
        description="监护人反馈页是否显示约 1 公里的大致范围；默认否"
        " / whether the guardian's page shows a circle of about 1 km; no by default",
    )
    assets_dir: Path | None = Field(None, description="网页资源目录 / folder of browser assets (node_modules)")

    @property
    def is_embedded(self) -> bool:
        """Whether the database is the one in the data folder: no address of another is set."""
        return self.database_url is None and self.web_database_url is None and self.worker_database_url is None

    @model_validator(mode="after")
    def _check(self) -> Self:
        secret = None if self.secret_key is None else self.secret_key.get_secret_value()
        for name in ("database_url", "web_database_url", "worker_database_url"):
            url = getattr(self, name)
            if url is not None and not url.strip():
                raise ValueError(
                    f"HULAN_{name.upper()} 为空：填写地址，或删除该变量以使用内置数据库"
                    f" / HULAN_{name.upper()} is empty: give an address, or unset it to use the embedded database"
                )
        if self.demo:
            self.secret_key = self.secret_key or SecretStr(DEMO_SECRET)
            return self
        if self.clock == "event":
            raise ValueError("HULAN_CLOCK=event 只能用于演示 / HULAN_CLOCK=event is for the demo only: unset it")
        if secret == DEMO_SECRET:
            raise ValueError(
                "HULAN_SECRET_KEY 是演示用的默认值，请换成自己的密钥"
                " / HULAN_SECRET_KEY is the demo's default: set a secret of your own, e.g. `openssl rand -hex 32`"
            )
        if secret is not None and len(secret) < SHORTEST_SECRET:
            raise ValueError(
                "HULAN_SECRET_KEY 太短，至少 16 个字符 / HULAN_SECRET_KEY is too short: 16 characters or more"
            )
        if not self.is_embedded and secret is None:
            raise ValueError(
                "使用外部数据库时必须设置 HULAN_SECRET_KEY"
                " / HULAN_SECRET_KEY is required with HULAN_DATABASE_URL, e.g. `openssl rand -hex 32`"
            )
        return self

    @model_validator(mode="after")
    def _check_ages(self) -> Self:
        thin, keep = self.thin_after_days, self.keep_days
        if thin is not None and keep is not None and thin >= keep:
            raise ValueError(
                f"HULAN_THIN_AFTER_DAYS={thin} 不小于 HULAN_KEEP_DAYS={keep}，抽稀前就已删除；请改小或不填"
                f" / HULAN_THIN_AFTER_DAYS={thin} is no less than HULAN_KEEP_DAYS={keep}: weeks are dropped before they"
                " are thinned; make it smaller, or unset it"
            )
        return self

    @model_validator(mode="after")
    def _check_addresses(self) -> Self:
        given = {
            "HULAN_OIDC_CLIENT_ID": self.oidc_client_id,
            "HULAN_OIDC_CLIENT_SECRET": self.oidc_client_secret and self.oidc_client_secret.get_secret_value(),
            "HULAN_PUBLIC_URL": self.public_url,
        }
        if self.oidc_issuer is not None and not all(given.values()):
            missing = "、".join(name for name, value in given.items() if not value)
            raise ValueError(f"HULAN_OIDC_ISSUER 还需要 {missing} / HULAN_OIDC_ISSUER needs {missing} too")
        for name, url in (("HULAN_OIDC_ISSUER", self.oidc_issuer), ("HULAN_PUBLIC_URL", self.public_url)):
            if url is not None and not is_safe_address(url):
                raise ValueError(f"{name} 必须以 https:// 开头 / {name} must be an https:// address")
        if "*" in self.trusted_proxies:
            raise ValueError(
                "HULAN_TRUSTED_PROXIES 不能是 *：任何人都能谎报地址"
                " / HULAN_TRUSTED_PROXIES must not be *: anyone could make up an address and guess on"
            )
        if self.public_url is not None and urlsplit(self.public_url).path.strip("/"):
            raise ValueError("HULAN_PUBLIC_URL 不能带路径 / HULAN_PUBLIC_URL must have no path")
        return self


def read_settings(**overrides: object) -> Settings:
    """Read the environment once. Raises ``pydantic.ValidationError`` naming the variable that is wrong."""
    return Settings(**overrides)  # type: ignore[arg-type] # pydantic checks each value itself


def secret_of(settings: Settings) -> bytes:
    """The secret key; with the embedded database one is made on first use and kept in the data folder, mode 0600."""
    if settings.secret_key is not None:
        return settings.secret_key.get_secret_value().encode()
    path = settings.data_dir / "secret.key"
    if not path.exists():
        _make_secret(path)
    secret = path.read_bytes()
    if len(secret) < SHORTEST_SECRET:
        raise ValueError(
            f"{path} 中的密钥不完整，请从备份恢复；没有已登记的设备时可删除它 / the secret in {path} is cut off:"
            " restore it from a backup, or delete it if no device is registered yet"
        )
    return secret


def _make_secret(path: Path) -> None:
    """Written aside and linked into place: a process that starts at the same moment sees all of it or nothing."""
    aside = path.with_name(f"{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(os.urandom(32).hex().encode())
        file.flush()
        os.fsync(file.fileno())
    with contextlib.suppress(FileExistsError):
        os.link(aside, path)
    aside.unlink()
