"""Every column that Hulan stores. A column without a line here fails ``tests/api/test_data_protection.py``."""

from api.data_protection import Basis, DataClass, Declaration, Form, Group, Retention, Seen

PERSONAL, PSEUDONYM, LOCATION = DataClass.PERSONAL, DataClass.PSEUDONYM, DataClass.LOCATION
FINDING, LEGAL, ACCOUNT, SECRET = DataClass.FINDING, DataClass.LEGAL, DataClass.ACCOUNT, DataClass.SECRET
AUDIT, PLACE, TECHNICAL = DataClass.AUDIT, DataClass.PLACE, DataClass.TECHNICAL


def _clear(data_class: DataClass, columns: str) -> Group:
    return Group(data_class=data_class, form=Form.CLEAR, columns=tuple(columns.split()))


def _sealed(data_class: DataClass, columns: str) -> Group:
    return Group(data_class=data_class, form=Form.SEALED, columns=tuple(columns.split()))


def _hashed(data_class: DataClass, columns: str) -> Group:
    return Group(data_class=data_class, form=Form.HASHED, columns=tuple(columns.split()))


def _table(table: str, purpose: str, basis: Basis, retention: Retention, seen: Seen, *groups: Group) -> Declaration:
    return Declaration(table=table, purpose=purpose, basis=basis, retention=retention, seen=seen, groups=groups)


CASES = (
    _table(
        "subject", "监管对象是谁 who is under supervision", Basis.ORDER, Retention.CASE, Seen.CASE,
        _sealed(PERSONAL, "name id_number address"), _hashed(PERSONAL, "id_number_index"),
        _clear(PERSONAL, "birth_date"), _clear(PSEUDONYM, "subject_no subject_id alias"),
        _clear(LEGAL, "sealed_at sealing_ground"), _clear(TECHNICAL, "shard key_id"),
    ),
    _table(
        "open_subject", "视图：未封存的人 view: people whose record is not sealed", Basis.ORDER, Retention.CASE,
        Seen.NOBODY,
        _clear(PERSONAL, "birth_date"), _clear(PSEUDONYM, "subject_no subject_id alias"), _clear(TECHNICAL, "shard"),
    ),
    _table(
        "record_sealing", "封存、解封、销毁的登记 sealings, unsealings, destructions", Basis.SEALING, Retention.AUDIT,
        Seen.NOBODY, _clear(LEGAL, "action ground ground_text document_number at keep_until unsealed_until"),
        _clear(ACCOUNT, "by_account_no second_account_no"), _clear(PSEUDONYM, "sealing_id subject_no"),
        _clear(TECHNICAL, "key_id"),
    ),
    _table(
        "unsealing_request", "启封的申请与决定 requests to open a sealed record", Basis.SEALING, Retention.AUDIT,
        Seen.NOBODY, _clear(LEGAL, "ground ground_text document_number asked_at decided_at is_approved unsealed_until"),
        _clear(ACCOUNT, "asked_by decided_by"), _clear(PSEUDONYM, "request_id subject_id subject_no"),
    ),
    _table(
        "recipient", "通知谁 who is told", Basis.TOLD, Retention.CASE, Seen.CASE,
        _sealed(PERSONAL, "name phone email"), _hashed(PERSONAL, "phone_index"),
        _clear(PERSONAL, "role rank is_blocked"), _clear(LEGAL, "unit blocked_for denied_at"),
        _clear(PSEUDONYM, "recipient_id subject_no"), _clear(TECHNICAL, "key_id language channels"),
    ),
    _table(
        "duty_roster", "值班表 who is on duty", Basis.TOLD, Retention.ACCOUNT, Seen.CASE,
        _clear(ACCOUNT, "roster_id unit from_at to_at recipient_ids recorded_at revoked_at"),
    ),
    _table(
        "duty_absence", "值班人员缺勤 who is away", Basis.TOLD, Retention.ACCOUNT, Seen.CASE,
        _clear(ACCOUNT, "absence_id recipient_id from_at to_at recorded_at revoked_at"),
    ),
    _table(
        "device", "设备身份 which device may send", Basis.ORDER, Retention.CASE, Seen.NOBODY,
        _clear(PSEUDONYM, "device_id subject_no"), _hashed(SECRET, "token_hash"), _clear(TECHNICAL, "revoked_at"),
    ),
    _table(
        "supervision_order", "决定书 the decision", Basis.ORDER, Retention.CASE, Seen.CASE,
        _clear(LEGAL, "measure document_number deciding_organ executing_organ valid_from valid_to superseded_at"
                      " effective_from recorded_at version stage legal_basis location_basis consent review_at"
                      " lifted_at lifting_document"),
        _clear(PSEUDONYM, "order_no order_id subject_no"),
    ),
    _table(
        "condition", "决定书的条件 what the decision asks", Basis.ORDER, Retention.CASE, Seen.CASE,
        _clear(LEGAL, "kind zone_id categories tolerance_m timetable parameters reason_code is_protected"),
        _clear(PSEUDONYM, "condition_no condition_id order_no"),
    ),
    _table(
        "zone", "区域：条件、场所、边界 zones of conditions, venues, boundaries", Basis.ORDER, Retention.CASE,
        Seen.FINDING, _clear(LOCATION, "geometry radius_m"), _clear(LEGAL, "kind origin category name"),
        _clear(TECHNICAL, "zone_no zone_id version source source_id created_at superseded_at valid_from withdrawn_at"),
    ),
    _table(
        "order_in_force", "视图：何时适用哪一版决定书 view: which version governs when", Basis.ORDER, Retention.CASE,
        Seen.CASE,
        _clear(LEGAL, "version in_force_from in_force_to"), _clear(PSEUDONYM, "order_no order_id subject_no"),
    ),
    _table(
        "order_times", "视图：何时有决定书 view: when an order is in force", Basis.ORDER, Retention.CASE,
        Seen.NOBODY, _clear(LEGAL, "in_force_from in_force_to"), _clear(PSEUDONYM, "subject_no"),
    ),
    _table(
        "zone_in_force", "视图：何时适用哪一版区域 view: which version governs when", Basis.ORDER, Retention.CASE,
        Seen.FINDING, _clear(TECHNICAL, "zone_no zone_id first_no in_force_from in_force_to"),
    ),
)  # fmt: skip

