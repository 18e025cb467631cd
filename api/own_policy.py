"""The office's own numbers of alerting, from the file that the settings name."""

from alerts.own_policy import OwnPolicyError, read_own_policy
from alerts.policy import AlertPolicy
from api.settings import Settings


def load_policy(settings: Settings) -> AlertPolicy:
    """The numbers in force. Raises OwnPolicyError naming the file and all that is wrong with it."""
    path = settings.alert_policy_file
    if path is None:
        return AlertPolicy()
    try:
        return read_own_policy(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise OwnPolicyError(f"无法读取 cannot read {path}: {error.strerror}") from error
    except (OwnPolicyError, UnicodeDecodeError) as error:
        raise OwnPolicyError(f"{path}: {error}") from error
