"""Which error becomes which HTTP status. Domain errors know no HTTP."""

from dataclasses import dataclass

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DBAPIError, SQLAlchemyError


class UnknownDeviceError(Exception):
    """The device token is missing, unknown or revoked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What the client is told, in plain words."""

    status: int
    code: str
    message: str


PROBLEMS: dict[type[Exception], Problem] = {
    UnknownDeviceError: Problem(
        status=401,
        code="unknown_device",
        message="设备令牌缺失、未知或已吊销 / the device token is missing, unknown or revoked: send it as"
        " `Authorization: Bearer TOKEN`",
    ),
    SQLAlchemyError: Problem(
        status=503,
        code="not_stored",
        message="数据库暂不可用，未保存，请稍后重发"
        " / not stored, the database is not available: send the same again later",
    ),
}
"""The one table from error type to answer."""


def install(app: FastAPI) -> None:
    """Answer every known error from the table, and bad JSON without echoing what was sent (it is personal data)."""
    for kind in (*PROBLEMS, DBAPIError):
        app.add_exception_handler(kind, _answer)
    app.add_exception_handler(RequestValidationError, _answer_validation)


def _answer(_request: Request, error: Exception) -> JSONResponse:
    problem = next(found for kind, found in PROBLEMS.items() if isinstance(error, kind))
    return JSONResponse({"code": problem.code, "message": problem.message}, status_code=problem.status)


def _answer_validation(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    fields = [{"field": ".".join(map(str, item["loc"])), "reason": item["msg"]} for item in error.errors()]
    return JSONResponse(
        {"code": "bad_request", "message": "请求无法解析 / the request cannot be read", "errors": fields},
        status_code=422,
    )
