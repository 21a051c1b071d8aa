"""Strings on made-up chains and rings, against brute force; draws on disk and from LAMMPS; paired rates."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glasslib import Glass, GlassError
from glasslib.companions import strings as companion
from glasslib.companions.strings import decay_length, distance_to, rate_ratio, rearranged, redirected, strings
from glasslib.companions.strings.__main__ import main
from glasslib.simulate import potential

BOX = np.array([10.0, 9.0, 8.0])


def chain(n: int, start=(0.5, 0.5, 0.5), direction=(1.0, 0.0, 0.0)) -> tuple[np.ndarray, np.ndarray]:
    """n particles in a row, 1 apart; each moves into the place of the next, the last one into free space."""
    places = np.array(start) + np.arange(n + 1)[:, None] * np.array(direction)
    return places[:n], places[1:]


def ring(n: int, centre=(5.0, 4.5, 4.0)) -> tuple[np.ndarray, np.ndarray]:
    """n particles on a circle, neighbours 1 apart, that turns by one place."""
    angles = 2 * np.pi * np.arange(n) / n
    radius = 0.5 / np.sin(np.pi / n)
    places = np.array(centre) + radius * np.stack([np.cos(angles), np.sin(angles), 0 * angles], axis=1)
    return places, np.roll(places, -1, axis=0)


def mask(n: int) -> np.ndarray:
    return np.ones(n, dtype=bool)


@pytest.mark.parametrize("n", [1, 2, 3, 6])
def test_a_chain_is_one_open_string(n):
    before, after = chain(n)
    found = strings(before, after, mask(n), BOX)
    assert found.lengths.tolist() == [n]
    assert found.closed.tolist() == [False]
    assert set(map(tuple, found.links.T)) == {(k + 1, k) for k in range(n - 1)}  # k takes the place of k + 1


@pytest.mark.parametrize("n", [2, 3, 5, 8])
def test_a_ring_is_closed(n):
    found = strings(*ring(n), mask(n), BOX)
    assert found.lengths.tolist() == [n]
    assert found.closed.tolist() == [True]
    assert found.links.shape == (2, n)


def test_across_the_boundary_and_in_any_image():
    before, after = chain(5, start=(8.2, 8.7, 7.9))
    assert before[:, 0].max() > BOX[0]
    wrapped = strings(np.mod(before, BOX), np.mod(after, BOX) - 3 * BOX, mask(5), BOX)
    plain = strings(before, after, mask(5), BOX)
    assert wrapped.lengths.tolist() == plain.lengths.tolist() == [5]
    assert set(map(tuple, wrapped.links.T)) == set(map(tuple, plain.links.T))


def test_only_mobile_particles_count_and_keep_their_numbers():
    one, two, loop = chain(4), chain(2, start=(0.5, 4.5, 6.5)), ring(3)
    before, after = (np.concatenate(parts) for parts in zip(one, two, loop, strict=True))
    mobile = np.array([True, False, True, True, True, True, True, True, True])
    found = strings(before, after, mobile, BOX)
    assert found.members.tolist() == [0, 2, 3, 4, 5, 6, 7, 8]
    assert sorted(found.lengths) == [1, 2, 2, 3]
    assert found.lengths[found.closed].tolist() == [3]
    assert (3, 2) in set(map(tuple, found.links.T))


def test_nobody_mobile():
    found = strings(*chain(3), np.zeros(3, dtype=bool), BOX)
    assert found.lengths.shape == found.closed.shape == found.members.shape == (0,)
    assert found.links.shape == (2, 0)


def by_brute_force(before, after, mobile, delta):
    """Sets of members and, of each, whether a walk along links returns: Donati's sentence, word by word."""
    ids = np.flatnonzero(mobile)

    images = np.array(list(np.ndindex(5, 5, 5))) - 2

    def apart(a, b):
        return np.linalg.norm(a - b + images * BOX, axis=1).min()

    links = {i: {j for j in ids if j != i and apart(before[i], after[j]) < delta} for i in ids}
    groups, left = set(), set(ids.tolist())
    while left:
        group, edge = set(), [left.pop()]
        while edge:
            i = edge.pop()
            group.add(i)
            edge += [j for j in ids if (j in links[i] or i in links[j]) and j not in group]
        left -= group
        groups.add(frozenset(int(i) for i in group))

    def returns(i):
        seen, edge = set(), list(links[i])
        while edge:
            j = edge.pop()
            if j == i:
                return True
            if j not in seen:
                seen.add(j)
                edge += links[j]
        return False

    return groups, {group for group in groups if any(returns(i) for i in group)}


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.5, 1.5))
def test_against_brute_force(seed, delta):
    rng = np.random.default_rng(seed)
    before = rng.uniform(0, 1, (12, 3)) * BOX * 0.5 - 1.0
    after = before + rng.normal(0, 0.8, before.shape)
    mobile = rng.random(12) < 0.7
    found = strings(before, after, mobile, BOX, delta=delta)
    groups, loops = by_brute_force(before, after, mobile, delta)
    of_label = [frozenset(found.members[found.label == k].tolist()) for k in range(len(found.lengths))]
    assert set(of_label) == groups
    assert {group for group, closed in zip(of_label, found.closed, strict=True) if closed} == loops


