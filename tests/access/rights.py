"""What each database role may do with each table, view, sequence and function; compared with the catalogue."""

CLOSED: dict[str, str] = {}

EXPECTED: dict[str, dict[str, str]] = {
    "account": {
        "app": "SELECT(account_id account_no created_at disabled_at display_name division_no"
        " expires_at kind login_name staff_number totp_confirmed_at)",
        "gate": "SELECT(account_id account_no disabled_at expires_at kind login_name"
        " password_expires_at password_hash totp_confirmed_at totp_last_step totp_secret)"
        " UPDATE(disabled_at password_expires_at password_hash totp_confirmed_at totp_last_step"
        " totp_secret)",
        "registrar": "SELECT(account_id account_no)",
    },
    "account_identity": {
        "gate": "SELECT",
    },
    "account_role": {
        "app": "SELECT",
        "gate": "SELECT(account_no role)",
    },
    "account_session": {
        "gate": "INSERT SELECT UPDATE(revoked_at seen_at)",
    },
    "alembic_version": {
        "gate": "SELECT",
        "worker": "SELECT",
    },
    "alert": {
        "app": "SELECT",
        "keeper": "SELECT(alert_id state subject_no) UPDATE(closed_reason state)",
        "shredder": "DELETE SELECT(alert_id subject_no)",
        "worker": "INSERT SELECT UPDATE(acknowledged_at acknowledged_by closed_at closed_by closed_reason closed_remark"
        " is_late last_event_at settled_at state)",
    },
    "alert_finding": {
        "app": "SELECT",
        "shredder": "DELETE SELECT(alert_id)",
        "worker": "INSERT SELECT",
    },
    "alert_history": {
        "app": "SELECT",
        "shredder": "DELETE SELECT(subject_no)",
        "worker": "INSERT SELECT",
    },
    "alert_violation": {
        "app": "SELECT",
        "shredder": "DELETE SELECT(alert_id)",
        "worker": "INSERT SELECT",
    },
    "api_token": {
        "gate": "INSERT SELECT UPDATE(revoked_at)",
    },
    "audit_checkpoint": CLOSED,
    "audit_entry": {
        "app": "SELECT(actor at detail kind position purpose request_id row_key subject_no table_name)",
    },
    "audit_position": CLOSED,
    "calendar_year": {"app": "SELECT", "worker": "SELECT", "registrar": "SELECT"},
    "case_intake": {
        "app": "SELECT(account_no asked_at done_at intake_id item_id key_id line result subject_no token)",
        "keeper": "SELECT(content item_id key_id result subject_no token) UPDATE(content key_id result token)",
        "registrar": "DELETE SELECT UPDATE(content done_at key_id result subject_no token)",
        "shredder": "DELETE SELECT(subject_no)",
        "worker": "SELECT(key_id)",
    },
    "callback_nonce": {
        "gate": "DELETE INSERT SELECT",
    },
    "case_member": {
        "app": "SELECT",
        "gate": "SELECT(account_no joined_at left_at) UPDATE(left_at)",
    },
    "check_in": {
        "app": "SELECT",
        "gate": "SELECT(answered_at check_in_id due_at grace_until kind make_up_until opens_at shown_at state"
        " subject_no)"
        " UPDATE(answered_at fix_key state)",
        "shredder": "DELETE SELECT(subject_no)",
        "worker": "INSERT SELECT UPDATE(answered_at fix_key is_at_place judged_at make_up_until place_probability"
        " shown_at state)",
    },
    "clock_edge": {
        "shredder": "DELETE SELECT(subject_no)",
        "worker": "INSERT SELECT",
    },
    "condition": {
        "app": "SELECT",
        "registrar": "INSERT SELECT",
        "shredder": "DELETE SELECT(order_no zone_id)",
        "worker": "SELECT",
    },
    "contact_watch": {
        "shredder": "DELETE SELECT(subject_no)",
        "worker": "INSERT SELECT UPDATE(condition_no met seen)",
    },
    "decision": {
        "app": "SELECT",
        "shredder": "DELETE SELECT(subject_no)",
        "worker": "SELECT",
    },
    "delivery_report": {
        "app": "SELECT",
        "gate": "INSERT(at idempotency_key is_delivered is_proven provider reason reference)",
        "shredder": "DELETE SELECT(subject_no)",
        "worker": "INSERT(at idempotency_key is_delivered is_proven provider reason reference) SELECT"
        " UPDATE(applied_at notification_id subject_no)",
    },
    "device": {
        "gate": "SELECT(device_id revoked_at subject_no token_hash)",
        "keeper": "SELECT(revoked_at subject_no) UPDATE(revoked_at)",
        "registrar": "INSERT(device_id subject_no token_hash) SELECT(revoked_at subject_no)",
        "shredder": "DELETE SELECT(subject_no)",
    },
    "device_report": {
        "gate": "INSERT(battery_percent device_id received_at reported_at status subject_no)",
        "shredder": "DELETE SELECT(subject_no)",
        "worker": "SELECT UPDATE(taken_at)",
    },
    "device_watch": {
        "shredder": "DELETE SELECT(subject_no)",
        "worker": "INSERT SELECT UPDATE(content)",
    },
    "distance_finding": {"app": "SELECT"},
    "distance_rule": {"app": "SELECT"},
    "distance_run": {"app": "SELECT"},
    "division": {
        "app": "SELECT",
    },
    "duty_absence": {"app": "SELECT", "worker": "SELECT"},
    "duty_roster": {"app": "SELECT", "worker": "SELECT"},
    "engine_layout": {
        "shredder": "INSERT SELECT UPDATE(layout)",
        "worker": "INSERT SELECT UPDATE(layout)",
    },
    "engine_state": {
        "shredder": "DELETE INSERT SELECT",
        "worker": "DELETE INSERT SELECT",
    },
    "episode": {
        "app": "SELECT",
        "shredder": "DELETE SELECT(subject_no)",
        "worker": "INSERT SELECT UPDATE",
    },
    "escalation_step": {
        "app": "SELECT",
        "shredder": "DELETE SELECT(subject_no)",
        "worker": "INSERT SELECT UPDATE(done_at outcome)",
    },
    "exemption": {
        "app": "SELECT",
        "shredder": "DELETE SELECT(subject_no)",
        "worker": "SELECT",
    },
    "export_limit": CLOSED,
    "export_run": {
        "app": "SELECT",
        "shredder": "SELECT(alert_id subject_no) UPDATE(alert_id)",
    },
    "finding": {
        "app": "SELECT",
        "shredder": "DELETE SELECT(subject_no)",
        "worker": "INSERT SELECT",
    },
    "fix": {
        "app": "SELECT",
        "gate": "INSERT(accuracy_m altitude_m battery_percent cell datum device_id fix_key fixed_at"
        " flags is_accuracy_assumed is_mock latitude longitude raw_latitude raw_longitude"
        " received_at sent_at shard source speed_mps subject_no)",
        "shredder": "DELETE SELECT(subject_no)",
        "worker": "SELECT",
    },
    "fix_flag": {
        "app": "SELECT",
        "shredder": "DELETE SELECT(subject_no)",
        "worker": "DELETE INSERT SELECT UPDATE(flags)",
    },
    "fix_seq": {
        "gate": "USAGE",
    },
    "fix_set_aside": {
        "app": "SELECT",
        "shredder": "DELETE SELECT(subject_no)",
        "worker": "INSERT SELECT",
    },
    "fix_written": {
        "gate": "INSERT(newest oldest)",
        "worker": "DELETE SELECT",
    },
    "guardian_answer": {
        "app": "SELECT",
        "shredder": "DELETE SELECT(subject_no)",
        "worker": "SELECT",
    },
    "guardian_link": {
        "shredder": "DELETE SELECT(subject_no)",
        "worker": "INSERT SELECT",
    },
    "lead": {"app": "SELECT"},
    "lead_event": {"app": "SELECT"},
    "leave": {
        "app": "SELECT",
        "keeper": "SELECT(contact key_id leave_id subject_no) UPDATE(contact key_id)",
        "shredder": "DELETE SELECT(subject_no)",
        "worker": "SELECT(approved_at cancelled_at from_at geometry is_urgent key_id leave_id leave_no order_no"
        " papers_at radius_m requested_at returned_at state subject_no to_at) UPDATE(state)",
    },
    "leave_approval": {
        "app": "SELECT",
        "shredder": "DELETE SELECT(subject_no)",
        "worker": "SELECT",
    },
    "link_guess": {
        "gate": "DELETE INSERT SELECT UPDATE",
    },
    "login_failure": {
        "gate": "DELETE INSERT SELECT UPDATE(blocked_until failures last_at)",
    },
    "look": {
        "app": "SELECT",
        "shredder": "SELECT(subject_no) UPDATE(purpose)",
    },
    "look_rule": CLOSED,
    "measurement_archive": {"app": "SELECT"},
    "notice": {
        "app": "SELECT",
        "shredder": "SELECT(remark subject_no) UPDATE(remark)",
    },
    "notification": {
        "app": "SELECT",
        "keeper": "SELECT(alert_id phone_index state) UPDATE(last_error phone_index state)",
        "shredder": "DELETE SELECT(alert_id)",
        "worker": "INSERT SELECT UPDATE(attempt counted_at delivered_at due_at language last_error obstacle phone_index"
        " provider provider_reference sent_at state successor_id template text unsure_of variables)",
    },
    "oidc_state": {
        "gate": "DELETE INSERT SELECT",
    },
    "open_subject": {
        "gate": "SELECT(shard subject_no)",
        "worker": "SELECT",
    },
    "order_in_force": {"app": "SELECT", "worker": "SELECT"},
    "order_times": {"gate": "SELECT"},
    "personal_key": {
        "keeper": "INSERT SELECT UPDATE(is_current)",
        "registrar": "SELECT UPDATE(used_from)",
        "shredder": "DELETE SELECT(subject_no)",
        "worker": "SELECT",
    },
    "provider_state": {"worker": "INSERT SELECT UPDATE"},
    "recipient": {
        "app": "SELECT",
        "keeper": "SELECT(email key_id name phone recipient_id subject_no)"
        " UPDATE(email is_blocked key_id name phone phone_index)",
        "registrar": "INSERT SELECT"
        " UPDATE(blocked_for channels email is_blocked key_id language name phone phone_index rank role unit)",
        "shredder": "DELETE SELECT(subject_no)",
        "worker": "SELECT(blocked_for channels email is_blocked key_id language phone phone_index rank recipient_id"
        " role subject_no unit)",
    },
    "record_sealing": {
        "keeper": "INSERT SELECT",
        "shredder": "INSERT SELECT",
    },
    "reevaluation": {
        "keeper": "INSERT",
        "registrar": "INSERT",
        "shredder": "DELETE SELECT(subject_no)",
        "worker": "DELETE INSERT SELECT",
    },
    "reply": {
        "app": "SELECT",
        "gate": "INSERT(at is_proven key_id phone_index provider reply_id text)",
        "keeper": "SELECT(key_id reply_id subject_no text) UPDATE(key_id phone_index text)",
        "shredder": "DELETE SELECT(subject_no)",
        "worker": "INSERT(at is_proven key_id phone_index provider reply_id text)"
        " SELECT(applied_at at is_proven key_id notification_id phone_index provider received_at reply_id subject_no)"
        " UPDATE(applied_at notification_id subject_no)",
    },
    "retention_run": {
        "worker": "SELECT",
    },
    "rule_version": {
        "keeper": "SELECT UPDATE",
        "registrar": "SELECT UPDATE(version)",
        "shredder": "SELECT UPDATE",
        "worker": "SELECT",
    },
    "shard": {
        "app": "SELECT(after_seq after_xid seen shard target)",
        "gate": "SELECT(lease_until)",
        "keeper": "SELECT(fence shard) UPDATE(fence)",
        "registrar": "SELECT(shard)",
        "shredder": "SELECT UPDATE(fence lease_owner lease_until)",
        "worker": "SELECT UPDATE(after_seq after_xid clock_at fence lease_owner lease_until seen target)",
    },
    "site": {
        "app": "SELECT",
    },
    "site_gate": {"app": "SELECT"},
    "subject": {
        "app": "SELECT",
        "gate": "SELECT(sealed_at shard subject_no)",
        "keeper": "SELECT(address id_number key_id name sealed_at shard subject_id subject_no)"
        " UPDATE(address id_number id_number_index key_id name sealed_at sealing_ground)",
        "registrar": "SELECT UPDATE(address alias birth_date id_number id_number_index key_id name)",
        "shredder": "SELECT(shard subject_no) UPDATE(address alias birth_date id_number key_id name)",
        "worker": "SELECT(alias birth_date key_id shard subject_id subject_no)",
    },
    "subject_jurisdiction": {
        "app": "SELECT",
    },
    "supervision_order": {
        "app": "SELECT",
        "keeper": "SELECT(lifted_at lifting_document order_id subject_no superseded_at valid_to)"
        " UPDATE(lifted_at lifting_document superseded_at)",
        "registrar": "INSERT SELECT UPDATE(superseded_at)",
        "shredder": "DELETE SELECT(order_id order_no subject_no)",
        "worker": "SELECT",
    },
    "task": {
        "app": "SELECT",
        "shredder": "DELETE SELECT(subject_no)",
        "worker": "INSERT SELECT",
    },
    "thinning_run": {
        "worker": "SELECT",
    },
    "unsealing_request": {
        "keeper": "INSERT SELECT UPDATE(decided_at decided_by is_approved unsealed_until)",
        "shredder": "SELECT(subject_no unsealed_until)",
    },
    "venue": {
        "app": "SELECT",
    },
    "venue_door": {"app": "SELECT"},
    "venue_link": {"app": "SELECT"},
    "venue_observation": {"app": "SELECT"},
    "venue_phone": CLOSED,
    "venue_register": CLOSED,
    "venue_review": {"app": "SELECT"},
    "venue_source_record": {"app": "SELECT"},
    "venue_incident": {
        "app": "SELECT",
    },
    "violation": {
        "app": "SELECT",
        "shredder": "DELETE SELECT(subject_no)",
        "worker": "INSERT SELECT(condition_no decided_at engine_version episode_id kind known_at order_no"
        " policy_version probability started_at subject_no violation_id zone_no)",
    },
    "worker": {
        "worker": "DELETE INSERT SELECT UPDATE",
    },
    "zone": {
        "app": "SELECT",
        "registrar": "INSERT SELECT UPDATE(name superseded_at)",
        "shredder": "DELETE SELECT(source zone_id)",
        "worker": "SELECT",
    },
    "zone_in_force": {
        "app": "SELECT",
        "worker": "SELECT",
    },
}
"""Table, view or sequence → role (``hulan_…``) → what it may do. What is not here is closed, and must be said to be."""

