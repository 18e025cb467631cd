"""Every column that Hulan stores. A column without a line here fails ``tests/api/test_data_protection.py``."""

from api.data_protection import Basis, Retention, Seen
from api.stored_columns import (
    ACCOUNT,
    AUDIT,
    FINDING,
    LEGAL,
    LOCATION,
    PERSONAL,
    PLACE,
    PSEUDONYM,
    SECRET,
    TECHNICAL,
    clear,
    hashed,
    sealed,
    table,
)
from api.stored_places import PLACES

CASES = (
    table(
        "subject", "监管对象是谁 who is under supervision", Basis.ORDER, Retention.CASE, Seen.CASE,
        sealed(PERSONAL, "name id_number address"), hashed(PERSONAL, "id_number_index"),
        clear(PERSONAL, "birth_date"), clear(PSEUDONYM, "subject_no subject_id alias"),
        clear(LEGAL, "sealed_at sealing_ground"), clear(TECHNICAL, "shard key_id"),
    ),
    table(
        "open_subject", "视图：未封存的人 view: people whose record is not sealed", Basis.ORDER, Retention.CASE,
        Seen.NOBODY,
        clear(PERSONAL, "birth_date"), clear(PSEUDONYM, "subject_no subject_id alias"), clear(TECHNICAL, "shard"),
    ),
    table(
        "record_sealing", "封存、解封、销毁的登记 sealings, unsealings, destructions", Basis.SEALING, Retention.AUDIT,
        Seen.NOBODY, clear(LEGAL, "action ground ground_text document_number at keep_until unsealed_until"),
        clear(ACCOUNT, "by_account_no second_account_no"), clear(PSEUDONYM, "sealing_id subject_no"),
        clear(TECHNICAL, "key_id"),
    ),
    table(
        "unsealing_request", "启封的申请与决定 requests to open a sealed record", Basis.SEALING, Retention.AUDIT,
        Seen.NOBODY, clear(LEGAL, "ground ground_text document_number asked_at decided_at is_approved unsealed_until"),
        clear(ACCOUNT, "asked_by decided_by"), clear(PSEUDONYM, "request_id subject_id subject_no"),
    ),
    table(
        "recipient", "通知谁 who is told", Basis.TOLD, Retention.CASE, Seen.CASE,
        sealed(PERSONAL, "name phone email"), hashed(PERSONAL, "phone_index"),
        clear(PERSONAL, "role rank is_blocked"), clear(LEGAL, "unit blocked_for denied_at"),
        clear(PSEUDONYM, "recipient_id subject_no"), clear(TECHNICAL, "key_id language channels"),
    ),
    table(
        "duty_roster", "值班表 who is on duty", Basis.TOLD, Retention.ACCOUNT, Seen.CASE,
        clear(ACCOUNT, "roster_id unit from_at to_at recipient_ids recorded_at revoked_at"),
    ),
    table(
        "duty_absence", "值班人员缺勤 who is away", Basis.TOLD, Retention.ACCOUNT, Seen.CASE,
        clear(ACCOUNT, "absence_id recipient_id from_at to_at recorded_at revoked_at"),
    ),
    table(
        "device", "设备身份 which device may send", Basis.ORDER, Retention.CASE, Seen.NOBODY,
        clear(PSEUDONYM, "device_id subject_no"), hashed(SECRET, "token_hash"), clear(TECHNICAL, "revoked_at"),
    ),
    table(
        "supervision_order", "决定书 the decision", Basis.ORDER, Retention.CASE, Seen.CASE,
        clear(LEGAL, "measure document_number deciding_organ executing_organ valid_from valid_to superseded_at"
                      " effective_from recorded_at version stage legal_basis location_basis consent review_at"
                      " lifted_at lifting_document"),
        clear(PSEUDONYM, "order_no order_id subject_no"),
    ),
    table(
        "condition", "决定书的条件 what the decision asks", Basis.ORDER, Retention.CASE, Seen.CASE,
        clear(LEGAL, "kind zone_id categories tolerance_m timetable parameters reason_code is_protected"),
        clear(PSEUDONYM, "condition_no condition_id order_no"),
    ),
    table(
        "zone", "区域：条件、场所、边界 zones of conditions, venues, boundaries", Basis.ORDER, Retention.CASE,
        Seen.FINDING, clear(LOCATION, "geometry radius_m"), clear(LEGAL, "kind origin category name"),
        clear(TECHNICAL, "zone_no zone_id version source source_id created_at superseded_at valid_from withdrawn_at"),
    ),
    table(
        "order_in_force", "视图：何时适用哪一版决定书 view: which version governs when", Basis.ORDER, Retention.CASE,
        Seen.CASE,
        clear(LEGAL, "version in_force_from in_force_to"), clear(PSEUDONYM, "order_no order_id subject_no"),
    ),
    table(
        "order_times", "视图：何时有决定书 view: when an order is in force", Basis.ORDER, Retention.CASE,
        Seen.NOBODY, clear(LEGAL, "in_force_from in_force_to"), clear(PSEUDONYM, "subject_no"),
    ),
    table(
        "zone_in_force", "视图：何时适用哪一版区域 view: which version governs when", Basis.ORDER, Retention.CASE,
        Seen.FINDING, clear(TECHNICAL, "zone_no zone_id first_no in_force_from in_force_to"),
    ),
)  # fmt: skip

