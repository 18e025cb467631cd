"""Which error becomes which HTTP status. Domain errors know no HTTP."""

from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from math import ceil
from uuid import UUID

import psycopg
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from alerts.life import IllegalTurnError
from venues.lead import LeadError
from venues.register_store import RegisterBusyError


class UnknownDeviceError(Exception):
    """The device token is missing, unknown or revoked."""


class WrongCredentialsError(Exception):
    """Name, password or code are not right together; which of them is not said."""


class NotSignedInError(Exception):
    """No session and no token, or one that is unknown, ended or revoked."""


class CodeMissingError(Exception):
    """The password was right, the code of the second factor is still to come."""


class FirstPasswordError(Exception):
    """The first password must be changed before anything else."""


class NotAllowedError(Exception):
    """The account's role or the token's scope does not go with the route."""


class ForgedRequestError(Exception):
    """An unsafe request without the token of its session, or sent by another site's page."""


class NotThereError(Exception):
    """Nothing there that the caller may see: the same answer whether it exists or not."""


class LookMissingError(NotThereError):
    """A case that the caller may see, but no open look of the caller at what was asked for."""


class ApprovalMissingError(Exception):
    """A leader has still to decide a look."""


class MeasurementUnavailableError(Exception):
    """An archived measurement cannot be made again here, or comes out differently."""


class NothingToMeasureError(Exception):
    """Since the last evaluation law or papers changed, or no rule binds the two, or one is no longer registered."""


class LeadStandsError(LeadError):
    """A lead on the same ground is open about the place already."""

    def __init__(self, lead_id: UUID) -> None:
        super().__init__(
            f"该场所已有同一情形的在办线索 {lead_id} / one on that ground is open there already: {lead_id}"
        )
        self.lead_id = lead_id


class ExportLimitError(Exception):
    """More rows of people's data would leave than an account may take out without approval."""


class SpanTooNarrowError(Exception):
    """A look at evidence does not reach back far enough to weigh it again."""


class OidcRefusedError(Exception):
    """The provider's answer is not taken; the message says why, for the log and without personal data."""


class OidcUnavailableError(Exception):
    """The provider of single sign-on does not answer as it should; the message says how, for the log."""


class RefusedInputError(ValueError):
    """A value was read and cannot be taken."""


class BoundaryMissingError(ValueError):
    """No boundary of the division is imported, so that nobody can tell what lies in it."""


class WrongReasonError(RefusedInputError):
    """An officer's reason does not go with the outcome of the decision."""


class FutureDayError(RefusedInputError):
    """A day on which something was seen is still to come."""


class TooManyStreamsError(Exception):
    """As many live streams are open as one account, or one process, may have."""


