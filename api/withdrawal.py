"""What a file that is all of a register withdraws unasked, and what only on confirmation. Pure."""

from collections.abc import Collection, Sequence
from enum import Enum

from venues.place import Rejected

SURE_SHARE_WITHDRAWN = 0.05
"""Of a register; more at once is rather a file that was cut short than a city that closed."""
SURE_COUNT_WITHDRAWN = 3
"""So many go unasked in a small register too, if they are not all of it."""
_NAMED = 5


class Withdrawn(Enum):
    """What a register is of: Chinese before and after the count, and English."""

    VENUES = ("处", "处及其区域", "venues would be withdrawn with their zones")
    DOORS = ("个门", "个", "doors would be withdrawn")
    SITES = ("所学校", "所及其区域", "schools would be withdrawn with their zones")
    GATES = ("个校门", "个", "gates would be withdrawn")


class WithdrawalRefusedError(ValueError):
    """What is missing may be rows that could not be read, or a part of the file, or is more than was confirmed."""

    def __init__(
        self,
        withdrawn: Sequence[tuple[str, str]],
        *,
        of: Withdrawn,
        register_count: int,
        rejected_count: int,
        is_much: bool,
    ) -> None:
        count = len(withdrawn)
        some = "、".join(f"{name} ({source_id})" if name else source_id for source_id, name in withdrawn[:_NAMED])
        unit_zh, rest_zh, words = of.value
        doubt = doubt_zh = ""
        if rejected_count:
            doubt_zh = f"，而文件有 {rejected_count} 行未能读取，可能正是它们，请改正后再导入"
            doubt = f", and {rejected_count} rows of the file could not be read, which may be just those: mend them"
        elif is_much:
            doubt_zh = "，文件可能不全（只有表头，或导出有条数上限），请先核对"
            doubt = ", and the file may be a part only (a header alone, an export with a limit): compare it first"
        super().__init__(
            f"未导入：将撤回 {register_count} {unit_zh}中的 {count} {rest_zh}{doubt_zh}；"
            f"确已不存在的用 --withdraw {count} 确认 / nothing was imported: {count} of {register_count} "
            f"{words}{doubt}; if they are gone, confirm with --withdraw {count}. 例 example: {some}"
        )


def check_withdrawal(
    withdrawn: Sequence[tuple[str, str]],
    *,
    of: Withdrawn,
    register_count: int,
    known_ids: Collection[str],
    rejected: Sequence[Rejected],
    confirmed_count: int,
) -> None:
    """Raises WithdrawalRefusedError, after which the caller rolls back, unless what is to go may go.

    ``withdrawn``: id and name of each, of ``register_count`` that were there. Up to ``confirmed_count`` go. Otherwise
    none goes while a rejected row has an id that is not among ``known_ids``, which may be theirs; nor all there are,
    nor more than both ``SURE_SHARE_WITHDRAWN`` and ``SURE_COUNT_WITHDRAWN``.
    """
    count = len(withdrawn)
    if count <= confirmed_count:
        return
    unknown = [row for row in rejected if row.reference not in known_ids]
    is_share = count > SURE_COUNT_WITHDRAWN and count > SURE_SHARE_WITHDRAWN * register_count
    is_much = is_share or count == register_count
    if unknown or is_much or confirmed_count:
        raise WithdrawalRefusedError(
            withdrawn,
            of=of,
            register_count=register_count,
            rejected_count=len(unknown or rejected),
            is_much=is_much,
        )
