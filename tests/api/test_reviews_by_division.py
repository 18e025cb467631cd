"""Questions by division: a place lies where any of its registers says, else in the county that its address names."""

from shapely.geometry import box
from sqlalchemy import Connection, Engine

from api.ids import new_id
from api.venue_listing import open_reviews
from geo.shapes import Area
from tests.make import BAR_LATITUDE, BAR_LONGITUDE
from tests.venues.register_scene import LATER, a_record, merged_by_machine, put
from tracking.store import ZoneDraft, save_zones
from tracking.zone import ZoneKind, ZoneOrigin
from venues.identity import Doubt, QueuedPair
from venues.link_store import save_reviews
from venues.scored_pairs import Waterfall
from venues.source_record import SourceKind, SourceRecord


def a_business(number: int, address: str) -> SourceRecord:
    kind = SourceKind.POLICE
    return a_record("register", number, kind=kind, at_m=None, name=f"合成{number}有限公司", address=address)


def asked(connection: Connection, *pairs: tuple[SourceRecord, SourceRecord]) -> None:
    questions = [
        (
            QueuedPair(left=one.record_id, right=other.record_id, probability=0.9 - row / 100, pair=row,
                       doubt=Doubt.UNSURE),
            Waterfall(prior_bits=-3.0, weights=()),
        )
        for row, (one, other) in enumerate(pairs)
    ]  # fmt: skip
    save_reviews(connection, questions, model_version="1", at=LATER, new_id=new_id)


def test_a_place_is_where_any_of_its_registers_or_its_address_says(engine: Engine) -> None:
    square = box(BAR_LONGITUDE - 0.01, BAR_LATITUDE - 0.01, BAR_LONGITUDE + 0.01, BAR_LATITUDE + 0.01)
    around = Area(geometry=square)
    county = ZoneDraft(
        zone_id=new_id(), source="boundary:t", source_id="320322", kind=ZoneKind.INCLUSION, origin=ZoneOrigin.BOUNDARY,
        name="合成县", shape=around,
    )  # fmt: skip
    merged, nowhere = a_business(1, "人民路28号"), a_business(2, "人民路29号")
    named, elsewhere = a_business(3, "江苏省徐州市沛县人民路30号"), a_business(4, "江苏省徐州市丰县人民路31号")
    far, near = a_record("map", 8, name="远处", at_m=90_000), a_record("map", 9, name="近处")
    with engine.begin() as connection:
        put(connection, [merged, nowhere, named, elsewhere])
        put(connection, [far, near])
        save_zones(connection, [county], at=LATER)
        merged_by_machine(connection, (merged, near))
        asked(connection, (merged, nowhere), (named, far), (elsewhere, far), (nowhere, elsewhere))
        found = [{each["left"]["name"], each["right"]["name"]} for each in open_reviews(connection, division="320322")]
        assert found == [{"合成1有限公司", "合成2有限公司"}, {"合成3有限公司", "远处"}]
        whole = open_reviews(connection)
        assert len(open_reviews(connection, division="320300")) == len(whole) == 4, "丰县 is of the city too"
        assert open_reviews(connection, division="320322", most=1, after=whole[0]["review_id"])[0] == whole[1]
        assert open_reviews(connection, division="320322", after=whole[1]["review_id"]) == []
