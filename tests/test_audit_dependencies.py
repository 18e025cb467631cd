"""The audit of dependencies says what it found, and never calls clean what nobody looked at."""

import json

import pytest

from audit_dependencies import (
    Found,
    Verdict,
    exit_code,
    judge_licences,
    read_npm_audit,
    read_pip_audit,
    read_uv_audit,
)

FLAW = {"name": "x", "version": "1.0", "vulns": [{"id": "PYSEC-2026-1", "fix_versions": ["1.1"]}]}
SOUND = {"name": "y", "version": "2.0", "vulns": []}
UNKNOWN = {"name": "z", "skip_reason": "Dependency not found on PyPI and could not be audited: z (1.0)"}
REFUSAL = {"message": "405 Method Not Allowed - POST /-/npm/v1/security/advisories/bulk", "statusCode": 405}


def test_pip_audit_that_skipped_packages_has_not_looked() -> None:
    read = {
        name: read_pip_audit(json.dumps({"dependencies": items, "fixes": []})).found
        for name, items in {
            "sound": [SOUND], "flaw": [SOUND, FLAW], "skipped": [SOUND, UNKNOWN],
            "flaw beside": [FLAW, UNKNOWN], "": [],
        }.items()
    }  # fmt: skip
    assert read == {
        "sound": Found.NOTHING, "flaw": Found.SOMETHING, "skipped": Found.NOT_LOOKED,
        "flaw beside": Found.SOMETHING, "": Found.NOT_LOOKED,
    }  # fmt: skip
    assert "PYSEC-2026-1" in read_pip_audit(json.dumps({"dependencies": [FLAW]})).detail
    assert read_pip_audit("", "Traceback\nConnectionError").found is Found.NOT_LOOKED


def test_npm_that_refuses_has_not_looked() -> None:
    def answer(total: int, **flaws: object) -> str:
        return json.dumps(
            {"vulnerabilities": flaws, "metadata": {"vulnerabilities": {"total": total}, "dependencies": {"total": 41}}}
        )

    assert read_npm_audit(answer(0)).found is Found.NOTHING
    assert read_npm_audit(answer(1, koa={})) == Verdict("npm audit", "npm", Found.SOMETHING, "koa")
    refused = read_npm_audit(json.dumps(REFUSAL))
    assert (refused.found, refused.detail) == (Found.NOT_LOOKED, REFUSAL["message"])
    assert read_npm_audit("").found is Found.NOT_LOOKED


def test_uv_that_could_not_ask_has_not_looked() -> None:
    assert read_uv_audit(0, "Found no known vulnerabilities").found is Found.NOTHING
    assert read_uv_audit(1, "x 1.0 has 1 known vulnerability:\n- GHSA-1").found is Found.SOMETHING
    assert "GHSA-1" in read_uv_audit(1, "x 1.0 has 1 known vulnerability:\n- GHSA-1\nend").detail
    unreachable = read_uv_audit(2, "error: Request failed\n  cause: dns error at https://me:secret@index.example/x\n")
    assert unreachable.found is Found.NOT_LOOKED
    assert "secret" not in unreachable.detail


@pytest.mark.parametrize(
    ("python", "other", "npm", "code"),
    [
        (Found.NOTHING, Found.NOT_LOOKED, Found.NOTHING, 0),
        (Found.NOT_LOOKED, Found.NOT_LOOKED, Found.NOTHING, 3),
        (Found.NOTHING, Found.NOTHING, Found.NOT_LOOKED, 3),
        (Found.NOT_LOOKED, Found.SOMETHING, Found.NOT_LOOKED, 1),
        (Found.NOTHING, Found.NOTHING, Found.SOMETHING, 1),
    ],
)
def test_the_exit_code_tells_clean_from_unknown(python: Found, other: Found, npm: Found, code: int) -> None:
    found = (("python", python), ("python", other), ("npm", npm))
    assert exit_code([Verdict("x", covers, verdict, "") for covers, verdict in found]) == code


@pytest.mark.parametrize(
    ("licence", "found"),
    [
        ("MIT", Found.NOTHING),
        ("LGPL-3.0-only", Found.NOTHING),
        ("License :: OSI Approved :: GNU Lesser General Public License v3 (LGPLv3)", Found.NOTHING),
        ("GPL-3.0-or-later", Found.SOMETHING),
        ("AGPL-3.0", Found.SOMETHING),
        ("CC BY-NC-SA 4.0 (non-commercial)", Found.SOMETHING),
        ("", Found.SOMETHING),
    ],
)
def test_a_licence_that_binds_more_than_its_own_code_is_named(licence: str, found: Found) -> None:
    assert judge_licences({"x": licence}).found is found


def test_no_packages_at_all_is_no_result() -> None:
    assert judge_licences({}).found is Found.NOT_LOOKED
