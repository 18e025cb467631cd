"""Single sign-on: OpenID Connect's authorization code flow with PKCE, bound to one browser; the ID token is checked.

Sources: OpenID Connect Core 1.0 §3.1, Discovery 1.0 §4, RFC 7636 (PKCE), RFC 9207 (``iss`` of the answer), RFC 9700.
"""

import base64
import hmac
import json
import secrets
import threading
import time
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote

import httpx
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from api.errors import OidcRefusedError, OidcUnavailableError
from api.web_address import is_safe_address

CALLBACK = "/session/oidc/callback"

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
"""Signatures by the provider's private key. Never ``none``, and never HS256, whose key would be the public one."""

PENDING_SECONDS = 600
"""To log in at the provider."""

CLOCKS_DIFFER_SECONDS = 60
KEPT_SECONDS = 3600.0
ASKED_AGAIN_SECONDS = 60.0
"""Of the provider's keys: kept for an hour, and asked for again at an unknown one, once a minute at most."""

TIMEOUT = httpx.Timeout(10.0, connect=3.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcPlan:
    """The provider as the settings describe it. ``second_factors``: values of ``acr`` or ``amr`` that prove one."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    name: str
    public_url: str
    second_factors: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A log-in that has begun, known to the browser that began it only: the cookie is sealed."""

    state: str
    nonce: str
    verifier: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Whom the provider names."""

    issuer: str
    subject: str
    has_second_factor: bool


class OidcProvider:
    """Talks to the provider. One per process; its addresses and keys are kept for an hour."""

    def __init__(self, plan: OidcPlan) -> None:
        self.plan = plan
        self._redirect_uri = plan.public_url.rstrip("/") + CALLBACK  # never from a request's Host
        self._lock = threading.Lock()
        self._metadata: tuple[float, dict[str, Any]] | None = None
        self._keys: tuple[float, KeySet] | None = None

    def begin(self) -> tuple[str, Pending]:
        """The provider's address to send the browser to, and what to remember. Raises ``OidcUnavailableError``."""
        pending = Pending(
            state=secrets.token_urlsafe(32), nonce=secrets.token_urlsafe(32), verifier=secrets.token_urlsafe(48)
        )
        metadata = self._known_metadata()
        url = prepare_grant_uri(
            metadata["authorization_endpoint"],
            self.plan.client_id,
            "code",
            redirect_uri=self._redirect_uri,
            scope="openid",
            state=pending.state,
            nonce=pending.nonce,
            code_challenge=create_s256_code_challenge(pending.verifier),  # type: ignore[no-untyped-call]
            code_challenge_method="S256",
            **self._wish_for_proofs(metadata),
        )
        return str(url), pending

    def finish(self, pending: Pending, *, code: str, issuer: str | None, now: datetime) -> Identity:
        """Who logged in, for a code of this browser's own log-in. ``issuer``: what the answer says it is from.

        Raises ``OidcRefusedError``, ``OidcUnavailableError``.
        """
        metadata = self._known_metadata()
        must_say = metadata.get("authorization_response_iss_parameter_supported") is True
        if issuer != self.plan.issuer and (issuer is not None or must_say):
            raise OidcRefusedError("the answer is from another issuer")
        answer = self._exchange(metadata["token_endpoint"], code, pending.verifier)
        id_token, access_token = answer.get("id_token"), answer.get("access_token")
        if not isinstance(id_token, str):
            raise OidcRefusedError("no ID token")
        try:
            claims = self._checked(self._decoded(id_token), access_token, pending.nonce, now)
        except (JoseError, ValueError, TypeError) as error:
            raise OidcRefusedError(f"ID token: {type(error).__name__}") from error
        proofs = {claims.get("acr"), *(claims.get("amr") or ())}
        return Identity(
            issuer=self.plan.issuer,
            subject=claims["sub"],
            has_second_factor=bool(self.plan.second_factors & proofs),
        )

    def _wish_for_proofs(self, metadata: dict[str, Any]) -> dict[str, str]:
        """Providers tell how somebody logged in when they are asked to."""
        if not self.plan.second_factors:
            return {}
        wish = {"acr_values": " ".join(sorted(self.plan.second_factors))}
        if metadata.get("claims_parameter_supported") is True:
            wish["claims"] = json.dumps({"id_token": {"amr": None}})
        return wish

    def _exchange(self, url: str, code: str, verifier: str) -> dict[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect_uri,
            "code_verifier": verifier,
        }
        # RFC 6749 §2.3.1: both halves are form-encoded first.
        login = (quote(self.plan.client_id, safe=""), quote(self.plan.client_secret, safe=""))
        response = _send("POST", url, data=form, auth=login)
        if response.status_code == 400:
            raise OidcRefusedError("the provider does not take the code")
        return _json(response)

    def _decoded(self, id_token: str) -> jwt.Token:
        try:
            return jwt.decode(id_token, self._known_keys(), algorithms=ALGORITHMS)
        except InvalidKeyIdError:
            return jwt.decode(id_token, self._known_keys(oldest=ASKED_AGAIN_SECONDS), algorithms=ALGORITHMS)

    def _checked(self, token: jwt.Token, access_token: object, nonce: str, now: datetime) -> dict[str, Any]:
        claims = CodeIDToken(
            token.claims,
            token.header,
            options={
                "iss": {"essential": True, "value": self.plan.issuer},
                "aud": {"essential": True, "value": self.plan.client_id},
                "sub": {"essential": True},
            },
            params={"nonce": nonce, "client_id": self.plan.client_id, "access_token": access_token},
        )
        claims.validate(now=int(now.timestamp()), leeway=CLOCKS_DIFFER_SECONDS)
        if claims["aud"] not in (self.plan.client_id, [self.plan.client_id]):
            raise ValueError("for others too")
        if not 0 < len(claims["sub"]) <= 255 or not claims["sub"].isprintable():
            raise ValueError("sub")
        return dict(claims)

    def _known_metadata(self) -> dict[str, Any]:
        with self._lock:
            if self._metadata is None or time.monotonic() - self._metadata[0] > KEPT_SECONDS:
                self._metadata = (time.monotonic(), self._discover())
            return self._metadata[1]

    def _discover(self) -> dict[str, Any]:
        found = _json(_send("GET", self.plan.issuer.rstrip("/") + "/.well-known/openid-configuration"))
        if found.get("issuer") != self.plan.issuer:
            raise OidcUnavailableError("the provider calls itself by another issuer than HULAN_OIDC_ISSUER")
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            if not isinstance(found.get(name), str) or not is_safe_address(found[name]):
                raise OidcUnavailableError(f"the provider's {name} is missing or not https")
        return found

    def _known_keys(self, oldest: float = KEPT_SECONDS) -> KeySet:
        url = self._known_metadata()["jwks_uri"]
        with self._lock:
            if self._keys is None or time.monotonic() - self._keys[0] > oldest:
                self._keys = (time.monotonic(), _signing_keys(_json(_send("GET", url))))
            return self._keys[1]


def seal_pending(pending: Pending, secret: bytes, *, now: datetime) -> str:
    """What the cookie of a log-in holds: encrypted, authenticated and dated."""
    sealed = _fernet(secret).encrypt_at_time(json.dumps(asdict(pending)).encode(), int(now.timestamp()))
    return sealed.decode()


def open_pending(cookie: str | None, secret: bytes, *, state: str, now: datetime) -> Pending:
    """The log-in that this browser began. Raises ``OidcRefusedError`` if there is none, or it has another state."""
    try:
        opened = _fernet(secret).decrypt_at_time((cookie or "").encode(), PENDING_SECONDS, int(now.timestamp()))
    except InvalidToken as error:
        raise OidcRefusedError("this browser began no log-in, or too long ago") from error
    pending = Pending(**json.loads(opened))
    if not hmac.compare_digest(state.encode(), pending.state.encode()):
        raise OidcRefusedError("state of another log-in")
    return pending


def _send(method: str, url: str, **more: Any) -> httpx.Response:
    try:
        return httpx.request(method, url, timeout=TIMEOUT, follow_redirects=False, **more)
    except httpx.HTTPError as error:
        raise OidcUnavailableError(f"{type(error).__name__} at the provider") from error


def _json(response: httpx.Response) -> dict[str, Any]:
    if response.status_code != 200:
        raise OidcUnavailableError(f"the provider answers {response.status_code}")
    try:
        found = response.json()
    except ValueError as error:
        raise OidcUnavailableError("the provider's answer is no JSON") from error
    if not isinstance(found, dict):
        raise OidcUnavailableError("the provider's answer is no JSON object")
    return found


def _signing_keys(found: dict[str, Any]) -> KeySet:
    keys = [key for key in found.get("keys") or () if key.get("kty") in {"RSA", "EC"} and key.get("use") != "enc"]
    try:
        return KeySet.import_key_set({"keys": keys})
    except (JoseError, ValueError, KeyError) as error:
        raise OidcUnavailableError("the provider's keys cannot be read") from error


def _fernet(secret: bytes) -> Fernet:
    key = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"hulan single sign-on").derive(secret)
    return Fernet(base64.urlsafe_b64encode(key))