WORK = (
    _table(
        "case_intake", "经网页接口提交的案件，待登记 cases filed over HTTP, to be registered", Basis.ORDER,
        Retention.FILES, Seen.ASKER,
        _sealed(PERSONAL, "content result token"), _clear(PSEUDONYM, "subject_no"),
        _clear(ACCOUNT, "account_no division_no"), _clear(TECHNICAL, "item_id intake_id line key_id asked_at done_at"),
    ),
    _table(
        "leave", "外出申请 leaves asked for", Basis.ORDER, Retention.CASE, Seen.CASE,
        _sealed(PERSONAL, "contact"), _clear(LOCATION, "destination route geometry radius_m"),
        _clear(LEGAL, "reason transport from_at to_at state is_urgent requested_at papers_at approved_at cancelled_at"
                      " returned_at"),
        _clear(PSEUDONYM, "leave_id leave_no subject_no order_no"), _clear(ACCOUNT, "requested_by"),
        _clear(TECHNICAL, "key_id"),
    ),
    _table(
        "leave_approval", "各机关对外出的答复 the organs' answers", Basis.ORDER, Retention.CASE, Seen.CASE,
        _clear(LEGAL, "organ decided_at is_approved remark document_number"), _clear(ACCOUNT, "account_no"),
        _clear(PSEUDONYM, "approval_id leave_no subject_no"),
    ),
    _table(
        "exemption", "个人豁免 what one person may", Basis.ORDER, Retention.CASE, Seen.CASE,
        _clear(LOCATION, "zone_no geometry"),
        _clear(LEGAL, "kind reason valid_from valid_to recorded_at revoked_at"), _clear(ACCOUNT, "approver"),
        _clear(PSEUDONYM, "exemption_id exemption_no subject_no"),
    ),
    _table(
        "check_in", "打卡与抽检 check-ins and spot checks", Basis.ORDER, Retention.CASE, Seen.CASE,
        _clear(FINDING, "kind opens_at due_at grace_until make_up_until shown_at answered_at judged_at is_at_place"
                        " place_probability state"),
        _clear(PSEUDONYM, "check_in_id subject_no condition_no"), _clear(TECHNICAL, "fix_key"),
    ),
    _table(
        "task", "待办 what an office must do", Basis.ORDER, Retention.CASE, Seen.CASE,
        _clear(LEGAL, "kind due_at opened_at done_at remark reason_code reason_zh reason_en"),
        _clear(ACCOUNT, "done_by"),
        _clear(PSEUDONYM, "task_id subject_no order_no alert_id recipient_id"),
    ),
    _table(
        "clock_edge", "已处理的时刻 instants that were attended to", Basis.RUNNING, Retention.CASE, Seen.NOBODY,
        _clear(TECHNICAL, "edge_id kind due_at done_at"), _clear(PSEUDONYM, "subject_no"),
    ),
    _table(
        "contact_watch", "两名禁止接触者何时已比对 when two who may not meet were compared", Basis.RUNNING,
        Retention.CASE, Seen.NOBODY, _clear(FINDING, "met"), _clear(PSEUDONYM, "condition_id condition_no subject_no"),
        _clear(TECHNICAL, "seen"),
    ),
    _table(
        "device_watch", "引擎记住的设备状况 what the engine remembers of a device", Basis.RUNNING, Retention.CASE,
        Seen.NOBODY, _clear(LOCATION, "content"), _clear(PSEUDONYM, "subject_no"),
    ),
    _table(
        "device_report", "设备自身的报告 what a device says of itself", Basis.ORDER, Retention.CASE, Seen.NOBODY,
        _clear(PSEUDONYM, "report_no subject_no device_id"),
        _clear(TECHNICAL, "reported_at received_at battery_percent status taken_at"),
    ),
    _table(
        "calendar_year", "节假日与校历 holidays and school years", Basis.RUNNING, Retention.REGISTER, Seen.ALL,
        _clear(PLACE, "region"), _clear(LEGAL, "year content source"), _clear(TECHNICAL, "imported_at"),
    ),
)  # fmt: skip