EXECUTABLE: dict[str, set[str]] = {
    "account_decides": set(),
    "accounts_led": {"app"},
    "add_lead_event": {"app"},
    "alert_counts": {"app"},
    "alert_rescues": {"app"},
    "alert_precision": {"app"},
    "alert_times": {"app"},
    "admit_case": {"registrar"},
    "answer_leave": {"app"},
    "answer_link": {"gate"},
    "ask_leave": {"app"},
    "ask_look": {"app"},
    "audit_append": set(),
    "audit_heads": {"worker"},
    "audit_last_checkpoint": {"worker"},
    "audit_link": set(),
    "audit_note": {"app", "gate", "keeper", "shredder", "worker"},
    "audit_own_entry": {"app"},
    "audit_rows": set(),
    "audit_save_checkpoint": {"worker"},
    "boundaries_of": {"app"},
    "close_alert_of_sealed": set(),
    "close_leave": {"app"},
    "current_account_has": {"app", "keeper"},
    "current_account_no": {"app", "keeper"},
    "decide_found": {"app"},
    "decide_link": {"app"},
    "decide_look": {"app"},
    "division_of_venue": {"app"},
    "divisions_overseen": {"app"},
    "drop_fix_week": {"worker"},
    "end_order": {"app"},
    "enter_absence": {"app"},
    "enter_duty": {"app"},
    "enter_duty_person": {"app"},
    "evidence_span": {"app"},
    "export_rows_left": {"app"},
    "file_cases": {"app"},
    "finish_task": {"app"},
    "grant_exemption": {"app"},
    "hidden_subjects": set(),
    "hold_link": {"gate"},
    "judge_again": set(),
    "keep_measurement": {"app"},
    "look_needs_approval": set(),
    "make_fix_week": {"gate", "worker"},
    "may_see_figures": set(),
    "observe_venue": {"app"},
    "open_lead": {"app"},
    "open_looks": {"app"},
    "open_spans": {"app"},
    "people_of_alerts": {"app"},
    "people_of_leads": {"app"},
    "people_of_looks": {"app"},
    "people_of_work": {"app"},
    "person_weeks": {"app"},
    "reachable_subjects": {"app"},
    "record_export": {"app"},
    "redrive_notification": {"app"},
    "reply_key_id": {"gate", "worker"},
    "review_notice": {"app"},
    "revoke_duty": {"app"},
    "report_minor_with_adult": {"app"},
    "rule_on_recipient": {"app"},
    "revoke_exemption": {"app"},
    "row_keys_withheld_from_audit": {"app"},
    "sealed_subjects": {"shredder"},
    "sealing_key_id": {"app"},
    "settle_ended_venues": {"worker"},
    "start_sealing": {"app"},
    "stop_notification_of_sealed": set(),
    "subject_within_jurisdiction": {"app"},
    "subjects_of_account": {"keeper"},
    "subjects_of_divisions": set(),
    "subjects_of_jurisdiction": set(),
    "take_case_tokens": {"app"},
    "thin_fix_week": {"worker"},
    "turn_alert": {"app"},
    "visible_units": {"app"},
    "visible_subjects": {"app", "registrar"},
    "visible_zones": {"app"},
    "withheld_from_audit": {"app"},
}
"""Function that runs with its owner's rights → who may call it."""
