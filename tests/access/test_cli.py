"""Accounts, tokens and devices on the command line: the real program on a real database."""

import re
from pathlib import Path

from sqlalchemy import Engine

from tests.access.people import a_browser
from tests.api.live_server import as_json, post
from tests.api.test_cli import hulan
from tests.make import a_fix, a_person


def secret_in(output: str) -> str:
    found = re.search(r": (\S+)\s*$", output)
    assert found is not None, output
    return found[1]


def test_the_first_administrator_is_made_on_the_command_line_and_nobody_gets_two_roles(
    engine: Engine, database_url: str, tmp_path: Path
) -> None:
    def run(*words: str) -> str:
        done = hulan(*words, data_dir=tmp_path, database_url=database_url)
        return done.stdout + done.stderr if done.returncode else done.stdout

    made = run("account", "create-admin", "an", "--staff-number", "A-1", "--name", "合成安")
    assert len(secret_in(made)) == 20
    again = run(
        "account", "create-admin", "an2", "--staff-number", "a-1", "--name", "x", "--role", "audit_administrator"
    )
    assert "一人只能有一个账号" in again
    assert "不是管理员角色" in run(
        "account", "create-admin", "b", "--staff-number", "B", "--name", "x", "--role", "leader"
    )
    run("division", "add", "320303", "--name", "合成区")
    officer = ("account", "create", "wang", "--staff-number", "P-1", "--name", "x", "--division", "320303")
    assert "create-admin" in run(*officer, "--role", "audit_administrator")
    assert len(secret_in(run(*officer, "--role", "prosecutor", "--role", "supervisor"))) == 20
    token = secret_in(run("token", "create", "wang", "--scope", "cases:read", "--label", "导出"))
    assert token.startswith("hulan_")
    assert "超出" in run("token", "create", "wang", "--scope", "accounts:read", "--label", "x")
    listed = run("token", "list", "wang")
    assert "导出" in listed
    assert token not in listed
    assert "已解锁" in run("account", "unlock", "wang")
    assert len(secret_in(run("account", "reset-totp", "wang"))) == 20
    assert "已停用" in run("account", "disable", "wang")
    assert "Traceback" not in run("account", "disable", "nobody")


def test_a_reissued_device_takes_over_and_the_lost_one_is_out(
    engine: Engine, database_url: str, tmp_path: Path
) -> None:
    with engine.begin() as connection:
        person = a_person(connection)
    done = hulan("device", "reissue", str(person.subject_id), data_dir=tmp_path, database_url=database_url)
    assert done.returncode == 0, done.stderr
    with engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT revoked_at IS NULL FROM device ORDER BY device_id").scalars().all()
    assert rows == [False, True]
    # The program's secret is not that of the test's server: what counts here is that the old token is refused.
    with a_browser(database_url) as browser:
        assert post(browser.client, person.token, as_json(a_fix())).status_code == 401