TRACKS = (
    _table(
        "fix", "定位 fixes: where the device was", Basis.ORDER, Retention.WEEKS, Seen.LOOK,
        _clear(LOCATION, "fixed_at longitude latitude raw_longitude raw_latitude accuracy_m is_accuracy_assumed cell"
                         " speed_mps altitude_m datum source is_mock"),
        _clear(PSEUDONYM, "subject_no device_id"),
        _clear(TECHNICAL, "fix_key shard written_by seq received_at sent_at battery_percent flags"),
    ),
    _table(
        "fix_flag", "定位的疑点 doubts about a fix", Basis.ORDER, Retention.WEEKS, Seen.LOOK,
        _clear(LOCATION, "fixed_at"), _clear(PSEUDONYM, "subject_no"), _clear(TECHNICAL, "fix_key flags"),
    ),
    _table(
        "fix_set_aside", "无法评估的定位及原因 fixes that failed, and why", Basis.RUNNING, Retention.CASE, Seen.LOOK,
        _clear(LOCATION, "fixed_at"), _clear(PSEUDONYM, "subject_no"),
        _clear(TECHNICAL, "fix_key reason set_aside_at"),
    ),
    _table(
        "fix_written", "写入批次 which transactions wrote fixes", Basis.RUNNING, Retention.ENGINE, Seen.NOBODY,
        _clear(TECHNICAL, "written_by oldest newest"),
    ),
    _table(
        "retention_run", "删除的记录 what was dropped and when", Basis.ACCESS, Retention.AUDIT, Seen.NOBODY,
        _clear(AUDIT, "dropped_at partition_name from_at to_at fix_count keep_days"),
    ),
    _table(
        "thinning_run", "抽稀的记录 what was thinned and when", Basis.ACCESS, Retention.AUDIT, Seen.NOBODY,
        _clear(AUDIT, "thinned_at partition_name from_at to_at minutes removed_count kept_count"),
    ),
)  # fmt: skip