WORK = (
    table(
        "case_intake", "经网页接口提交的案件，待登记 cases filed over HTTP, to be registered", Basis.ORDER,
        Retention.FILES, Seen.ASKER,
        sealed(PERSONAL, "content result token"), clear(PSEUDONYM, "subject_no"),
        clear(ACCOUNT, "account_no division_no"), clear(TECHNICAL, "item_id intake_id line key_id asked_at done_at"),
    ),
    table(
        "leave", "外出申请 leaves asked for", Basis.ORDER, Retention.CASE, Seen.CASE,
        sealed(PERSONAL, "contact"), clear(LOCATION, "destination route geometry radius_m"),
        clear(LEGAL, "reason transport from_at to_at state is_urgent requested_at papers_at approved_at cancelled_at"
                      " returned_at"),
        clear(PSEUDONYM, "leave_id leave_no subject_no order_no"), clear(ACCOUNT, "requested_by"),
        clear(TECHNICAL, "key_id"),
    ),
    table(
        "leave_approval", "各机关对外出的答复 the organs' answers", Basis.ORDER, Retention.CASE, Seen.CASE,
        clear(LEGAL, "organ decided_at is_approved remark document_number"), clear(ACCOUNT, "account_no"),
        clear(PSEUDONYM, "approval_id leave_no subject_no"),
    ),
    table(
        "exemption", "个人豁免 what one person may", Basis.ORDER, Retention.CASE, Seen.CASE,
        clear(LOCATION, "zone_no geometry"),
        clear(LEGAL, "kind reason valid_from valid_to recorded_at revoked_at"), clear(ACCOUNT, "approver"),
        clear(PSEUDONYM, "exemption_id exemption_no subject_no"),
    ),
    table(
        "check_in", "打卡与抽检 check-ins and spot checks", Basis.ORDER, Retention.CASE, Seen.CASE,
        clear(FINDING, "kind opens_at due_at grace_until make_up_until shown_at answered_at judged_at is_at_place"
                        " place_probability state"),
        clear(PSEUDONYM, "check_in_id subject_no condition_no"), clear(TECHNICAL, "fix_key"),
    ),
    table(
        "task", "待办 what an office must do", Basis.ORDER, Retention.CASE, Seen.CASE,
        clear(LEGAL, "kind due_at opened_at done_at remark reason_code reason_zh reason_en"),
        clear(ACCOUNT, "done_by"),
        clear(PSEUDONYM, "task_id subject_no order_no alert_id recipient_id"),
    ),
    table(
        "clock_edge", "已处理的时刻 instants that were attended to", Basis.RUNNING, Retention.CASE, Seen.NOBODY,
        clear(TECHNICAL, "edge_id kind due_at done_at"), clear(PSEUDONYM, "subject_no"),
    ),
    table(
        "contact_watch", "两名禁止接触者何时已比对 when two who may not meet were compared", Basis.RUNNING,
        Retention.CASE, Seen.NOBODY, clear(FINDING, "met"), clear(PSEUDONYM, "condition_id condition_no subject_no"),
        clear(TECHNICAL, "seen"),
    ),
    table(
        "device_watch", "引擎记住的设备状况 what the engine remembers of a device", Basis.RUNNING, Retention.CASE,
        Seen.NOBODY, clear(LOCATION, "content"), clear(PSEUDONYM, "subject_no"),
    ),
    table(
        "device_report", "设备自身的报告 what a device says of itself", Basis.ORDER, Retention.CASE, Seen.NOBODY,
        clear(PSEUDONYM, "report_no subject_no device_id"),
        clear(TECHNICAL, "reported_at received_at battery_percent status taken_at"),
    ),
    table(
        "calendar_year", "节假日与校历 holidays and school years", Basis.RUNNING, Retention.REGISTER, Seen.ALL,
        clear(PLACE, "region"), clear(LEGAL, "year content source"), clear(TECHNICAL, "imported_at"),
    ),
)  # fmt: skip