def test_rearranged_takes_the_shortest_way():
    before = np.array([[0.1, 1.0, 1.0], [5.0, 5.0, 5.0], [2.0, 2.0, 2.0]])
    after = np.array([[9.9, 1.0, 1.0], [5.0, 5.6, 5.0], [2.0, 2.0, 2.0]])
    assert rearranged(before, after, BOX).tolist() == [False, True, False]
    assert rearranged(before, after, BOX, 0.1).tolist() == [True, True, False]


def test_redirected_keeps_lengths_and_forgets_directions():
    rng = np.random.default_rng(0)
    before = rng.uniform(0, 8, (4000, 3))
    after = before + np.array([0.7, 0.0, 0.0])
    steps = redirected(before, after + BOX, BOX, rng) - before
    assert np.allclose(np.linalg.norm(steps, axis=1), 0.7)
    assert np.abs(steps.mean(axis=0)).max() < 5 * 0.7 / np.sqrt(3 * 4000)


@pytest.mark.parametrize("n0", [0.5, 1.5, 4.0])
def test_decay_length_of_a_geometric_distribution(n0):
    lengths = np.random.default_rng(1).geometric(1 - np.exp(-1 / n0), size=40_000)
    assert decay_length(lengths) == pytest.approx(n0, rel=0.03)


def test_decay_length_of_lone_particles_is_zero():
    assert decay_length([1, 1, 1]) == 0


def test_distance_to_against_all_pairs():
    rng = np.random.default_rng(2)
    x, chosen = rng.uniform(-5, 15, (60, 3)), rng.random(60) < 0.2
    d = x[:, None] - x[None]
    d = np.linalg.norm(d - BOX * np.round(d / BOX), axis=-1)
    np.fill_diagonal(d, np.inf)
    assert np.allclose(distance_to(x, chosen, BOX), d[:, chosen].min(axis=1))
    assert np.isinf(distance_to(x, np.zeros(60, dtype=bool), BOX)).all()
    lone = np.arange(60) == 7
    assert np.isinf(distance_to(x, lone, BOX)[7])


def test_rate_ratio_tells_a_cause_from_a_soft_place():
    rng = np.random.default_rng(3)
    soft = np.where(rng.random(3000) < 0.3, 0.3, 0.03)  # soft places respond more, and are exposed more
    exposed = rng.random((10, 3000)) < soft
    for cause in (1.0, 2.0):
        responded = rng.random((10, 3000)) < soft * np.where(exposed, cause, 1.0)
        found = rate_ratio(exposed, responded, np.ones_like(exposed))
        assert found.within == pytest.approx(cause, rel=0.1)
        assert found.crude > 1.5 * cause


def test_rate_ratio_by_hand_and_by_counting_draws_twice():
    e = np.array([[1, 0], [1, 1], [0, 0]], dtype=bool)
    r = np.array([[1, 0], [0, 1], [1, 1]], dtype=bool)
    risk = np.array([[1, 1], [1, 1], [1, 1]], dtype=bool)
    # particle 0: a=1, n1=2, b=1, n0=1; particle 1: a=1, n1=1, b=1, n0=2
    found = rate_ratio(e, r, risk)
    assert found.within == pytest.approx((1 * 1 / 3 + 1 * 2 / 3) / (1 * 2 / 3 + 1 * 1 / 3))
    assert found.crude == pytest.approx((2 / 3) / (2 / 3))
    twice = rate_ratio(e, r, risk, [2, 1, 1])
    repeated = rate_ratio(*(np.concatenate([m[:1], m]) for m in (e, r, risk)))
    assert twice == pytest.approx(repeated)
    assert np.isnan(rate_ratio(e, r & e, risk).within)


