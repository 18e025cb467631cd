"""Commands that simulate tracks with known truth and score a policy on them."""

import json
from pathlib import Path
from typing import Annotated

import typer

from api.cli.problems import PROBLEMS
from api.cli.screen import out, plain_errors, progress, say, show_table
from api.quality import (
    Setup,
    as_json,
    chosen_scenarios,
    judge,
    parse_sweep,
    read_policy,
    table_of,
    trade_off,
    trade_off_steps,
)
from api.simulating import write_simulation
from tracking.overrides import sweep
from tracking.point_rules import POINT_RULES
from tracking.simulate import TEST_SEEDS_FROM
from tracking.simulate_delivery import DELIVERIES, Delivery
from tracking.simulate_scenario import SCENARIOS

_NAMES = ", ".join(SCENARIOS)

People = Annotated[int, typer.Option(help="人数 / people", min=1)]
Days = Annotated[int, typer.Option(help="天数 / days", min=1)]
Seed = Annotated[
    int,
    typer.Option(help=f"随机种子；{TEST_SEEDS_FROM} 以下用于调参 / seed; below {TEST_SEEDS_FROM}: for tuning", min=0),
]
Network = Annotated[
    str, typer.Option("--delivery", help=f"网络 {', '.join(DELIVERIES)} / prompt, or rough: gaps, bursts, repeats")
]


def simulate(
    scenario: Annotated[str, typer.Option(help=f"场景 / scenario: {_NAMES}")],
    out_dir: Annotated[Path, typer.Option("--out", help="输出文件夹 / folder to write to")],
    people: People = 10,
    days: Days = 1,
    seed: Seed = TEST_SEEDS_FROM,
    delivery: Network = "prompt",
    as_parquet: Annotated[bool, typer.Option("--parquet", help="定位写成 Parquet / fixes as Parquet")] = False,
) -> None:
    """生成带真值的模拟轨迹：区域、定位、真实进出。Simulated tracks with known truth: zones, fixes, truth.

    例 / example:  hulan simulate --scenario visit_10 --people 20 --days 7 --out simulated
    """
    with plain_errors(*PROBLEMS):
        setup = Setup(people=people, days=days, seed=seed, delivery=_delivery(delivery))
        with progress("模拟 simulating", total=2) as advance:
            tracks, _ = setup.simulate(scenario)
            advance(1)
            files = write_simulation(tracks, out_dir, as_parquet=as_parquet)
            advance(1)
        visits = int(tracks.truth.is_visit.sum())
        out.print(
            f"人日 person-days: {tracks.person_days}  区域 zones: {len(tracks.zones)}  定位 fixes: {len(tracks.fixes)}"
            f"  真实在场 true presences: {len(tracks.truth)}（停留 visits: {visits}）",
            markup=False,
        )
        for path in (files.zones, files.fixes, files.truth):
            out.print(f"→ {path}", markup=False)


def quality(
    scenario: Annotated[list[str] | None, typer.Option(help=f"场景，可多次 / may be repeated: all, {_NAMES}")] = None,
    people: People = 40,
    days: Days = 7,
    seed: Seed = TEST_SEEDS_FROM,
    delivery: Network = "prompt",
    policy: Annotated[
        Path | None, typer.Option(help="TOML，写要改的策略参数 / TOML with the policy's fields to change", exists=True)
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="误报与召回的权衡图 .png、.svg / trade-off as a picture")] = None,
    vary: Annotated[
        list[str] | None, typer.Option("--sweep", help="权衡图所变参数 / what the picture varies: NAME=1,2,3")
    ] = None,
    as_json_line: Annotated[bool, typer.Option("--json", help="只输出一行 JSON / print one line of JSON only")] = False,
) -> None:
    """在模拟轨迹上给策略打分：误报、召回、延迟，并与简单规则比较。Score the policy on simulated tracks.

    例 / example:  hulan quality --scenario neighbour --scenario visit_10 --plot trade-off.png
    """
    with plain_errors(*PROBLEMS):
        names = chosen_scenarios(scenario or ["all"])
        chosen, swept = read_policy(policy), parse_sweep(vary or [])
        setup = Setup(people=people, days=days, seed=seed, delivery=_delivery(delivery))
        if plot is None and vary:
            raise ValueError("--sweep 须与 --plot 同用 / --sweep needs --plot: it is what the picture varies")
        if plot is not None:
            from api.quality_plot import check_format, draw  # noqa: PLC0415 # loads for half a second

            check_format(plot)
            sweep(chosen, swept)  # a name that the policy does not have is told now and not after minutes
        with progress("评分 scoring", total=len(names) * (1 + len(POINT_RULES))) as advance:
            judged = judge(names, chosen, setup, progress=advance)
        traded = None
        if plot is not None:
            with progress("权衡 trade-off", total=trade_off_steps(swept)) as advance:
                traded = trade_off(chosen, swept, setup, progress=advance)
            draw(traded, plot)
        if as_json_line:
            typer.echo(json.dumps(as_json(judged, chosen, setup, traded), ensure_ascii=False, default=str))
            return
        kind = "调参 tuning" if seed < TEST_SEEDS_FROM else "检验 test"
        out.print(f"{people} × {days} 人日 person-days  {kind} seed {seed}  策略 policy {chosen.version}", markup=False)
        for item in judged:
            found = item.scenario
            show_table(table_of(item), title=f"{found.name}: {found.title_zh} / {found.title_en}")
        if plot is not None:
            say(f"权衡图 trade-off: {plot}")


def _delivery(name: str) -> Delivery:
    if name not in DELIVERIES:
        raise ValueError(f"没有网络 no delivery {name!r}；可选 there are: {', '.join(DELIVERIES)}")
    return DELIVERIES[name]