TRACKS = (
    table(
        "fix", "定位 fixes: where the device was", Basis.ORDER, Retention.WEEKS, Seen.LOOK,
        clear(LOCATION, "fixed_at longitude latitude raw_longitude raw_latitude accuracy_m is_accuracy_assumed cell"
                         " speed_mps altitude_m datum source is_mock"),
        clear(PSEUDONYM, "subject_no device_id"),
        clear(TECHNICAL, "fix_key shard written_by seq received_at sent_at battery_percent flags"),
    ),
    table(
        "fix_flag", "定位的疑点 doubts about a fix", Basis.ORDER, Retention.WEEKS, Seen.LOOK,
        clear(LOCATION, "fixed_at"), clear(PSEUDONYM, "subject_no"), clear(TECHNICAL, "fix_key flags"),
    ),
    table(
        "fix_set_aside", "无法评估的定位及原因 fixes that failed, and why", Basis.RUNNING, Retention.CASE, Seen.LOOK,
        clear(LOCATION, "fixed_at"), clear(PSEUDONYM, "subject_no"),
        clear(TECHNICAL, "fix_key reason set_aside_at"),
    ),
    table(
        "fix_written", "写入批次 which transactions wrote fixes", Basis.RUNNING, Retention.ENGINE, Seen.NOBODY,
        clear(TECHNICAL, "written_by oldest newest"),
    ),
    table(
        "retention_run", "删除的记录 what was dropped and when", Basis.ACCESS, Retention.AUDIT, Seen.NOBODY,
        clear(AUDIT, "dropped_at partition_name from_at to_at fix_count keep_days"),
    ),
    table(
        "thinning_run", "抽稀的记录 what was thinned and when", Basis.ACCESS, Retention.AUDIT, Seen.NOBODY,
        clear(AUDIT, "thinned_at partition_name from_at to_at minutes removed_count kept_count"),
    ),
)  # fmt: skip