def test_resampled_draws_add_up():
    weights = companion.resampled(8, 300)
    assert weights.shape == (300, 8)
    assert (weights.sum(axis=1) == 8).all()
    assert np.allclose(weights.mean(axis=0), 1, atol=0.25)


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda b, a: strings(b, a[:2], mask(3), BOX), "before"),
        (lambda b, a: strings(b, a, np.ones(3), BOX), "mobile"),
        (lambda b, a: strings(b, a, mask(3), BOX, delta=0.0), "delta"),
        (lambda b, a: strings(b, a, mask(3), BOX, delta=4.1), "delta"),
        (lambda b, a: rearranged(b, a, BOX, -1), "threshold"),
        (lambda b, a: decay_length([]), "lengths"),
        (lambda b, a: rate_ratio(mask(3), mask(3), mask(3)), "n_draws"),
    ],
)
def test_bad_input_is_refused(call, field):
    with pytest.raises(GlassError, match=field):
        call(*chain(3))


def test_draws_survive_the_file(tmp_path):
    draws = companion.shipped(0.64)
    path = tmp_path / "draws.npz"
    companion.save(path, draws)
    again = companion.load(path)
    assert np.abs(again.positions - draws.positions).max() < 1e-9  # on the grid already
    assert again.provenance == draws.provenance
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(GlassError, match="damaged"):
        companion.load(path)


def test_draws_are_checked():
    draws = companion.shipped(0.64)
    with pytest.raises(GlassError, match="times"):
        dataclasses.replace(draws, times=draws.times + 1)
    with pytest.raises(GlassError, match="positions"):
        dataclasses.replace(draws, positions=draws.positions[:, 0])


@pytest.mark.parametrize("temperature", [0.64, 0.56])
def test_shipped_draws_are_inherent_structures_of_the_bundled_start(temperature):
    from glasslib import catalog
    from glasslib.glass import minimum_image
    from glasslib.simulate import measure

    draws = companion.shipped(temperature)
    (glass,) = catalog.load("bundled", "test", temperature=temperature, limit=1)
    assert draws.provenance["start"] == f"T{temperature:.2f}/test/001.npz"
    apart = minimum_image(draws.positions[:, 0] - glass.inherent_positions, glass.box)
    apart = np.linalg.norm(apart, axis=-1)  # rounding of the positions leads some particles elsewhere
    assert np.median(apart) < 0.1
    assert (apart > companion.THRESHOLD).mean() < 0.01
    energies = [measure.pair_energies(x, draws.types, draws.box).mean() for x in draws.positions[0]]
    assert np.ptp(energies) < 0.05
    # of the same start, rounded: a few particles end in another minimum, which moves the mean by .002
    assert abs(energies[0] - glass.inherent_energies.mean()) < 0.005


@pytest.fixture(scope="module")
def hot() -> Glass:
    """A small, hot mixture on a lattice: it moves within a few steps."""
    n = 200
    rng = np.random.default_rng(0)
    sites = np.stack(np.unravel_index(rng.permutation(216)[:n], (6, 6, 6)), axis=1)
    box = potential.box_of(n)
    types = (np.arange(n) >= 160).astype(np.int8)
    return Glass(positions=(sites + 0.5) / 6 * box, types=types, box=box, temperature=0.9)


def test_simulate_small(hot):
    passed = []
    made = companion.simulate(hot, interval=0.2, n_frames=3, n_draws=2, progress=passed.append)
    assert made.positions.shape == (2, 3, 200, 3)
    assert np.allclose(made.times, [0, 0.2, 0.4])
    assert np.array_equal(made.positions[0, 0], made.positions[1, 0])
    assert not np.allclose(made.positions[0, 1], made.positions[1, 1])
    assert sum(passed) == pytest.approx(0.8)
    assert made.displacements().shape == (2, 2, 200)
    again = companion.simulate(hot, interval=0.2, n_frames=3, n_draws=2)
    assert np.array_equal(again.positions, made.positions)
    from glasslib.simulate import measure

    force, _ = measure.force_and_curvature(made.positions[1, 2], made.types, made.box)
    assert np.abs(force).max() < 1e-4


@pytest.mark.parametrize("change", [{"n_frames": 1}, {"n_draws": 0}, {"interval": 0.0}])
def test_simulate_refuses(hot, change):
    with pytest.raises(GlassError, match=next(iter(change))):
        companion.simulate(hot, **{"interval": 1.0, "n_frames": 2, "n_draws": 1, **change})


def test_the_command_tells_an_error_in_one_line(tmp_path, capsys):
    assert main(["--temperature", "0.3", "--out", str(tmp_path / "x.npz")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
