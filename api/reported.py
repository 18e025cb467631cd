"""What officers reported becomes alerts: each finding once, in a transaction of its own, by any number of workers."""

from sqlalchemy import Engine, text

from api.alerting import Alerting, raise_alerts
from api.clock_edges import NEW_FINDINGS

_LOCK = 0x7265706F7274
"""Of whoever makes these alerts: of two workers one comes first, and the other comes again in seconds."""

_NEXT = """
INSERT INTO new_finding SELECT finding_id FROM finding f JOIN open_subject USING (subject_no)
WHERE kind = 'minor_with_adult' AND NOT EXISTS (SELECT FROM alert_finding a WHERE a.finding_id = f.finding_id)
ORDER BY finding_id LIMIT 1
"""


def raise_reported(engine: Engine, alerting: Alerting) -> int:
    """Alerts of what was reported and has none; returns how many findings were taken."""
    count = 0
    while True:
        with engine.begin() as connection:
            if not connection.execute(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": _LOCK}).scalar_one():
                return count
            connection.execute(text(NEW_FINDINGS))
            if connection.execute(text(_NEXT)).rowcount == 0:
                return count
            raise_alerts(connection, [], alerting)
        count += 1
