"""One measurement as evidence: everything it rests on as one text, and a hash that anybody can compute again.

The text holds both ends with their errors and the day their sources describe, the rules word for word, the assumptions,
which walk network, and what came out. Whoever has the text and the network (by its version) can measure again: the hash
is the same, or something was altered. Inputs are rounded first (``venues.canonical_json``) and measured then, so that
what is archived is what was measured.
"""

import json
from dataclasses import dataclass
from datetime import date
from typing import Any

from geo.walk import WalkStatus, walking_path
from geo.walk_network import WalkNetwork
from venues.canonical_json import canonical_text, content_hash, parsed
from venues.distance import DistanceFinding, DistanceRun, evaluate_distances
from venues.distance_ends import DistancePolicy, PlacedVenue, ProtectedSite
from venues.distance_law import DistanceLaw
from venues.distance_method import METHOD, DistanceMethod
from venues.distance_rule import DistanceRule, by_precedence


class MeasurementError(ValueError):
    """A measurement that cannot be made, or made again, from what is given. The message says what is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasurementInput:
    """Everything that a measurement rests on. Make it with :func:`measurement_input`, which rounds."""

    method: str
    on: date
    """The day whose law is applied."""
    venue: PlacedVenue
    site: ProtectedSite
    """With the one campus that is measured."""
    rules: tuple[DistanceRule, ...]
    """That bind the pair, by precedence."""
    policy: DistancePolicy
    network_version: str | None
    network_on: date | None
    """The day that the network's source describes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """A measurement made."""

    given: MeasurementInput
    finding: DistanceFinding
    way: tuple[tuple[float, float], ...]
    """The way on foot (degrees, WGS-84), from gate to door, also where the rule asks for a straight line; or empty."""

    @property
    def text(self) -> str:
        """What is archived and hashed: canonical JSON of input and result."""
        return canonical_text({"given": self.given, "result": _result(self)})

    @property
    def hash(self) -> str:
        """SHA-256 (hex) of :attr:`text`."""
        return content_hash({"given": self.given, "result": _result(self)})


def measurement_input(run: DistanceRun, finding: DistanceFinding, *, network_on: date | None) -> MeasurementInput:
    """What the finding of a run rests on, rounded to what will be archived."""
    rules = by_precedence(finding.rules)
    site = ProtectedSite(
        site_id=finding.site.site_id,
        name=finding.site.name,
        category=finding.site.category,
        campuses=(finding.campus,),
        opened_on=finding.site.opened_on,
        data_on=finding.site.data_on,
        is_dated_by_import=finding.site.is_dated_by_import,
    )
    return _rounded(
        MeasurementInput(
            method=METHOD,
            on=run.on,
            venue=finding.venue,
            site=site,
            rules=rules,
            policy=run.policy,
            network_version=run.network_version,
            network_on=network_on if run.network_version else None,
        )
    )


def measure(given: MeasurementInput, network: WalkNetwork | None) -> Measurement:
    """Measures. Raises MeasurementError for another network than the input names, another method, or ends not near."""
    version = None if network is None else network.network_version
    if version != given.network_version:
        raise MeasurementError(
            f"路网版本不符：应为 {given.network_version}，现为 {version} / the walk network is another one than was "
            "measured on: take the archived one"
        )
    try:
        method = DistanceMethod(given.method)
    except ValueError:
        known = ", ".join(DistanceMethod)
        raise MeasurementError(
            f"测量方法为 {given.method}，本程序有 {known} / measured by {given.method}, this program has {known}: "
            "use the program of that time"
        ) from None
    law = DistanceLaw(rules=given.rules)
    run = evaluate_distances(
        [given.venue], [given.site], law, on=given.on, network=network, policy=given.policy, method=method
    )
    finding = next(run.findings(), None)
    if finding is None or len(finding.rules) != len(given.rules):
        raise MeasurementError(
            f"{given.on.isoformat()} 的规则不约束这两处，或相距过远 / not every rule of the input binds the two on "
            f"{given.on.isoformat()}, or they are too far apart to be judged"
        )
    return Measurement(given=given, finding=finding, way=_way(finding, network))


def measured_again(text: str, network: WalkNetwork | None) -> Measurement:
    """The measurement made again from an archived text. The caller compares the hashes.

    Raises MeasurementError if the text is no measurement, or as :func:`measure`.
    """
    try:
        data = json.loads(text)
        given = parsed(MeasurementInput, data["given"])
    except (ValueError, KeyError, TypeError) as error:
        raise MeasurementError(f"存档不是测量记录 / the archive is no measurement: {error}") from error
    return measure(given, network)


def _rounded(given: MeasurementInput) -> MeasurementInput:
    return parsed(MeasurementInput, json.loads(canonical_text(given)))


def _way(finding: DistanceFinding, network: WalkNetwork | None) -> tuple[tuple[float, float], ...]:
    gate, end = finding.walk_gate, finding.walk_door or finding.venue
    if network is None or gate is None:
        return ()
    path = walking_path(
        network,
        longitude=gate.longitude,
        latitude=gate.latitude,
        to_longitude=end.longitude,
        to_latitude=end.latitude,
    )
    if path.status is not WalkStatus.REACHED or path.line is None:
        return ()
    return tuple(dict.fromkeys((round(x, 9), round(y, 9)) for x, y in path.line.coords))


def _result(made: Measurement) -> dict[str, Any]:
    found = made.finding
    return _said(found) | {
        "others": tuple(_said(part) for part in found.others),
        "straight_m": found.straight_m,
        "straight_error_m": found.straight_error_m,
        "walking_m": found.walking_m,
        "walking_error_m": found.walking_error_m,
        "walk_status": found.walk_status,
        **_straight_ends(made),
        "walk_gate_id": found.walk_gate.gate_id if found.walk_gate else None,
        "walk_door_id": found.walk_door.door_id if found.walk_door else None,
        "way": tuple({"longitude": x, "latitude": y} for x, y in made.way),
    }


def _straight_ends(made: Measurement) -> dict[str, str | None]:
    """The former method named the ends of the rule's own distance, which may be the way on foot."""
    found = made.finding
    gate, door = found.straight_gate, found.straight_door
    if made.given.method != DistanceMethod.GATES_ABOVE_ONLY:
        return {
            "straight_gate_id": gate.gate_id if gate else None, "straight_door_id": door.door_id if door else None
        }  # fmt: skip
    if found.is_walked:
        gate, door = found.walk_gate, found.walk_door
    return {"gate_id": gate.gate_id if gate else None, "door_id": door.door_id if door else None}


def _said(part: DistanceFinding) -> dict[str, Any]:
    """What the law says of some categories of the venue."""
    return {
        "categories": part.categories,
        "rule_id": part.rule.rule_id,
        "rule_version": part.rule.rule_version,
        "verdict": part.verdict.name,
        "reason": part.reason.name,
        "low_m": part.low_m,
        "high_m": part.high_m,
        "beaten": tuple(
            {"rule_id": other.rule.rule_id, "verdict": other.verdict.name, "reason": other.reason.name}
            for other in part.beaten
        ),
    }
