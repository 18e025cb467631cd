"""Settings of gateways: accounts with providers, part of `api.settings.Settings`. No secret comes from elsewhere."""

from pathlib import Path
from typing import Self

from pydantic import Field, Json, SecretStr, model_validator
from pydantic_settings import BaseSettings

from api.web_address import is_safe_address

SMS_GATEWAYS = ("console", "aliyun", "tencent", "smpp", "webhook")

NEEDED = {
    "aliyun": ("aliyun_access_key_id", "aliyun_access_key_secret", "aliyun_templates", "sms_signature"),
    "tencent": ("tencent_secret_id", "tencent_secret_key", "tencent_app_id", "tencent_templates", "sms_signature"),
    "smpp": ("smpp_host", "smpp_system_id", "smpp_password", "smpp_sender", "sms_signature"),
    "webhook": ("webhook_url", "webhook_secret"),
    "smtp": ("smtp_host", "smtp_user", "smtp_password", "smtp_sender"),
}
"""What each gateway cannot do without."""

SHORTEST_GATEWAY_SECRET = 16
"""Characters: of the webhook's secret, and of the token in the addresses of callbacks."""


class GatewaySettings(BaseSettings):
    """Where messages go. A template maps our name, or ``name.en``, to the provider's."""

    sms_gateways: str = Field(
        "console",
        description="短信通道，按使用次序以逗号分隔：console、aliyun、tencent、smpp、webhook"
        " / gateways for text messages in the order in which they are tried, comma-separated",
    )
    sms_signature: str = Field(
        "",
        max_length=12,
        description="已报备的短信签名，不含【】 / registered signature of text messages, without 【】",
    )
    aliyun_access_key_id: str | None = Field(None, description="阿里云 AccessKey ID / of the Aliyun account")
    aliyun_access_key_secret: SecretStr | None = Field(None, description="阿里云 AccessKey Secret / its secret")
    aliyun_templates: Json[dict[str, str]] = Field(
        "{}",  # type: ignore[arg-type] # Json is parsed from text
        description="模板名到阿里云模板 CODE 的 JSON / JSON from our templates to Aliyun's codes",
    )
    aliyun_endpoint: str = Field("https://dysmsapi.aliyuncs.com", description="阿里云短信接口地址 / address of its API")
    tencent_secret_id: str | None = Field(None, description="腾讯云 SecretId / of the Tencent Cloud account")
    tencent_secret_key: SecretStr | None = Field(None, description="腾讯云 SecretKey / its secret")
    tencent_app_id: str | None = Field(None, description="腾讯云短信 SdkAppId / application there")
    tencent_templates: Json[dict[str, str]] = Field(
        "{}",  # type: ignore[arg-type] # Json is parsed from text
        description="模板名到腾讯云模板 ID 的 JSON / JSON from our templates to Tencent's ids",
    )
    tencent_endpoint: str = Field(
        "https://sms.tencentcloudapi.com", description="腾讯云短信接口地址 / address of its API"
    )
    tencent_region: str = Field("ap-guangzhou", description="腾讯云地域 / region there")
    smpp_host: str | None = Field(None, description="短信中心（SMPP 3.4）主机 / host of the short message centre")
    smpp_port: int = Field(2775, ge=1, le=65535, description="短信中心端口 / its port")
    smpp_tls: bool = Field(True, description="与短信中心的连接加密；专线可为 false / TLS; false on a private line only")
    smpp_system_id: str | None = Field(None, description="短信中心账号 / system_id there")
    smpp_password: SecretStr | None = Field(None, description="短信中心口令，至多 8 个字符 / password there, 8 at most")
    smpp_sender: str | None = Field(None, description="接入号码 / number that messages come from")
    webhook_url: str | None = Field(None, description="通用 HTTP 通道的地址 / URL of the webhook")
    webhook_secret: SecretStr | None = Field(
        None, description="该通道的签名密钥，至少 16 个字符 / secret that it is signed with, 16 characters or more"
    )
    smtp_host: str | None = Field(None, description="邮件服务器；不填则不发邮件 / mail server; none: no e-mail")
    smtp_port: int = Field(587, ge=1, le=65535, description="邮件提交端口（STARTTLS）/ submission port with STARTTLS")
    smtp_user: str | None = Field(None, description="邮件账号 / account there")
    smtp_password: SecretStr | None = Field(None, description="邮件口令 / its password")
    smtp_sender: str | None = Field(None, description="发件人地址 / address that mails come from")
    gateway_ca: Path | None = Field(
        None, description="各通道使用的 CA 证书文件；不填则用系统的 / CA certificates for gateways; none: the system's"
    )
    receipt_poll_seconds: float = Field(
        60.0,
        ge=10,
        le=3600,
        description="每隔多少秒向服务商查询回执和回复，至少 10"
        " / seconds between asking providers for receipts and replies, 10 or more",
    )
    callback_token: SecretStr | None = Field(
        None,
        description="无签名回调地址中的口令，至少 16 个字符；不填则不接收"
        " / token in the address of callbacks that are not signed, 16 or more; none: no such callbacks",
    )

    @property
    def sms_gateway_names(self) -> tuple[str, ...]:
        """In the order in which they are tried."""
        return tuple(name.strip() for name in self.sms_gateways.split(",") if name.strip())

    @model_validator(mode="after")
    def _check_gateways(self) -> Self:
        names = self.sms_gateway_names
        wrong = [name for name in names if name not in SMS_GATEWAYS]
        if wrong or not names or len({*names}) < len(names):
            known = "、".join(SMS_GATEWAYS)
            raise ValueError(
                f"HULAN_SMS_GATEWAYS={self.sms_gateways} 不可用，请从 {known} 中选择，不重复"
                f" / HULAN_SMS_GATEWAYS must name one or more of {', '.join(SMS_GATEWAYS)}, each once"
            )
        for name in (*names, *(("smtp",) if self.smtp_host else ()), *(("webhook",) if self.webhook_url else ())):
            missing = [f"HULAN_{field.upper()}" for field in NEEDED.get(name, ()) if not _value(getattr(self, field))]
            if missing:
                raise ValueError(f"{name} 通道还需要 {'、'.join(missing)} / gateway {name} needs {', '.join(missing)}")
        return self

    @model_validator(mode="after")
    def _check_gateway_secrets(self) -> Self:
        for name in ("webhook_secret", "callback_token"):
            value = _value(getattr(self, name))
            if value and len(str(value)) < SHORTEST_GATEWAY_SECRET:
                raise ValueError(
                    f"HULAN_{name.upper()} 太短，至少 16 个字符"
                    f" / HULAN_{name.upper()} is too short: 16 characters or more"
                )
        for name in ("aliyun_endpoint", "tencent_endpoint", "webhook_url"):
            url = getattr(self, name)
            if url and not is_safe_address(url):
                raise ValueError(f"HULAN_{name.upper()} 必须以 https:// 开头 / HULAN_{name.upper()} must be https://")
        if self.gateway_ca is not None and not self.gateway_ca.is_file():
            raise ValueError(f"HULAN_GATEWAY_CA={self.gateway_ca} 不存在 / HULAN_GATEWAY_CA is no file")
        return self


def _value(field: object) -> object:
    return field.get_secret_value() if isinstance(field, SecretStr) else field