FINDINGS = (
    table(
        "episode", "在区域内的时段 a stay at a zone", Basis.ORDER, Retention.CASE, Seen.CASE,
        clear(LOCATION, "zone_no started_at ended_at last_inside_at possible_at decided_at undecidable_at"),
        clear(FINDING, "tier ended_by peak_probability fix_count is_entry is_undecidable is_crossing superseded_at"),
        clear(PSEUDONYM, "episode_id subject_no condition_no"),
    ),
    table(
        "violation", "疑似违规 suspected breaches", Basis.ORDER, Retention.CASE, Seen.CASE,
        clear(LOCATION, "zone_no started_at"),
        clear(FINDING, "kind state decided_at known_at probability engine_version policy_version"),
        clear(PSEUDONYM, "violation_id episode_id subject_no order_no condition_no"),
    ),
    table(
        "finding", "不属于区域的发现：失联、篡改、未应答 what is no stay at a zone", Basis.ORDER, Retention.CASE,
        Seen.CASE, clear(LOCATION, "started_at"),
        clear(FINDING, "kind decided_at known_at probability detail engine_version policy_version"),
        clear(PSEUDONYM, "finding_id subject_no order_no condition_no"),
    ),
    table(
        "decision", "办案人员的认定 what officers decided", Basis.ORDER, Retention.CASE, Seen.CASE,
        clear(FINDING, "outcome reason_code remark decided_at"), clear(ACCOUNT, "account_no"),
        clear(PSEUDONYM, "decision_id subject_no violation_id finding_id supersedes"),
    ),
    table(
        "alert", "警报 work for an officer", Basis.ORDER, Retention.CASE, Seen.CASE,
        clear(FINDING, "kind event state opened_at last_event_at is_late settled_at acknowledged_at closed_at"
                        " closed_reason closed_remark"),
        clear(ACCOUNT, "acknowledged_by closed_by"), clear(PSEUDONYM, "alert_id subject_no"),
    ),
    table(
        "alert_violation", "警报包含哪些疑似违规 what an alert is about", Basis.ORDER, Retention.CASE, Seen.CASE,
        clear(PSEUDONYM, "alert_id violation_id"),
    ),
    table(
        "alert_finding", "警报包含哪些发现 what an alert is about, beside suspected breaches", Basis.ORDER,
        Retention.CASE, Seen.CASE, clear(PSEUDONYM, "alert_id finding_id"),
    ),
    table(
        "alert_history", "警报的经过，只增不改 what became of an alert, never changed", Basis.ORDER, Retention.CASE,
        Seen.CASE,
        clear(FINDING, "entry_no at kind actor_kind reason_code reason_zh reason_en remark"),
        clear(PSEUDONYM, "entry_id alert_id subject_no actor_id about"), clear(TECHNICAL, "written_in"),
    ),
    table(
        "escalation_step", "无人处理时的逐级上报 who is told next if nobody acts", Basis.ORDER, Retention.CASE,
        Seen.CASE, clear(TECHNICAL, "kind planned_at due_at done_at outcome"),
        clear(PSEUDONYM, "step_id alert_id subject_no"),
    ),
    table(
        "notification", "短信、邮件与人工电话 messages and calls", Basis.TOLD, Retention.CASE, Seen.CASE,
        clear(FINDING, "role template text variables language channel event_at decided_at known_at tell_until"
                        " obstacle"),
        hashed(PERSONAL, "phone_index"),
        clear(PSEUDONYM, "notification_id alert_id recipient_id failover_from successor_id"),
        clear(TECHNICAL, "state step attempt due_at made_at sent_at delivered_at counted_at unsure_of provider"
                          " provider_reference last_error"),
    ),
    table(
        "delivery_report", "服务商回执 what providers report", Basis.TOLD, Retention.CASE, Seen.CASE,
        clear(TECHNICAL, "report_no provider reference is_delivered is_proven at reason received_at applied_at"),
        clear(PSEUDONYM, "idempotency_key notification_id subject_no"),
    ),
    table(
        "reply", "对短信的回复 answers to messages", Basis.TOLD, Retention.CASE, Seen.CASE,
        sealed(PERSONAL, "text"), hashed(PERSONAL, "phone_index"),
        clear(PSEUDONYM, "reply_id notification_id subject_no"),
        clear(TECHNICAL, "provider key_id is_proven at received_at applied_at"),
    ),
    table(
        "guardian_link", "监护人的一次性链接，不含口令 one-time links, without their tokens", Basis.TOLD,
        Retention.CASE, Seen.NOBODY,
        hashed(SECRET, "token_hash"), clear(PSEUDONYM, "link_id alert_id notification_id recipient_id subject_no"),
        clear(TECHNICAL, "made_at expires_at opened_at open_count answered_at revoked_at"),
    ),
    table(
        "guardian_answer", "监护人的答复 what guardians answered", Basis.TOLD, Retention.CASE, Seen.CASE,
        clear(FINDING, "answer answered_at"), clear(PSEUDONYM, "answer_id link_id alert_id subject_no"),
    ),
)  # fmt: skip

