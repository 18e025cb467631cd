"""A made-up city around Xuzhou: venues, incidents, schools and streets, the same on every run."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
from shapely import LineString, Point, Polygon

from geo.datum import Datum
from maps.heat import render_heatmap
from maps.heat_layers import BackdropFeature, BackdropKind
from maps.offline import MapAssets
from venues.area_risk import AreaRisk, assess_areas
from venues.category import CATEGORY_NAMES_ZH, SiteCategory, VenueCategory
from venues.place import IncidentKind, Site, SourceKey, VenueIncident
from venues.risk import RiskPolicy, VenueExposure, VenueRisk, assess_venues

AS_OF = datetime(2026, 3, 1, 0, 0, tzinfo=UTC)
CENTRE = (117.19, 34.26)
POLICY = RiskPolicy()


@dataclass(frozen=True, slots=True, kw_only=True)
class City:
    """Everything that a heat map is made of."""

    risks: tuple[VenueRisk, ...] = ()
    areas: tuple[AreaRisk, ...] = ()
    sites: tuple[Site, ...] = ()
    backdrop: tuple[BackdropFeature, ...] = ()

    def page(
        self,
        assets: MapAssets,
        *,
        title: str = "徐州市娱乐场所风险图",
        synthetic: bool = True,
        data_note: str | None = None,
    ) -> str:
        """The rendered map."""
        return render_heatmap(
            risks=self.risks,
            areas=self.areas,
            sites=self.sites,
            backdrop=self.backdrop,
            as_of=AS_OF,
            assets=assets,
            title=title,
            synthetic=synthetic,
            data_note=data_note,
        )


def make_venue(
    name: str = "云龙量贩KTV", *, number: int = 1, observed_from: date | None = date(2024, 1, 1)
) -> VenueExposure:
    """A venue at the city's centre, a little further east for each ``number``."""
    return VenueExposure(
        key=SourceKey(source="test", source_id=f"venue/{number}"),
        name=name,
        category=VenueCategory.KTV,
        longitude=CENTRE[0] + 0.002 * number,
        latitude=CENTRE[1],
        observed_from=observed_from,
    )


def make_incident(
    venue: VenueExposure, *, number: int = 1, kind: IncidentKind = IncidentKind.POLICE_CALL, days_ago: float = 30
) -> VenueIncident:
    """An incident at ``venue``, ``days_ago`` before ``AS_OF``."""
    return VenueIncident(
        key=SourceKey(source="test", source_id=f"incident/{venue.key.source_id}/{number}"),
        venue_key=venue.key,
        kind=kind,
        occurred_at=AS_OF - timedelta(days=days_ago),
    )


def make_site(name: str = "云兴小学", *, number: int = 1) -> Site:
    """A school of 160 m by 130 m north of the venues."""
    west, south = CENTRE[0] + 0.004 * number, CENTRE[1] + 0.003
    ground = Polygon([(west, south), (west + 0.0018, south), (west + 0.0018, south + 0.0012), (west, south + 0.0012)])
    return Site(
        key=SourceKey(source="test", source_id=f"site/{number}"),
        name=name,
        category=SiteCategory.PRIMARY_SCHOOL,
        geometry=ground,
        raw_geometry=ground,
        datum=Datum.WGS84,
    )


def make_city(venue_count: int = 120, *, with_incidents: bool = True, seed: int = 7) -> City:
    """Venues in four quarters, incidents mostly at a few of them, six schools, a net of streets."""
    random = np.random.default_rng(seed)
    venues = [_random_venue(random, number) for number in range(venue_count)]
    incidents = [one for venue in venues for one in _random_incidents(random, venue)] if with_incidents else []
    if not with_incidents:
        venues = [replace(venue, observed_from=None) for venue in venues]
    risks = assess_venues(venues, incidents, as_of=AS_OF, policy=POLICY)
    return City(
        risks=risks,
        areas=assess_areas(risks, policy=POLICY),
        sites=tuple(_schools()),
        backdrop=tuple(_streets(random)),
    )


_QUARTERS = ((0.0, 0.0), (0.034, 0.012), (-0.028, 0.02), (0.01, -0.026))
_NAMES = ("云龙", "彭城", "户部山", "金鹰", "苏宁", "万达", "泉山", "淮海", "古彭", "大马路", "黄楼", "戏马台")


