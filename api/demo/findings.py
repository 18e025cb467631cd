"""What a demo found, read from the database."""

from sqlalchemy import Connection, text

from api.demo.score import FoundViolation


def found_violations(connection: Connection) -> list[FoundViolation]:
    """Every violation, those too that later fixes undid: somebody was told of them.

    A guardian's message counts for the violation that opened the alert.
    """
    rows = connection.execute(
        text("""
            SELECT s.alias, v.kind, v.started_at, e.ended_at, v.decided_at, z.name,
                   v.decided_at = a.opened_at AND EXISTS (
                       SELECT FROM notification n
                       WHERE n.alert_id = a.alert_id AND n.role = 'guardian' AND n.state IN ('sent', 'delivered')
                   ) AS is_told
            FROM violation v JOIN subject s USING (subject_no) JOIN episode e USING (episode_id)
            JOIN zone z ON z.zone_no = v.zone_no JOIN alert_violation av USING (violation_id)
            JOIN alert a ON a.alert_id = av.alert_id
            ORDER BY v.decided_at, v.violation_id
        """)
    ).all()
    seen: set[tuple[str, object]] = set()
    found = []
    for row in rows:
        is_first = row.is_told and (row.alias, row.decided_at) not in seen
        seen.add((row.alias, row.decided_at))
        found.append(
            FoundViolation(
                alias=row.alias,
                kind="stay_within_area" if row.kind == "stay_within_area" else "exclusion",
                started_at=row.started_at,
                ended_at=row.ended_at,
                decided_at=row.decided_at,
                guardian_sms_sent=is_first,
                place_name=row.name,
            )
        )
    return found


def counts(connection: Connection) -> list[tuple[str, int]]:
    """How much there is of everything, Chinese and English labels.

    The worker goes on meanwhile: all of it is counted in one snapshot if the transaction is one (REPEATABLE READ).
    """
    queries = {
        "定位 fixes": "SELECT count(*) FROM fix",
        "在场 episodes": "SELECT count(*) FROM episode WHERE superseded_at IS NULL",
        "其中大概率 probable": "SELECT count(*) FROM episode WHERE tier = 'probable' AND superseded_at IS NULL",
        "其中精度不足 undecidable": "SELECT count(*) FROM episode WHERE is_undecidable AND superseded_at IS NULL",
        "疑似违规 violations": "SELECT count(*) FROM violation",
        "警报 alerts": "SELECT count(*) FROM alert",
        "通知 notifications": "SELECT count(*) FROM notification",
        "待发送 waiting": "SELECT count(*) FROM notification WHERE state = 'pending'",
        "已发送 sent": "SELECT count(*) FROM notification WHERE state = 'sent' AND channel <> 'voice_task'",
        "改由下一步 passed on": "SELECT count(*) FROM notification WHERE state IN ('dead', 'failed')",
        "由人联系 by a person": "SELECT count(*) FROM notification WHERE channel = 'voice_task'",
        "升级 escalated": "SELECT count(*) FROM alert_history WHERE kind = 'escalated'",
        "由警报产生的任务 tasks of alerts": "SELECT count(*) FROM task WHERE alert_id IS NOT NULL",
        "搁置的定位 fixes set aside": "SELECT count(*) FROM fix_set_aside",
    }
    return [(label, int(connection.execute(text(query)).scalar_one())) for label, query in queries.items()]


def alert_references(connection: Connection, limit: int = 3) -> list[str]:
    """The first alerts, by the eight characters that ``hulan explain`` takes."""
    rows = connection.execute(
        text(
            "SELECT upper(right(alert_id::text, 8)) FROM alert WHERE alert_id IN (SELECT alert_id FROM alert_violation)"
            " ORDER BY opened_at, alert_id LIMIT :limit"
        ),
        {"limit": limit},
    )
    return [str(row[0]) for row in rows]
