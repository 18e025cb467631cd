"""Stored columns about places: venues, schools, the law of distance, leads. Part of ``api.stored_data``."""

from api.data_protection import Basis, Retention, Seen
from api.stored_columns import ACCOUNT, LEGAL, PERSONAL, PLACE, TECHNICAL, clear, hashed, table

PLACES = (
    table(
        "venue", "场所 venues", Basis.MINORS, Retention.REGISTER, Seen.ALL,
        clear(PLACE, "venue_no venue_id source source_id name category address geometry raw_geometry datum"
                      " imported_at premises record_no current_no merge_no is_watched is_other_trade withdrawn_at"
                      " data_on ended_on host_source host_source_id own_geometry own_raw_geometry own_datum"),
    ),
    table(
        "venue_source_record", "各登记对场所的记录，不改不删 what registers say of venues, never changed", Basis.MINORS,
        Retention.REGISTER, Seen.ALL,
        clear(PLACE, "record_no record_id source source_id kind content longitude latitude imported_at imported_by"
                      " data_on"),
        hashed(PLACE, "content_hash"),
    ),
    table(
        "venue_register", "登记有无重复 whether a register has a place twice, as said", Basis.MINORS,
        Retention.REGISTER, Seen.NOBODY, clear(PLACE, "source has_no_doubles said_at"), clear(ACCOUNT, "said_by"),
    ),
    table(
        "venue_phone", "登记的电话，只存带密钥的散列 telephone numbers of venues: keyed hashes only", Basis.MINORS,
        Retention.REGISTER, Seen.NOBODY, clear(PLACE, "venue_no"), hashed(PERSONAL, "phone_index"),
    ),
    table(
        "venue_link", "哪些记录是同一场所：决定，只增不改 which records are one venue: decisions", Basis.MINORS,
        Retention.REGISTER, Seen.ALL,
        clear(PLACE, "link_no link_id kind left_no right_no kept_no absorbed_no undone_no probability at reason"),
        clear(ACCOUNT, "decided_by"),
    ),
    table(
        "venue_review", "待人判断是否同一场所 pairs for a person to judge", Basis.MINORS, Retention.REGISTER, Seen.ALL,
        clear(PLACE, "review_no review_id left_no right_no probability doubt prior_bits weights model_version"
                      " proposed_at superseded_at"),
    ),
    table(
        "venue_door", "场所的门 doors of venues", Basis.MINORS, Retention.REGISTER, Seen.ALL,
        clear(PLACE, "door_no source source_id venue_source venue_source_id kind is_main valid_from valid_to error_m"
                      " geometry raw_geometry datum data_on imported_at withdrawn_at"),
    ),
    table(
        "venue_observation", "现场所见的实际类别，只增不改 what officers saw venues to be, never changed", Basis.MINORS,
        Retention.AUDIT, Seen.ALL,
        clear(PLACE, "observation_no observation_id venue_no category remark observed_on at"),
        clear(ACCOUNT, "observed_by"),
    ),
    table(
        "site", "学校等保护场所 schools and other sites", Basis.MINORS, Retention.REGISTER, Seen.ALL,
        clear(PLACE, "site_no site_id source source_id name category geometry raw_geometry datum imported_at"
                      " opened_on data_on withdrawn_at"),
    ),
    table(
        "venue_incident", "场所的警情、处罚、案件，不含人 incidents of venues, no people", Basis.MINORS,
        Retention.REGISTER, Seen.ALL,
        clear(PLACE, "source source_id venue_no kind occurred_at involves_minor imported_at"),
    ),
    table(
        "site_gate", "学校的校门，每一版 gates of schools, every version", Basis.MINORS, Retention.REGISTER, Seen.ALL,
        clear(PLACE, "gate_no source source_id site_source site_source_id kind is_closed error_m geometry"
                      " raw_geometry datum says_all imported_at imported_by superseded_at data_on gone_on"),
    ),
    table(
        "distance_rule", "距离规则的每一版 every version of a rule of distance", Basis.MINORS, Retention.AUDIT,
        Seen.ALL, clear(LEGAL, "rule_id rule_version content recorded_at"),
    ),
    table(
        "distance_run", "距离评估的登记 evaluations of the law of distance", Basis.MINORS, Retention.AUDIT, Seen.ALL,
        clear(TECHNICAL, "run_no run_id law_day evaluated_at made_by division method policy network_version"
                          " network_on venue_count site_count gate_count rule_count verdicts change_count"),
    ),
    table(
        "distance_finding", "场所与学校的距离及结论，只增不改 distances of venues and schools, never changed",
        Basis.MINORS, Retention.AUDIT, Seen.OFFICERS_THERE,
        clear(PLACE, "finding_no run_no venue_id venue_name site_id site_name campus_id holds_from recorded_at cause"
                      " verdict reason rule_id rule_version low_m high_m straight_m straight_error_m walking_m"
                      " walking_error_m walk_status gate_id walk_gate_id door_id is_disputed beaten categories others"
                      " division"),
    ),
    table(
        "measurement_archive", "测距存档 measurements as evidence", Basis.MINORS, Retention.AUDIT, Seen.OFFICERS_THERE,
        clear(PLACE, "measurement_hash content venue_id site_id verdict made_at made_by"),
    ),
    table(
        "lead", "检察监督线索，关于场所 leads about venues", Basis.MINORS, Retention.AUDIT, Seen.OFFICERS_THERE,
        clear(PLACE, "lead_no lead_id lead_key ground venue_id venue_name venue_address division categories is_sure"
                      " facts run_no"),
        clear(LEGAL, "regulator candidates route_zh route_en route_basis"),
    ),
    table(
        "lead_event", "线索的办理经过，只增不改 what was done with a lead, never changed", Basis.MINORS,
        Retention.AUDIT, Seen.OFFICERS_THERE,
        clear(LEGAL, "lead_no position step at on_day is_found is_urgent regulator document_number note"),
        clear(ACCOUNT, "account_no"),
    ),
)  # fmt: skip