FINDINGS = (
    _table(
        "episode", "在区域内的时段 a stay at a zone", Basis.ORDER, Retention.CASE, Seen.CASE,
        _clear(LOCATION, "zone_no started_at ended_at last_inside_at possible_at decided_at undecidable_at"),
        _clear(FINDING, "tier ended_by peak_probability fix_count is_entry is_undecidable is_crossing superseded_at"),
        _clear(PSEUDONYM, "episode_id subject_no condition_no"),
    ),
    _table(
        "violation", "疑似违规 suspected breaches", Basis.ORDER, Retention.CASE, Seen.CASE,
        _clear(LOCATION, "zone_no started_at"),
        _clear(FINDING, "kind state decided_at known_at probability engine_version policy_version"),
        _clear(PSEUDONYM, "violation_id episode_id subject_no order_no condition_no"),
    ),
    _table(
        "finding", "不属于区域的发现：失联、篡改、未应答 what is no stay at a zone", Basis.ORDER, Retention.CASE,
        Seen.CASE, _clear(LOCATION, "started_at"),
        _clear(FINDING, "kind decided_at known_at probability detail engine_version policy_version"),
        _clear(PSEUDONYM, "finding_id subject_no order_no condition_no"),
    ),
    _table(
        "decision", "办案人员的认定 what officers decided", Basis.ORDER, Retention.CASE, Seen.CASE,
        _clear(FINDING, "outcome reason_code remark decided_at"), _clear(ACCOUNT, "account_no"),
        _clear(PSEUDONYM, "decision_id subject_no violation_id finding_id supersedes"),
    ),
    _table(
        "alert", "警报 work for an officer", Basis.ORDER, Retention.CASE, Seen.CASE,
        _clear(FINDING, "kind event state opened_at last_event_at is_late settled_at acknowledged_at closed_at"
                        " closed_reason closed_remark"),
        _clear(ACCOUNT, "acknowledged_by closed_by"), _clear(PSEUDONYM, "alert_id subject_no"),
    ),
    _table(
        "alert_violation", "警报包含哪些疑似违规 what an alert is about", Basis.ORDER, Retention.CASE, Seen.CASE,
        _clear(PSEUDONYM, "alert_id violation_id"),
    ),
    _table(
        "alert_finding", "警报包含哪些发现 what an alert is about, beside suspected breaches", Basis.ORDER,
        Retention.CASE, Seen.CASE, _clear(PSEUDONYM, "alert_id finding_id"),
    ),
    _table(
        "alert_history", "警报的经过，只增不改 what became of an alert, never changed", Basis.ORDER, Retention.CASE,
        Seen.CASE,
        _clear(FINDING, "entry_no at kind actor_kind reason_code reason_zh reason_en remark"),
        _clear(PSEUDONYM, "entry_id alert_id subject_no actor_id about"), _clear(TECHNICAL, "written_in"),
    ),
    _table(
        "escalation_step", "无人处理时的逐级上报 who is told next if nobody acts", Basis.ORDER, Retention.CASE,
        Seen.CASE, _clear(TECHNICAL, "kind planned_at due_at done_at outcome"),
        _clear(PSEUDONYM, "step_id alert_id subject_no"),
    ),
    _table(
        "notification", "短信、邮件与人工电话 messages and calls", Basis.TOLD, Retention.CASE, Seen.CASE,
        _clear(FINDING, "role template text variables language channel event_at decided_at known_at tell_until"
                        " obstacle"),
        _hashed(PERSONAL, "phone_index"),
        _clear(PSEUDONYM, "notification_id alert_id recipient_id failover_from successor_id"),
        _clear(TECHNICAL, "state step attempt due_at made_at sent_at delivered_at counted_at unsure_of provider"
                          " provider_reference last_error"),
    ),
    _table(
        "delivery_report", "服务商回执 what providers report", Basis.TOLD, Retention.CASE, Seen.CASE,
        _clear(TECHNICAL, "report_no provider reference is_delivered is_proven at reason received_at applied_at"),
        _clear(PSEUDONYM, "idempotency_key notification_id subject_no"),
    ),
    _table(
        "reply", "对短信的回复 answers to messages", Basis.TOLD, Retention.CASE, Seen.CASE,
        _sealed(PERSONAL, "text"), _hashed(PERSONAL, "phone_index"),
        _clear(PSEUDONYM, "reply_id notification_id subject_no"),
        _clear(TECHNICAL, "provider key_id is_proven at received_at applied_at"),
    ),
    _table(
        "guardian_link", "监护人的一次性链接，不含口令 one-time links, without their tokens", Basis.TOLD,
        Retention.CASE, Seen.NOBODY,
        _hashed(SECRET, "token_hash"), _clear(PSEUDONYM, "link_id alert_id notification_id recipient_id subject_no"),
        _clear(TECHNICAL, "made_at expires_at opened_at open_count answered_at revoked_at"),
    ),
    _table(
        "guardian_answer", "监护人的答复 what guardians answered", Basis.TOLD, Retention.CASE, Seen.CASE,
        _clear(FINDING, "answer answered_at"), _clear(PSEUDONYM, "answer_id link_id alert_id subject_no"),
    ),
)  # fmt: skip

