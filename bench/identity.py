"""Each place once: records of five synthetic registers into venues: ``python -m bench.identity``.

Prints what each step took, and how right the answer is: of the pairs of records that are one venue in truth, how many
the machine found (recall), and of those it found, how many are right (precision). The peer joins on what is equal.
The registers are synthetic; real ones will be worse.
"""

import argparse
import time
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from uuid import UUID

import numpy as np

from api.ids import new_id
from bench.identity_scene import DUPLICATE_FREE, Scene, synthetic_scene
from bench.report import peak_memory_mib, print_json, print_table
from venues.gateway_splink import score_pairs
from venues.identity import IdentityPlan, ProposedMerge, QueuedPair, plan_identity
from venues.links import MACHINE, Found, follow, merge_events
from venues.scored_pairs import ScoredPairs
from venues.traits import Traits, traits_of

TARGET_S = 60.0
AT = datetime(2026, 11, 22, tzinfo=UTC)


def main() -> None:
    """Build the registers, match them, compare with the truth."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--venues", type=int, default=29_900, help="venues; each has some 2.6 records")
    parser.add_argument("--seed", type=int, default=20261122)
    options = parser.parse_args()
    scene = synthetic_scene(options.venues, np.random.default_rng(options.seed))
    seconds: dict[str, float] = {}
    began = time.perf_counter()
    traits = [traits_of(record) for record in scene.records]
    seconds["names, addresses, licences"] = time.perf_counter() - began
    pairs = _timed_scores(traits, seconds)
    before = time.perf_counter()
    plan = plan_identity(pairs, traits, duplicate_free=DUPLICATE_FREE)
    seconds["plan"] = time.perf_counter() - before
    before = time.perf_counter()
    venue_of = link(traits, plan.merges)
    seconds["links"] = time.perf_counter() - before
    seconds["all"] = time.perf_counter() - began
    report(scene, traits, pairs, plan, venue_of, seconds)


def _timed_scores(traits: Sequence[Traits], seconds: dict[str, float]) -> ScoredPairs:
    began = time.perf_counter()

    def show(done: int, parts: int) -> None:
        print(f"  scored {done} of {parts} parts after {time.perf_counter() - began:.1f} s", flush=True)

    pairs = score_pairs(traits, duplicate_free=DUPLICATE_FREE, progress=show)
    seconds["pairs by Splink"] = time.perf_counter() - began
    return pairs


def link(traits: Sequence[Traits], proposals: Iterable[ProposedMerge | QueuedPair]) -> list[UUID]:
    """The venue of each record once the proposals are followed."""
    links = follow([Found(record_id=each.record_id, venue_id=new_id(), decided_by="import", at=AT) for each in traits])
    pairs = ((each.left, each.right, each.probability) for each in proposals)
    links = follow(merge_events(pairs, links=links, new_id=new_id, decided_by=f"{MACHINE}:1", at=AT), after=links)
    return [links.venue_of(each.record_id) for each in traits]


def scores(found: Iterable[Hashable], truth: Sequence[int]) -> tuple[float, float]:
    """Precision and recall over pairs of records, counted by the sizes of groups and not pair by pair."""
    both = Counter(zip(found, truth, strict=True))
    by_found: Counter[Hashable] = Counter()
    by_truth: Counter[int] = Counter()
    for (group, venue), count in both.items():
        by_found[group] += count
        by_truth[venue] += count

    def pairs(counts: Iterable[int]) -> int:
        return sum(count * (count - 1) // 2 for count in counts)

    right = pairs(both.values())
    return right / max(pairs(by_found.values()), 1), right / max(pairs(by_truth.values()), 1)


def calibration(pairs: ScoredPairs, truth: Sequence[int]) -> list[list[object]]:
    """Whether probabilities mean what they say: by range, the mean score and the share that is one venue."""
    venue = np.array(truth)
    is_one = venue[pairs.left] == venue[pairs.right]
    rows: list[list[object]] = []
    for low, high in pairwise((0.5, 0.7, 0.9, 0.99, 1.0)):
        hit = (pairs.probability >= low) & (pairs.probability < high if high < 1.0 else True)
        if hit.any():
            rows.append([low, high, int(hit.sum()), float(pairs.probability[hit].mean()), float(is_one[hit].mean())])
    return rows


def by_equal_values(traits: Sequence[Traits]) -> list[int]:
    """The peer: one venue if a licence or telephone is equal, or both core name and house number are."""
    parent = list(range(len(traits)))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    groups: dict[Hashable, list[int]] = defaultdict(list)
    for row, each in enumerate(traits):
        keys: list[Hashable] = [*each.licences, *(("phone", phone) for phone in each.phones)]
        keys += [(each.core_name, each.road, each.number)] if each.road else []
        for key in keys:
            groups[key].append(row)
    for rows in groups.values():
        for row in rows[1:]:
            parent[root(row)] = root(rows[0])
    return [root(row) for row in range(len(traits))]


def report(
    scene: Scene,
    traits: Sequence[Traits],
    pairs: ScoredPairs,
    plan: IdentityPlan,
    venue_of: Sequence[UUID],
    seconds: dict[str, float],
) -> None:
    """Two tables and a line."""
    merged, equal = scores(venue_of, scene.venue), scores(by_equal_values(traits), scene.venue)
    truth_of = {each.record_id: venue for each, venue in zip(traits, scene.venue, strict=True)}
    right = [pair for pair in plan.queue if truth_of[pair.left] == truth_of[pair.right]]
    answered = link(traits, [*plan.merges, *right])
    asked = scores(answered, scene.venue)
    print_table(["step", "seconds"], [[name, taken] for name, taken in seconds.items()])
    print_table(
        ["who", "precision", "recall"],
        [
            ["equal licence, phone, or name and number", *equal],
            ["machine alone (p >= 0.99)", *merged],
            ["with the queue answered rightly", *asked],
        ],
    )
    print_table(["scored from", "to", "pairs", "mean score", "one venue in truth"], calibration(pairs, scene.venue))
    print(f"{len(traits):,} records, {len(set(scene.venue)):,} venues in truth, {len(set(venue_of)):,} found; "
          f"{len(pairs):,} likely pairs, {len(plan.queue):,} to ask ({len(right):,} of them one venue: "
          f"{len(right) / max(len(plan.queue), 1):.0%}), {len(plan.successions):,} successions; "
          f"{peak_memory_mib():,.0f} MiB")  # fmt: skip
    print("doubts:", dict(Counter(str(item.doubt) for item in plan.queue)))
    figures: dict[str, object] = {f"{name}_s": round(taken, 2) for name, taken in seconds.items()}
    figures |= {"records": len(traits), "precision": round(merged[0], 4), "recall": round(merged[1], 4)}
    figures |= {"recall_with_queue": round(asked[1], 4), "queue": len(plan.queue), "queue_right": len(right)}
    print_json("identity", figures=figures, ratios={"target": TARGET_S / seconds["all"]})


if __name__ == "__main__":
    main()