ACCESS = (
    table(
        "account", "工作人员 officers and administrators", Basis.ACCESS, Retention.ACCOUNT, Seen.OWN,
        clear(ACCOUNT, "account_no account_id kind login_name staff_number display_name division_no created_at"
                        " expires_at disabled_at password_expires_at totp_confirmed_at totp_last_step"),
        hashed(SECRET, "password_hash"), sealed(SECRET, "totp_secret"),
    ),
    table(
        "account_role", "角色 roles", Basis.ACCESS, Retention.ACCOUNT, Seen.OWN,
        clear(ACCOUNT, "account_no role kind granted_at"),
    ),
    table(
        "account_session", "登录会话 sessions", Basis.ACCESS, Retention.ACCOUNT, Seen.NOBODY,
        hashed(SECRET, "session_hash"), clear(ACCOUNT, "account_no is_full created_at seen_at ends_at revoked_at"),
    ),
    table(
        "account_identity", "单点登录的身份 the identity of single sign-on", Basis.ACCESS, Retention.ACCOUNT,
        Seen.NOBODY, clear(ACCOUNT, "account_no issuer subject linked_at"),
    ),
    table(
        "oidc_state", "用过的单点登录 log-ins of single sign-on that were used up", Basis.ACCESS, Retention.STATES,
        Seen.NOBODY, hashed(SECRET, "state_hash"), clear(TECHNICAL, "used_at"),
    ),
    table(
        "api_token", "接口令牌 API tokens", Basis.ACCESS, Retention.ACCOUNT, Seen.NOBODY,
        hashed(SECRET, "token_hash"),
        clear(ACCOUNT, "token_id account_no label scopes created_at expires_at revoked_at"),
    ),
    table(
        "login_failure", "失败的登录 failed log-ins", Basis.ACCESS, Retention.FAILURES, Seen.NOBODY,
        hashed(ACCOUNT, "key_hash"), clear(ACCOUNT, "kind failures last_at blocked_until"),
    ),
    table(
        "link_guess", "填错的反馈码 wrong codes of guardians", Basis.ACCESS, Retention.GUESSES, Seen.NOBODY,
        hashed(ACCOUNT, "key_hash"), clear(TECHNICAL, "from_at guesses"),
    ),
    table(
        "callback_nonce", "用过的回调随机数 nonces of callbacks", Basis.ACCESS, Retention.GUESSES, Seen.NOBODY,
        hashed(SECRET, "nonce_hash"), clear(TECHNICAL, "met_at"),
    ),
    table(
        "division", "区划 the tree of jurisdictions", Basis.ACCESS, Retention.ACCOUNT, Seen.ALL,
        clear(PLACE, "division_no code name parent_no"),
    ),
    table(
        "subject_jurisdiction", "案件属于哪个区划 whose case it is", Basis.ACCESS, Retention.CASE, Seen.CASE,
        clear(PSEUDONYM, "subject_no"), clear(LEGAL, "division_no"),
    ),
    table(
        "case_member", "办案组 the team of a case", Basis.ACCESS, Retention.CASE, Seen.CASE,
        clear(PSEUDONYM, "subject_no"), clear(ACCOUNT, "account_no joined_at left_at"),
    ),
    table(
        "look", "查阅：何人、何时、为何、看哪一段 looks: who, when, what for, at which span", Basis.ACCESS,
        Retention.AUDIT, Seen.CASE,
        clear(AUDIT, "kind purpose_code purpose asked_at from_at to_at row_count needs_approval is_approved decided_at"
                      " is_break_glass ends_at"),
        clear(ACCOUNT, "account_no decided_by"), clear(PSEUDONYM, "look_id subject_no"),
        clear(TECHNICAL, "written_by"),
    ),
    table(
        "look_rule", "何时须负责人批准 when a leader must approve", Basis.ACCESS, Retention.AUDIT, Seen.NOBODY,
        clear(LEGAL, "rule_no kinds is_minor_only longer_than more_rows_than valid_from valid_to source"),
    ),
    table(
        "notice", "紧急查阅的通知与复核 breaking the glass, and its review", Basis.ACCESS, Retention.AUDIT,
        Seen.AUDITOR,
        clear(AUDIT, "kind made_at reviewed_at remark"), clear(ACCOUNT, "account_no account_id reviewed_by"),
        clear(PSEUDONYM, "notice_id look_id subject_no"),
    ),
    table(
        "export_run", "导出与证据包的登记 what left the system: exports and evidence packs", Basis.ACCESS,
        Retention.AUDIT, Seen.EXPORT,
        clear(AUDIT, "kind is_approved track_rows lodging_rows made_at"), hashed(AUDIT, "manifest_hash"),
        clear(ACCOUNT, "account_no made_by"), clear(PSEUDONYM, "export_id subject_no alert_id look_id"),
    ),
    table(
        "export_limit", "未经批准可导出多少条 how many rows may leave without approval", Basis.ACCESS, Retention.AUDIT,
        Seen.NOBODY, clear(LEGAL, "limit_no data most_rows within valid_from valid_to source"),
    ),
    table(
        "audit_entry", "审计链 the audit", Basis.ACCESS, Retention.AUDIT, Seen.AUDITOR,
        clear(AUDIT, "chain seq position at algorithm kind actor login purpose request_id table_name row_key detail"
                      " previous_hash hash"),
        hashed(AUDIT, "columns row_hash"), clear(PSEUDONYM, "subject_no"),
    ),
    table(
        "audit_checkpoint", "审计的签名 signatures of the audit", Basis.ACCESS, Retention.AUDIT, Seen.NOBODY,
        clear(AUDIT, "number made_at algorithm heads previous_digest digest key_id signature"),
    ),
    table(
        "personal_key", "密钥编号，不含密钥 ids of keys, never keys", Basis.ACCESS, Retention.CASE, Seen.NOBODY,
        clear(TECHNICAL, "key_id cipher is_current used_from"), clear(PSEUDONYM, "subject_no"),
    ),
)  # fmt: skip

