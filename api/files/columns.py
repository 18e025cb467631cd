"""The names under which files give one and the same column, best first. Compared in lower case."""

from collections.abc import Mapping

PLACE_COLUMNS: dict[str, tuple[str, ...]] = {
    "longitude": ("longitude", "lon", "lng", "经度"),
    "latitude": ("latitude", "lat", "纬度"),
    "name": ("name", "名称"),
    "id": ("id", "osm_id", "@id", "source_id", "编号"),
    "address": ("address", "addr:full", "地址"),
    "datum": ("datum", "坐标系"),
    "opened_on": ("opened_on", "开办日期", "建校日期", "启用日期"),
}
FIX_COLUMNS: dict[str, tuple[str, ...]] = {
    "subject_id": ("subject_id", "user_id", "track_id"),
    "fixed_at": ("fixed_at", "tracked_at", "timestamp", "time"),
    "longitude": PLACE_COLUMNS["longitude"],
    "latitude": PLACE_COLUMNS["latitude"],
    "accuracy_m": ("accuracy_m", "accuracy"),
    "datum": PLACE_COLUMNS["datum"],
    "sent_at": ("sent_at",),
    "received_at": ("received_at",),
    "source": ("source",),
    "speed_mps": ("speed_mps",),
    "altitude_m": ("altitude_m",),
    "battery_percent": ("battery_percent",),
    "is_mock": ("is_mock",),
}
INCIDENT_COLUMNS: dict[str, tuple[str, ...]] = {
    "source_id": ("source_id", "id", "编号"),
    "venue_source": ("venue_source", "场所来源"),
    "venue_source_id": ("venue_source_id", "场所编号"),
    "kind": ("kind", "类型"),
    "occurred_at": ("occurred_at", "发生时间"),
    "involves_minor": ("involves_minor", "涉未成年人"),
}
GATE_COLUMNS: dict[str, tuple[str, ...]] = {
    "id": ("id", "gate_id", "编号"),
    "site_source": ("site_source", "学校来源"),
    "site_source_id": ("site_source_id", "学校编号"),
    "kind": ("kind", "类型"),
    "is_closed": ("is_closed", "是否关闭"),
    "error_m": ("error_m", "误差米"),
    "all_gates": ("all_gates", "校门齐全"),
    "longitude": PLACE_COLUMNS["longitude"],
    "latitude": PLACE_COLUMNS["latitude"],
    "datum": PLACE_COLUMNS["datum"],
}
DOOR_COLUMNS: dict[str, tuple[str, ...]] = {
    "id": ("id", "door_id", "编号"),
    "venue_source": ("venue_source", "场所来源"),
    "venue_source_id": ("venue_source_id", "场所编号"),
    "kind": ("kind", "类型"),
    "is_main": ("is_main", "是否正门"),
    "valid_from": ("valid_from", "启用日期"),
    "valid_to": ("valid_to", "停用日期"),
    "error_m": ("error_m", "误差米"),
    "longitude": PLACE_COLUMNS["longitude"],
    "latitude": PLACE_COLUMNS["latitude"],
    "datum": PLACE_COLUMNS["datum"],
}


def category_columns(*, is_by_code: bool) -> tuple[str, ...]:
    """The names of the column that says what a place is; AMap tables have both ``type`` (words) and ``typecode``."""
    words = ("category", "type", "类别", "fclass", "业态", "经营业态", "行业", "行业名称")
    return ("typecode", *words) if is_by_code else (*words, "typecode")


def first_cell(cells: Mapping[str, str], accepted: tuple[str, ...]) -> str:
    """The first filled cell of ``cells`` (keys in lower case) under one of ``accepted``, else an empty text."""
    return next((cells[name] for name in accepted if cells.get(name, "").strip()), "")


SOURCE_COLUMNS: dict[str, tuple[str, ...]] = {
    "name": (
        "name", "名称", "企业名称", "市场主体名称", "商户名称", "单位名称", "场所名称", "字号名称", "店名",
    ),
    "address": ("address", "addr:full", "地址", "经营场所", "经营地址", "住所", "住所(经营场所)", "住所（经营场所）"),
    "uscc": ("uscc", "统一社会信用代码", "社会信用代码", "信用代码"),
    "tobacco_licence": ("tobacco_licence", "烟草专卖零售许可证号", "烟草零售许可证号", "烟草许可证号"),
    "culture_licence": (
        "culture_licence", "文化经营许可证号", "网络文化经营许可证号", "娱乐经营许可证号", "文化许可证号",
    ),
    "phone": ("phone", "contact:phone", "tel", "电话", "联系电话", "经营电话"),
    "valid_from": ("valid_from", "成立日期", "发证日期", "有效期起", "有效期自", "核准日期"),
    "valid_to": ("valid_to", "有效期止", "有效期至"),
    "revoked_on": ("revoked_on", "吊销日期"),
    "deregistered_on": ("deregistered_on", "注销日期"),
    "opening_hours": ("opening_hours", "营业时间"),
    "host_source": ("host_source", "所在场所来源"),
    "host_id": ("host_id", "所在场所编号"),
}  # fmt: skip
"""Columns of registers. What is under other names (a legal representative, an ID number) is not read and not kept."""