ACCESS = (
    _table(
        "account", "工作人员 officers and administrators", Basis.ACCESS, Retention.ACCOUNT, Seen.OWN,
        _clear(ACCOUNT, "account_no account_id kind login_name staff_number display_name division_no created_at"
                        " expires_at disabled_at password_expires_at totp_confirmed_at totp_last_step"),
        _hashed(SECRET, "password_hash"), _sealed(SECRET, "totp_secret"),
    ),
    _table(
        "account_role", "角色 roles", Basis.ACCESS, Retention.ACCOUNT, Seen.OWN,
        _clear(ACCOUNT, "account_no role kind granted_at"),
    ),
    _table(
        "account_session", "登录会话 sessions", Basis.ACCESS, Retention.ACCOUNT, Seen.NOBODY,
        _hashed(SECRET, "session_hash"), _clear(ACCOUNT, "account_no is_full created_at seen_at ends_at revoked_at"),
    ),
    _table(
        "account_identity", "单点登录的身份 the identity of single sign-on", Basis.ACCESS, Retention.ACCOUNT,
        Seen.NOBODY, _clear(ACCOUNT, "account_no issuer subject linked_at"),
    ),
    _table(
        "oidc_state", "用过的单点登录 log-ins of single sign-on that were used up", Basis.ACCESS, Retention.STATES,
        Seen.NOBODY, _hashed(SECRET, "state_hash"), _clear(TECHNICAL, "used_at"),
    ),
    _table(
        "api_token", "接口令牌 API tokens", Basis.ACCESS, Retention.ACCOUNT, Seen.NOBODY,
        _hashed(SECRET, "token_hash"),
        _clear(ACCOUNT, "token_id account_no label scopes created_at expires_at revoked_at"),
    ),
    _table(
        "login_failure", "失败的登录 failed log-ins", Basis.ACCESS, Retention.FAILURES, Seen.NOBODY,
        _hashed(ACCOUNT, "key_hash"), _clear(ACCOUNT, "kind failures last_at blocked_until"),
    ),
    _table(
        "link_guess", "填错的反馈码 wrong codes of guardians", Basis.ACCESS, Retention.GUESSES, Seen.NOBODY,
        _hashed(ACCOUNT, "key_hash"), _clear(TECHNICAL, "from_at guesses"),
    ),
    _table(
        "callback_nonce", "用过的回调随机数 nonces of callbacks", Basis.ACCESS, Retention.GUESSES, Seen.NOBODY,
        _hashed(SECRET, "nonce_hash"), _clear(TECHNICAL, "met_at"),
    ),
    _table(
        "division", "区划 the tree of jurisdictions", Basis.ACCESS, Retention.ACCOUNT, Seen.ALL,
        _clear(PLACE, "division_no code name parent_no"),
    ),
    _table(
        "subject_jurisdiction", "案件属于哪个区划 whose case it is", Basis.ACCESS, Retention.CASE, Seen.CASE,
        _clear(PSEUDONYM, "subject_no"), _clear(LEGAL, "division_no"),
    ),
    _table(
        "case_member", "办案组 the team of a case", Basis.ACCESS, Retention.CASE, Seen.CASE,
        _clear(PSEUDONYM, "subject_no"), _clear(ACCOUNT, "account_no joined_at left_at"),
    ),
    _table(
        "look", "查阅：何人、何时、为何、看哪一段 looks: who, when, what for, at which span", Basis.ACCESS,
        Retention.AUDIT, Seen.CASE,
        _clear(AUDIT, "kind purpose_code purpose asked_at from_at to_at row_count needs_approval is_approved decided_at"
                      " is_break_glass ends_at"),
        _clear(ACCOUNT, "account_no decided_by"), _clear(PSEUDONYM, "look_id subject_no"),
        _clear(TECHNICAL, "written_by"),
    ),
    _table(
        "look_rule", "何时须负责人批准 when a leader must approve", Basis.ACCESS, Retention.AUDIT, Seen.NOBODY,
        _clear(LEGAL, "rule_no kinds is_minor_only longer_than more_rows_than valid_from valid_to source"),
    ),
    _table(
        "notice", "紧急查阅的通知与复核 breaking the glass, and its review", Basis.ACCESS, Retention.AUDIT,
        Seen.AUDITOR,
        _clear(AUDIT, "kind made_at reviewed_at remark"), _clear(ACCOUNT, "account_no account_id reviewed_by"),
        _clear(PSEUDONYM, "notice_id look_id subject_no"),
    ),
    _table(
        "export_run", "导出与证据包的登记 what left the system: exports and evidence packs", Basis.ACCESS,
        Retention.AUDIT, Seen.EXPORT,
        _clear(AUDIT, "kind is_approved track_rows lodging_rows made_at"), _hashed(AUDIT, "manifest_hash"),
        _clear(ACCOUNT, "account_no made_by"), _clear(PSEUDONYM, "export_id subject_no alert_id look_id"),
    ),
    _table(
        "export_limit", "未经批准可导出多少条 how many rows may leave without approval", Basis.ACCESS, Retention.AUDIT,
        Seen.NOBODY, _clear(LEGAL, "limit_no data most_rows within valid_from valid_to source"),
    ),
    _table(
        "audit_entry", "审计链 the audit", Basis.ACCESS, Retention.AUDIT, Seen.AUDITOR,
        _clear(AUDIT, "chain seq position at algorithm kind actor login purpose request_id table_name row_key detail"
                      " previous_hash hash"),
        _hashed(AUDIT, "columns row_hash"), _clear(PSEUDONYM, "subject_no"),
    ),
    _table(
        "audit_checkpoint", "审计的签名 signatures of the audit", Basis.ACCESS, Retention.AUDIT, Seen.NOBODY,
        _clear(AUDIT, "number made_at algorithm heads previous_digest digest key_id signature"),
    ),
    _table(
        "personal_key", "密钥编号，不含密钥 ids of keys, never keys", Basis.ACCESS, Retention.CASE, Seen.NOBODY,
        _clear(TECHNICAL, "key_id cipher is_current used_from"), _clear(PSEUDONYM, "subject_no"),
    ),
)  # fmt: skip