ENGINE = (
    table(
        "engine_state", "评估状态：最近位置与在场 what the engine remembers: last places", Basis.RUNNING,
        Retention.ENGINE, Seen.NOBODY,
        clear(LOCATION, "content"), clear(TECHNICAL, "shard change_no layout_no is_whole subject_count"),
    ),
    table(
        "engine_layout", "状态的格式 the form of that memory", Basis.RUNNING, Retention.ENGINE, Seen.NOBODY,
        clear(TECHNICAL, "layout_no layout"),
    ),
    table(
        "reevaluation", "待重新评估 who or where must be judged again", Basis.RUNNING, Retention.ENGINE, Seen.NOBODY,
        clear(LOCATION, "west south east north"), clear(PSEUDONYM, "subject_no"),
        clear(TECHNICAL, "item_no shard since reason created_at"),
    ),
    table(
        "shard", "分片与进度 shards and how far they are", Basis.RUNNING, Retention.ENGINE, Seen.ALL,
        clear(TECHNICAL, "shard seen target after_xid after_seq lease_owner lease_until fence clock_at"),
    ),
    table(
        "worker", "在运行的进程 processes alive", Basis.RUNNING, Retention.ENGINE, Seen.NOBODY,
        clear(TECHNICAL, "owner alive_until"),
    ),
    table(
        "rule_version", "规则是否变过 whether rules changed", Basis.RUNNING, Retention.ENGINE, Seen.NOBODY,
        clear(TECHNICAL, "only_row version"),
    ),
    table(
        "provider_state", "短信服务商是否可用 whether providers of messages work", Basis.RUNNING, Retention.ENGINE,
        Seen.NOBODY, clear(TECHNICAL, "provider state failures since polled_at polled_to"),
    ),
    table(
        "alembic_version", "表结构版本 version of the schema", Basis.RUNNING, Retention.ENGINE, Seen.NOBODY,
        clear(TECHNICAL, "version_num"),
    ),
)  # fmt: skip

STORED = (*CASES, *WORK, *TRACKS, *FINDINGS, *ACCESS, *PLACES, *ENGINE)
"""All of it, in the order of the page."""
