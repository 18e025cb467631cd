"""Named situations with known truth, and what is asked of a policy in each of them (design.md, section 8)."""

from dataclasses import dataclass, replace

from tracking.simulate_error import INDOOR, OPEN, URBAN
from tracking.simulate_ground import INDOOR_AT_HOME, Builder, ordinary_week, passing, standing, visiting

RESIDENT_65 = replace(INDOOR, name="resident", radius_m=65.0, radius_spread=0.0)
ACCURATE_10 = replace(OPEN, name="accurate", radius_m=10.0)
URBAN_BIASED = replace(URBAN, name="urban_biased", bias_share=0.3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is asked of a policy (design.md, section 8). ``None``: nothing is."""

    most_false_per_day: float | None = None
    """PROBABLE episodes per person-day that belong to no true visit."""
    least_possible: float | None = None
    """Share of true visits found as POSSIBLE or better; an undecidable one counts, since it asks for a check-in."""
    least_probable: float | None = None
    most_delay_s: float | None = None
    """Median time from entering to POSSIBLE."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A named situation. ``build(people, days, rng)`` draws it."""

    name: str
    title_zh: str
    title_en: str
    interval_s: float
    """Between fixes."""
    target: Target
    build: Builder


SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        Scenario(
            name="neighbour",
            title_zh="站在 50 米区域外 30 米，城区误差",
            title_en="stands 30 m outside a 50 m zone, urban error",
            interval_s=60.0,
            target=Target(most_false_per_day=0.1),
            build=standing(radius_m=50.0, from_centre_m=80.0, model=URBAN),
        ),
        Scenario(
            name="neighbour_biased",
            title_zh="同上，误差方差的 30% 数小时不变",
            title_en="the same, 30 % of the error's variance stays for hours",
            interval_s=60.0,
            target=Target(),
            build=standing(radius_m=50.0, from_centre_m=80.0, model=URBAN_BIASED),
        ),
        Scenario(
            name="resident",
            title_zh="家距 20 米酒吧中心 60 米，精度 65 米",
            title_en="lives 60 m from the middle of a 20 m bar, 65 m accuracy",
            interval_s=300.0,
            target=Target(most_false_per_day=1.0 / 7.0),
            build=standing(radius_m=20.0, from_centre_m=60.0, model=RESIDENT_65),
        ),
        Scenario(
            name="visit_10",
            title_zh="步行到 50 米区域停留 10 分钟，城区误差",
            title_en="10 minutes in a 50 m zone, on foot, urban error",
            interval_s=60.0,
            target=Target(least_possible=0.99, most_delay_s=120.0, least_probable=0.94),
            build=visiting(radius_m=50.0, inside_s=600.0, at_zone=URBAN, on_the_way=URBAN, elsewhere=INDOOR_AT_HOME),
        ),
        Scenario(
            name="visit_indoor_30",
            title_zh="25 米区域室内 30 分钟，室内误差 45 米",
            title_en="30 minutes in a 25 m zone, indoor error of 45 m",
            interval_s=60.0,
            target=Target(least_possible=0.99),
            build=visiting(radius_m=25.0, inside_s=1_800.0, at_zone=INDOOR, on_the_way=URBAN, elsewhere=INDOOR_AT_HOME),
        ),
        Scenario(
            name="visit_20_accurate",
            title_zh="50 米区域 20 分钟，精度 10 米",
            title_en="20 minutes in a 50 m zone at 10 m accuracy",
            interval_s=60.0,
            target=Target(least_possible=1.0, least_probable=0.99),
            build=visiting(
                radius_m=50.0, inside_s=1_200.0, at_zone=ACCURATE_10, on_the_way=ACCURATE_10, elsewhere=ACCURATE_10
            ),
        ),
        Scenario(
            name="walk_past",
            title_zh="每天 8 次步行经过 25 米区域，距边界 5～20 米",
            title_en="walks past a 25 m zone 8 times a day, 5 to 20 m from its edge",
            interval_s=60.0,
            target=Target(most_false_per_day=0.1),
            build=passing(radius_m=25.0, aside_m=(30.0, 45.0), speed_mps=(1.3, 1.3), model=URBAN),
        ),
        Scenario(
            name="drive_past",
            title_zh="每天 8 次乘车经过 25 米区域，距边界 5～20 米",
            title_en="drives past a 25 m zone 8 times a day, 5 to 20 m from its edge",
            interval_s=60.0,
            target=Target(most_false_per_day=0.1),
            build=passing(radius_m=25.0, aside_m=(30.0, 45.0), speed_mps=(8.0, 14.0), model=URBAN),
        ),
        Scenario(
            name="pass_through",
            title_zh="每天 8 次步行穿过 50 米区域",
            title_en="walks through a 50 m zone 8 times a day",
            interval_s=60.0,
            target=Target(most_false_per_day=0.1),
            build=passing(radius_m=50.0, aside_m=(0.0, 40.0), speed_mps=(1.3, 1.3), model=URBAN),
        ),
        Scenario(
            name="ordinary_week",
            title_zh="小城日常：住家、上学上班、商店，部分晚上进入 150 个区域之一",
            title_en="a town's days: home, work, shops, some evenings in one of 150 zones",
            interval_s=60.0,
            target=Target(),
            build=ordinary_week,
        ),
    )
}