def _random_venue(random: np.random.Generator, number: int) -> VenueExposure:
    east, north = _QUARTERS[random.integers(len(_QUARTERS))] + random.normal(0, 0.0065, 2)
    kinds = (VenueCategory.KTV, VenueCategory.BAR, VenueCategory.INTERNET_CAFE, VenueCategory.HOTEL, VenueCategory.BATH)
    category = kinds[random.integers(len(kinds))]
    fresh = random.random() < 0.12
    return VenueExposure(
        key=SourceKey(source="example", source_id=f"venue/{number}"),
        name=f"{_NAMES[random.integers(len(_NAMES))]}{CATEGORY_NAMES_ZH[category]}{number}号店",
        category=category,
        longitude=round(CENTRE[0] + float(east), 6),
        latitude=round(CENTRE[1] + 0.85 * float(north), 6),
        observed_from=AS_OF.date() - timedelta(days=20) if fresh else date(2024, 1, 1),
    )


def _random_incidents(random: np.random.Generator, venue: VenueExposure) -> list[VenueIncident]:
    kinds = random.choice(
        np.array(list(IncidentKind)), size=random.poisson(random.gamma(0.4, 4.5)), p=[0.8, 0.15, 0.05]
    )
    return [
        make_incident(venue, number=number, kind=IncidentKind(kind), days_ago=float(random.uniform(3, 700)))
        for number, kind in enumerate(kinds)
    ]


def _schools() -> list[Site]:
    names = ("解放路小学", "第一中学", "民主路小学", "撷秀初级中学", "云龙实验幼儿园", "泉山职业学校")
    categories = (
        SiteCategory.PRIMARY_SCHOOL,
        SiteCategory.SECONDARY_SCHOOL,
        SiteCategory.PRIMARY_SCHOOL,
        SiteCategory.SECONDARY_SCHOOL,
        SiteCategory.KINDERGARTEN,
        SiteCategory.VOCATIONAL_SCHOOL,
    )
    places = ((0.006, 0.006), (0.03, 0.004), (-0.02, 0.014), (0.014, -0.02), (-0.006, -0.006), (0.04, 0.016))
    schools = []
    for number, (name, category, (east, north)) in enumerate(zip(names, categories, places, strict=True)):
        west, south = CENTRE[0] + east, CENTRE[1] + north
        ground = Polygon(
            [(west, south), (west + 0.0024, south + 0.0002), (west + 0.0022, south + 0.0017), (west, south + 0.0015)]
        )
        schools.append(
            Site(
                key=SourceKey(source="example", source_id=f"school/{number}"),
                name=name,
                category=category,
                geometry=ground if number != 4 else Point(west, south),
                raw_geometry=ground,
                datum=Datum.WGS84,
            )
        )
    return schools


def _streets(random: np.random.Generator) -> list[BackdropFeature]:
    offsets = np.linspace(-0.05, 0.06, 19)
    along = np.linspace(-0.055, 0.065, 25)
    lines = []
    for offset in offsets:
        wobble = np.cumsum(random.normal(0, 0.0003, along.size))
        lines.append(np.column_stack([CENTRE[0] + along, CENTRE[1] + 0.8 * offset + wobble]))
        lines.append(np.column_stack([CENTRE[0] + offset + wobble, CENTRE[1] + 0.8 * along]))
    river = np.column_stack([CENTRE[0] - 0.012 + 0.006 * np.sin(along * 60), CENTRE[1] + 0.8 * along])
    edge = [(-0.045, -0.036), (0.052, -0.04), (0.058, 0.03), (0.01, 0.046), (-0.05, 0.036), (-0.045, -0.036)]
    return [
        *(BackdropFeature(kind=BackdropKind.STREET, geometry=LineString(line)) for line in lines),
        BackdropFeature(kind=BackdropKind.WATER, geometry=LineString(river).buffer(0.0012)),
        BackdropFeature(
            kind=BackdropKind.BOUNDARY, geometry=LineString([(CENTRE[0] + x, CENTRE[1] + y) for x, y in edge])
        ),
    ]