PLACES = (
    _table(
        "venue", "场所 venues", Basis.MINORS, Retention.REGISTER, Seen.ALL,
        _clear(PLACE, "venue_no venue_id source source_id name category address geometry raw_geometry datum"
                      " imported_at premises record_no current_no merge_no is_watched is_other_trade withdrawn_at"
                      " data_on host_source host_source_id"),
    ),
    _table(
        "venue_source_record", "各登记对场所的记录，不改不删 what registers say of venues, never changed", Basis.MINORS,
        Retention.REGISTER, Seen.ALL,
        _clear(PLACE, "record_no record_id source source_id kind content longitude latitude imported_at imported_by"
                      " data_on"),
        _hashed(PLACE, "content_hash"),
    ),
    _table(
        "venue_phone", "登记的电话，只存带密钥的散列 telephone numbers of venues: keyed hashes only", Basis.MINORS,
        Retention.REGISTER, Seen.NOBODY, _clear(PLACE, "venue_no"), _hashed(PERSONAL, "phone_index"),
    ),
    _table(
        "venue_link", "哪些记录是同一场所：决定，只增不改 which records are one venue: decisions", Basis.MINORS,
        Retention.REGISTER, Seen.ALL,
        _clear(PLACE, "link_no link_id kind left_no right_no kept_no absorbed_no undone_no probability at reason"),
        _clear(ACCOUNT, "decided_by"),
    ),
    _table(
        "venue_review", "待人判断是否同一场所 pairs for a person to judge", Basis.MINORS, Retention.REGISTER, Seen.ALL,
        _clear(PLACE, "review_no review_id left_no right_no probability doubt prior_bits weights model_version"
                      " proposed_at superseded_at"),
    ),
    _table(
        "venue_door", "场所的门 doors of venues", Basis.MINORS, Retention.REGISTER, Seen.ALL,
        _clear(PLACE, "door_no source source_id venue_source venue_source_id kind is_main valid_from valid_to error_m"
                      " geometry raw_geometry datum data_on imported_at withdrawn_at"),
    ),
    _table(
        "venue_observation", "现场所见的实际类别，只增不改 what officers saw venues to be, never changed", Basis.MINORS,
        Retention.AUDIT, Seen.ALL,
        _clear(PLACE, "observation_no observation_id venue_no category remark observed_on at"),
        _clear(ACCOUNT, "observed_by"),
    ),
    _table(
        "site", "学校等保护场所 schools and other sites", Basis.MINORS, Retention.REGISTER, Seen.ALL,
        _clear(PLACE, "site_no site_id source source_id name category geometry raw_geometry datum imported_at"
                      " opened_on"),
    ),
    _table(
        "venue_incident", "场所的警情、处罚、案件，不含人 incidents of venues, no people", Basis.MINORS,
        Retention.REGISTER, Seen.ALL,
        _clear(PLACE, "source source_id venue_no kind occurred_at involves_minor imported_at"),
    ),
    _table(
        "site_gate", "学校的校门，每一版 gates of schools, every version", Basis.MINORS, Retention.REGISTER, Seen.ALL,
        _clear(PLACE, "gate_no source source_id site_source site_source_id kind is_closed error_m geometry"
                      " raw_geometry datum says_all imported_at imported_by superseded_at"),
    ),
    _table(
        "distance_rule", "距离规则的每一版 every version of a rule of distance", Basis.MINORS, Retention.AUDIT,
        Seen.ALL, _clear(LEGAL, "rule_id rule_version content recorded_at"),
    ),
    _table(
        "distance_run", "距离评估的登记 evaluations of the law of distance", Basis.MINORS, Retention.AUDIT, Seen.ALL,
        _clear(TECHNICAL, "run_no run_id law_day evaluated_at made_by division method policy network_version"
                          " network_on venue_count site_count gate_count rule_count verdicts change_count"),
    ),
    _table(
        "distance_finding", "场所与学校的距离及结论，只增不改 distances of venues and schools, never changed",
        Basis.MINORS, Retention.AUDIT, Seen.OFFICERS_THERE,
        _clear(PLACE, "finding_no run_no venue_id venue_name site_id site_name campus_id holds_from recorded_at cause"
                      " verdict reason rule_id rule_version low_m high_m straight_m straight_error_m walking_m"
                      " walking_error_m walk_status gate_id walk_gate_id door_id is_disputed beaten categories others"
                      " division"),
    ),
    _table(
        "measurement_archive", "测距存档 measurements as evidence", Basis.MINORS, Retention.AUDIT, Seen.OFFICERS_THERE,
        _clear(PLACE, "measurement_hash content venue_id site_id verdict made_at made_by"),
    ),
    _table(
        "lead", "检察监督线索，关于场所 leads about venues", Basis.MINORS, Retention.AUDIT, Seen.OFFICERS_THERE,
        _clear(PLACE, "lead_no lead_id lead_key ground venue_id venue_name venue_address division categories is_sure"
                      " facts run_no"),
        _clear(LEGAL, "regulator candidates route_zh route_en route_basis"),
    ),
    _table(
        "lead_event", "线索的办理经过，只增不改 what was done with a lead, never changed", Basis.MINORS,
        Retention.AUDIT, Seen.OFFICERS_THERE,
        _clear(LEGAL, "lead_no position step at on_day is_found is_urgent regulator document_number note"),
        _clear(ACCOUNT, "account_no"),
    ),
)  # fmt: skip

