"""Which error becomes which HTTP status. Domain errors know no HTTP."""

from dataclasses import dataclass
from http import HTTPStatus

import psycopg
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException


class UnknownDeviceError(Exception):
    """The device token is missing, unknown or revoked."""


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

PROBLEMS: dict[type[Exception], Problem] = {
    UnknownDeviceError: Problem(
        status=401,
        code="unknown_device",
        message="设备令牌缺失、未知或已吊销 / the device token is missing, unknown or revoked: send it as"
        " `Authorization: Bearer TOKEN`",
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
    404: Problem(status=404, code="not_found", message="没有这个地址 / there is no such page"),
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
    return _response(next(found for kind, found in PROBLEMS.items() if isinstance(error, kind)))


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