class TooManyAttemptsError(Exception):
    """Too many failures for this name, or from this address."""

    def __init__(self, *, wait: timedelta) -> None:
        super().__init__("too many attempts")
        self.headers = {"Retry-After": str(max(1, ceil(wait.total_seconds())))}


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What the client is told, in plain words."""

    status: int
    code: str
    message: str


_NOT_STORED = Problem(
    status=503,
    code="not_stored",
    message="数据库暂不可用，未保存，请稍后重发 / not stored, the database is not available: send the same again later",
)
_BAD_REQUEST = Problem(status=422, code="bad_request", message="请求无法解析 / the request cannot be read")
_NOT_FOUND = Problem(status=404, code="not_found", message="没有这个地址 / there is no such page")

PROBLEMS: dict[type[Exception], Problem] = {
    UnknownDeviceError: Problem(
        status=401,
        code="unknown_device",
        message="设备令牌缺失、未知或已吊销 / the device token is missing, unknown or revoked: send it as"
        " `Authorization: Bearer TOKEN`",
    ),
    WrongCredentialsError: Problem(
        status=401,
        code="wrong_credentials",
        message="登录名、密码或验证码不正确 / name, password or code is not right",
    ),
    NotSignedInError: Problem(
        status=401, code="not_signed_in", message="请先登录，或令牌已失效 / log in first, or the token is not valid"
    ),
    CodeMissingError: Problem(
        status=403, code="code_missing", message="请先完成两步验证 / the second factor comes first: POST /session/totp"
    ),
    FirstPasswordError: Problem(
        status=403,
        code="first_password",
        message="请先修改初始密码 / change the first password before anything else: POST /account/password",
    ),
    NotAllowedError: Problem(
        status=403, code="not_allowed", message="您的角色不能执行此操作 / your role or token does not allow this"
    ),
    ForgedRequestError: Problem(
        status=403,
        code="csrf",
        message="请求缺少会话校验码，请刷新页面后重试 / the request lacks the session's X-CSRF-Token: reload the page",
    ),
    LookMissingError: Problem(
        status=403,
        code="look_missing",
        message="请先说明查阅目的，或查阅已到期：POST /subjects/{id}/looks，并在请求头 X-Look 中给出编号"
        " / state a purpose first, or the look has ended: POST /subjects/{id}/looks, and its id in the header X-Look",
    ),
    ApprovalMissingError: Problem(
        status=403,
        code="approval_missing",
        message="查阅须经负责人批准，请等待决定 / a leader must approve this look first: wait for the decision",
    ),
    ExportLimitError: Problem(
        status=403,
        code="export_limit",
        message="超过未经批准可导出的条数（轨迹 30 天内累计 25 条），未导出任何内容，已记录；请申请负责人批准的查阅"
        " / more rows than may leave without approval (25 track rows in 30 days): nothing was exported, the refusal is"
        " on record; ask for a look that a leader approves",
    ),
    SpanTooNarrowError: Problem(
        status=409,
        code="span_too_narrow",
        message="查阅时段不足以重新核算证据：所需时段见 GET /alerts/{id}/evidence"
        " / the look does not span what the evidence needs: GET /alerts/{id}/evidence tells the span to ask for",
    ),
    NotThereError: _NOT_FOUND,
    WrongReasonError: Problem(
        status=422,
        code="wrong_reason",
        message="理由与结论不符。认定（confirmed）：subject_admitted、seen_on_site、other_evidence；其余理由用于排除（dismissed）"
        " / the reason does not go with the outcome: those three confirm, every other one dismisses",
    ),
    FutureDayError: Problem(
        status=422,
        code="future_day",
        message="日期不能晚于今天 / that day is still to come",
    ),
    IllegalTurnError: Problem(
        status=409,
        code="alert_turn",
        message="警报当前状态不允许此操作，或此结案理由须写明情况；请查看该警报"
        " / the alert cannot do this in its state, or this reason needs a remark: look at the alert",
    ),
    LeadStandsError: Problem(
        status=409,
        code="lead_stands",
        message="该场所已有同一情形的在办线索，见 lead_id / a lead on that ground is open there already: see lead_id",
    ),
    LeadError: Problem(
        status=409,
        code="lead_step",
        message="线索现在不能办理这一步，或缺少必填项（日期、部门、文号、核查结果、理由），"
        "或日期不可能（晚于今天、早于线索发现或前一步），或刚被他人办理；请查看该线索的 next_steps"
        " / the lead does not allow this step now, or the step lacks a day, agency, document number, finding or reason,"
        " or its day is still to come or lies before the lead or the step before it, or somebody else was quicker:"
        " look at the lead's next_steps",
    ),
    MeasurementUnavailableError: Problem(
        status=409,
        code="measurement_unavailable",
        message="这份测距现在不能重新生成：所用路网不在本机，或重测结果与存档不同；请管理员运行 hulan distance verify"
        " / this measurement cannot be made again here: its walk network is not kept, or it comes out differently than"
        " archived: ask the administrator to run hulan distance verify",
    ),
    BoundaryMissingError: Problem(
        status=409,
        code="boundary_missing",
        message="没有导入该区划的边界，无法按区划筛选；请管理员运行 hulan import boundaries"
        " / no boundary of this division is imported, so that nothing can be picked by it:"
        " ask the administrator to run hulan import boundaries",
    ),
    RegisterBusyError: Problem(
        status=409,
        code="register_busy",
        message="正在导入或合并场所，未保存，请稍后再试"
        " / venues are being imported or merged: nothing was saved, try again later",
    ),
    NothingToMeasureError: Problem(
        status=409,
        code="nothing_to_measure",
        message="自上次评估以来，法律或该场所的证照有变，或这两处今天不再受规则约束、已不在登记册；"
        "请管理员先重新评估：hulan distance evaluate"
        " / since the last evaluation the law or the venue's licences changed, or no rule binds the two any more, or"
        " one is no longer registered: ask the administrator to run hulan distance evaluate first",
    ),
    TooManyStreamsError: Problem(
        status=429,
        code="too_many_streams",
        message="打开的实时页面过多，请先关闭一些 / too many live pages are open: close some first",
    ),
    RefusedInputError: Problem(
        status=422,
        code="refused",
        message="内容不符合要求。密码：12 至 256 个字符，至少 6 种，不含登录名，与旧密码不同；"
        "令牌：不超出账号的角色，最长 365 天；查阅：须有起止时间，“其他”目的和紧急查阅须写明理由（紧急查阅至少 10 字）"
        " / refused. A password: 12 to 256 characters, 6 different ones, without the log-in name, not the old one;"
        " a token: within the roles of its account, 365 days at most; a look: a span that begins before it ends, words"
        " for another purpose, a reason of at least 10 characters to break the glass",
    ),
    OidcRefusedError: Problem(
        status=401,
        code="oidc_refused",
        message="单点登录未成功，请重新登录；如仍不成功，请联系管理员关联您的账号"
        " / single sign-on did not succeed: try again, or ask an administrator to link your account",
    ),
    OidcUnavailableError: Problem(
        status=503,
        code="oidc_unavailable",
        message="单点登录服务暂不可用，请稍后再试 / single sign-on is not available: try again later",
    ),
    TooManyAttemptsError: Problem(
        status=429,
        code="too_many_attempts",
        message="尝试次数过多，请稍后再试，或请安全管理员解锁"
        " / too many attempts: wait, or ask the security administrator",
    ),
    SQLAlchemyError: _NOT_STORED,
    # COPY and array inserts run on the driver itself, whose errors SQLAlchemy does not see.
    psycopg.Error: _NOT_STORED,
    RequestValidationError: _BAD_REQUEST,
    Exception: Problem(
        status=500,
        code="internal",
        message="系统内部错误，未保存，已记入日志 / an error of the server, nothing was stored: see its log",
    ),
}
"""The one table from error type to answer; the first type that fits decides."""

HTTP_PROBLEMS: dict[int, Problem] = {
    400: _BAD_REQUEST,
    404: _NOT_FOUND,
    405: Problem(status=405, code="method_not_allowed", message="不支持此方法 / this method is not possible here"),
    413: Problem(status=413, code="too_large", message="请求过大，请分批发送 / too large: send it in several requests"),
}
"""What the web framework itself refuses, in the same form."""


def install(app: FastAPI) -> None:
    """Answer every error from the tables, and never with what was sent or what failed inside: it is personal data."""
    for kind in PROBLEMS:
        app.add_exception_handler(kind, _answer)
    app.add_exception_handler(RequestValidationError, _answer_validation)
    app.add_exception_handler(HTTPException, _answer_http)


def _answer(_request: Request, error: Exception) -> JSONResponse:
    more = {"lead_id": str(error.lead_id)} if isinstance(error, LeadStandsError) else {}
    response = _response(next(found for kind, found in PROBLEMS.items() if isinstance(error, kind)), **more)
    if isinstance(error, TooManyAttemptsError):
        response.headers.update(error.headers)
    return response


def _answer_validation(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    fields = [{"field": ".".join(map(str, item["loc"])), "reason": item["msg"]} for item in error.errors()]
    return _response(_BAD_REQUEST, errors=fields)


def _answer_http(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    other = Problem(status=status, code=status.name.lower(), message=status.phrase)
    response = _response(HTTP_PROBLEMS.get(status, other))
    response.headers.update(error.headers or {})
    return response


def _response(problem: Problem, **more: object) -> JSONResponse:
    return JSONResponse({"code": problem.code, "message": problem.message, **more}, status_code=problem.status)