ENGINE = (
    _table(
        "engine_state", "评估状态：最近位置与在场 what the engine remembers: last places", Basis.RUNNING,
        Retention.ENGINE, Seen.NOBODY,
        _clear(LOCATION, "content"), _clear(TECHNICAL, "shard change_no layout_no is_whole subject_count"),
    ),
    _table(
        "engine_layout", "状态的格式 the form of that memory", Basis.RUNNING, Retention.ENGINE, Seen.NOBODY,
        _clear(TECHNICAL, "layout_no layout"),
    ),
    _table(
        "reevaluation", "待重新评估 who or where must be judged again", Basis.RUNNING, Retention.ENGINE, Seen.NOBODY,
        _clear(LOCATION, "west south east north"), _clear(PSEUDONYM, "subject_no"),
        _clear(TECHNICAL, "item_no shard since reason created_at"),
    ),
    _table(
        "shard", "分片与进度 shards and how far they are", Basis.RUNNING, Retention.ENGINE, Seen.ALL,
        _clear(TECHNICAL, "shard seen target after_xid after_seq lease_owner lease_until fence clock_at"),
    ),
    _table(
        "worker", "在运行的进程 processes alive", Basis.RUNNING, Retention.ENGINE, Seen.NOBODY,
        _clear(TECHNICAL, "owner alive_until"),
    ),
    _table(
        "rule_version", "规则是否变过 whether rules changed", Basis.RUNNING, Retention.ENGINE, Seen.NOBODY,
        _clear(TECHNICAL, "only_row version"),
    ),
    _table(
        "provider_state", "短信服务商是否可用 whether providers of messages work", Basis.RUNNING, Retention.ENGINE,
        Seen.NOBODY, _clear(TECHNICAL, "provider state failures since polled_at polled_to"),
    ),
    _table(
        "alembic_version", "表结构版本 version of the schema", Basis.RUNNING, Retention.ENGINE, Seen.NOBODY,
        _clear(TECHNICAL, "version_num"),
    ),
)  # fmt: skip

STORED = (*CASES, *WORK, *TRACKS, *FINDINGS, *ACCESS, *PLACES, *ENGINE)
"""All of it, in the order of the page."""
