"""The law of distance on a real map: Helsinki's schools, with synthetic shops at real corners, on its walk network."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from api.files.gates import read_gates
from api.files.mappings import load_mapping
from api.files.places import read_places
from api.files.walk_network import read_walk_network
from geo.walk import WalkStatus
from geo.walk_network import without_fragments
from venues.category import VenueCategory
from venues.distance import DistanceRun, evaluate_distances
from venues.distance_ends import DistancePolicy, Door, PlacedVenue
from venues.distance_verdict import Verdict
from venues.gateway_distance_law import load_distance_law
from venues.measurement import measure, measured_again, measurement_input
from venues.school_site import join_sites, protected_site

ON = date(2026, 11, 22)


@pytest.mark.real
def test_every_finding_of_a_real_city_holds_and_can_be_measured_again(real_data: Callable[[str], Path]) -> None:
    path = real_data("helsinki_osm_2019/helsinki.osm.pbf")
    network = without_fragments(read_walk_network(path).network)
    gates = [found.gate for found in read_gates(path).gates]
    sites = [
        protected_site(joined, gates) for joined in join_sites(read_places(path, mapping=load_mapping("osm")).sites)
    ]
    random = np.random.default_rng(8)
    vertex = random.integers(0, network.longitude.size, 4000)
    venues = [
        PlacedVenue(
            venue_id=f"v{row}",
            name="合成场所",
            categories=frozenset({VenueCategory.INTERNET_CAFE}),
            division="440106",
            longitude=float(network.longitude[at]),
            latitude=float(network.latitude[at]),
            doors=(Door(door_id="d", longitude=float(network.longitude[at]), latitude=float(network.latitude[at])),),
        )
        for row, at in enumerate(vertex.tolist())
    ]
    run: DistanceRun = evaluate_distances(
        venues, sites, load_distance_law(), on=ON, network=network, policy=DistancePolicy()
    )
    findings = list(run.findings())
    assert len(findings) > 300
    for found in findings:
        assert found.low_m <= found.high_m
        if found.walk_status == WalkStatus.REACHED and found.straight_gate is not None:
            assert found.walking_m >= found.straight_m - 0.01
        if found.verdict is Verdict.BREACH:
            assert found.high_m <= found.rule.threshold_m
    for found in findings[:: len(findings) // 20]:
        first = measure(measurement_input(run, found, network_on=date(2019, 5, 1)), network)
        assert measured_again(first.text, network).hash == first.hash
        assert first.finding.verdict is found.verdict
