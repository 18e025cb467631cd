"""Commands for the keys of personal fields: list, new, rotate, destroy. They show key ids, never a key."""

from typing import Annotated

import typer

from api.cli.problems import FORESEEABLE
from api.cli.screen import out, plain_errors, progress, say, show_table
from api.clock import SystemClock
from api.personal.fields import key_uses
from api.personal.keyring import Keyring, make_keyring
from api.personal.opening import keyring_path, open_keyring
from api.personal.rotation import BusyError, retire, rotate
from api.personal.sealing import SealError
from api.session import open_database
from api.settings import Settings, read_settings
from tracking.local_time import LOCAL_TIME

PROBLEMS = (*FORESEEABLE, BusyError, SealError)


def list_keys() -> None:
    """列出密钥：编号、算法、用途、行数。List the keys: id, cipher, use, rows.

    例 / example:  hulan keys list
    """
    with plain_errors(*PROBLEMS):
        settings = _settings()
        keyring = open_keyring(settings)
        with open_database(settings, say=say) as engine, engine.connect() as connection:
            uses = {use.key_id: use for use in key_uses(connection)}
        rows = [("编号 key", "算法 cipher", "生成 made", "用途 use", "行数 rows")]
        held = {key.key_id: key for key in keyring.keys}
        for key_id in dict.fromkeys([*held, *uses]):
            use, key = uses.get(key_id), held.get(key_id)
            made = "–" if key is None else f"{key.made_at.astimezone(LOCAL_TIME):%Y-%m-%d %H:%M}"
            cipher = str(key.cipher) if key is not None else uses[key_id].cipher
            state = "未用 not used yet" if use is None else "当前 current" if use.is_current else "退役 retired"
            if key is None:
                state = "缺失 MISSING"
            rows.append((key_id, cipher, made, state, str(use.row_count if use else 0)))
        show_table(rows)
        out.print(f"密钥环 keyring: {keyring.path}", markup=False, soft_wrap=True)


def new(
    once: Annotated[
        bool, typer.Option("--once", help="已有密钥环则不做任何事 / do nothing if there is a keyring")
    ] = False,
) -> None:
    """生成密钥环，或添加一个尚未使用的密钥。Make the keyring, or add a key that is not used yet.

    多台机器共用一个库时：先在一台运行，把密钥环复制到各台，再轮换。
    With several machines on one database: run this on one, copy the keyring to all, then rotate.

    例 / example:  hulan keys new
    """
    with plain_errors(*PROBLEMS):
        settings = _settings()
        path = keyring_path(settings)
        at = SystemClock().now()
        if once and path.exists():
            key = Keyring(path).keys[-1]
        elif path.exists():
            key = Keyring(path).add(settings.cipher, at=at)
        else:
            key = make_keyring(path, settings.cipher, at=at).keys[-1]
        out.print(f"密钥 / key: {key.key_id} ({key.cipher})", markup=False)
        out.print(
            f"密钥环（请与数据库分开备份）/ keyring, back it up apart from the database: {path}",
            markup=False,
            soft_wrap=True,
        )


def rotate_keys() -> None:
    """换用新密钥并重新加密所有个人信息；可中断后重来，服务照常运行。Seal everything anew with a new key.

    It can be broken off and started again, and everything else goes on meanwhile.

    例 / example:  hulan keys rotate
    """
    with plain_errors(*PROBLEMS):
        settings = _settings()
        keyring = open_keyring(settings)
        with open_database(settings, say=say) as engine:
            with engine.connect() as connection:
                total = sum(use.row_count for use in key_uses(connection))
            with progress("重新加密 sealing anew", total) as advance:
                done = rotate(engine, keyring, cipher=settings.cipher, at=SystemClock().now(), progress=advance)
        out.print(f"当前密钥 / current key: {done.key_id}; 行数 / rows: {done.row_count}", markup=False)


def destroy(
    key_id: Annotated[str, typer.Argument(help="退役密钥的编号 / id of a retired key")],
    yes: Annotated[bool, typer.Option("--yes", help="不再询问 / do not ask")] = False,
) -> None:
    """销毁一个已无数据使用的密钥。Destroy a key that no row needs any more.

    例 / example:  hulan keys destroy 20260320-1f2e3d4c
    """
    with plain_errors(*PROBLEMS):
        settings = _settings()
        keyring = open_keyring(settings)
        if not yes:
            question = (
                "用它加密的旧备份将永远无法读取。继续？/ Older backups sealed with it can never be read again. Go on?"
            )
            typer.confirm(question, abort=True)
        with open_database(settings, say=say) as engine:
            retire(engine, keyring, key_id)
        out.print(f"已销毁 / destroyed: {key_id}", markup=False)


def _settings() -> Settings:
    settings = read_settings()
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    return settings
