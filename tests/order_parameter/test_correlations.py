"""Correlations against brute force, and lengths against fields whose length is known."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from glasslib import Glass, GlassError, minimum_image
from glasslib.order_parameter import (
    SpatialCorrelation,
    correlation_length,
    spatial_correlation,
)
from tests.conftest import make_glass


def liquid(seed=0, per_side=10, spacing=1.1):
    """Points of one type, far from a lattice, none too close."""
    rng = np.random.default_rng(seed)
    lattice = np.stack(np.meshgrid(*[np.arange(per_side)] * 3, indexing="ij"), -1).reshape(-1, 3)
    positions = spacing * (lattice + rng.uniform(-0.4, 0.4, lattice.shape))
    return Glass(positions, np.zeros(len(lattice), dtype=np.int8), np.full(3, spacing * per_side))


def waves(box, cutoff):
    """Wave vectors that fit into a cubic box, one of each pair k, -k."""
    steps = range(-cutoff, cutoff + 1)
    numbers = [v for v in itertools.product(steps, repeat=3) if v > (0, 0, 0) and np.dot(v, v) <= cutoff**2]
    return 2 * np.pi * np.array(numbers) / box[0]


def random_field(glass, length, seed, cutoff=7):
    """A Gaussian random field with correlations exp(-r / length): its spectrum is (1 + k^2 length^2)^-2."""
    k = waves(glass.box, cutoff)
    rng = np.random.default_rng(seed)
    amplitude = rng.normal(size=(2, len(k))) / (1 + (k**2).sum(1) * length**2)
    phase = glass.positions @ k.T
    return np.cos(phase) @ amplitude[0] + np.sin(phase) @ amplitude[1]


def exponential(box, length, n_bins=30, amplitude=0.7, width=0.2):
    """What is measured of such a field in a finite box, without chance: by quadrature over directions."""
    r = width * (np.arange(n_bins) + 0.5)
    cosine, weight = np.polynomial.legendre.leggauss(12)
    angle = 2 * np.pi * (np.arange(24) + 0.5) / 24
    sine = np.sqrt(1 - cosine**2)
    u = np.stack(
        [np.outer(sine, np.cos(angle)), np.outer(sine, np.sin(angle)), np.outer(cosine, np.ones(24))]
    )
    steps = np.array(list(itertools.product(range(-4, 5), repeat=3))) * box
    curve = np.zeros(n_bins)
    for k, radius in enumerate(r):
        distance = np.linalg.norm(radius * np.moveaxis(u, 0, -1)[..., None, :] + steps, axis=-1)
        curve[k] = weight @ np.exp(-distance / length).sum(-1).mean(-1) / 2
    curve = amplitude * (curve - 8 * np.pi * length**3 / np.prod(box))
    return SpatialCorrelation(r, (1000 * r**2).astype(int), curve[None], np.ones(1), np.array(box))


@pytest.mark.parametrize("kind", ["A", "B"])
def test_against_all_pairs(kind):
    glass = make_glass()
    f, h = np.random.default_rng(0).normal(size=(2, 2, len(glass))) + 2
    f[:, ~glass.is_type(kind)] = np.nan
    found = spatial_correlation(glass, f, h, particle_type=kind, structure="inherent", width=0.3)
    chosen = np.flatnonzero(glass.is_type(kind))
    df, dh = (x[:, chosen] - x[:, chosen].mean(1, keepdims=True) for x in (f, h))
    sums, counts = np.zeros((2, 8)), np.zeros(8)
    for a, b in itertools.permutations(range(len(chosen)), 2):
        step = glass.inherent_positions[chosen[b]] - glass.inherent_positions[chosen[a]]
        place = int(np.linalg.norm(minimum_image(step, glass.box)) / 0.3)
        if place < 8:
            counts[place] += 1
            sums[:, place] += df[:, a] * dh[:, b]
    some = counts > 0
    np.testing.assert_array_equal(found.n_pairs, counts / 2)
    np.testing.assert_allclose(found.products[:, some], sums[:, some] / counts[some], rtol=1e-9)
    assert np.isnan(found.products[:, ~some]).all()
    np.testing.assert_allclose(found.variances, (df * dh).mean(1))
    np.testing.assert_allclose(found.r, 0.3 * np.arange(8) + 0.15)


def test_a_wave_is_correlated_like_sin_over_its_argument():
    """The mean of cos(k.x) cos(k.y) over all directions of x - y is sin(kr) / 2kr."""
    glass = liquid(per_side=13)
    k = 2 * np.pi * 2 / glass.box[0]
    found = spatial_correlation(glass, [np.cos(k * glass.positions @ axis) for axis in np.eye(3)])
    mean = found.normalized.mean(0)[found.r > 1.2]
    r = found.r[found.r > 1.2]
    np.testing.assert_allclose(mean, np.sin(k * r) / (k * r), atol=0.02)


def test_constants_and_factors_do_not_matter():
    glass = make_glass()
    f = np.random.default_rng(1).normal(size=len(glass))
    one, other = (spatial_correlation(glass, x).normalized for x in (f, 7 - 3 * f))
    np.testing.assert_allclose(one, other)


def test_noise_of_two_measurements_cancels_even_where_it_is_correlated():
    """Half of what is seen is noise with a longer length than the field; one half alone misleads."""
    found, raw, clean = [], [], []
    for seed in range(4):
        glass = liquid(seed)
        field, *noise = (random_field(glass, x, 10 * seed + n) for n, x in enumerate((0.8, 3.0, 3.0)))
        noisy = [field / field.std() + x / x.std() for x in noise]
        found.append(spatial_correlation(glass, *noisy))
        raw.append(spatial_correlation(glass, noisy[0]))
        clean.append(spatial_correlation(glass, field))
    curves = [SpatialCorrelation.mean(parts).normalized[0, 5:15] for parts in (clean, found, raw)]
    np.testing.assert_allclose(curves[1], curves[0], atol=0.08)
    assert (curves[2] - curves[0]).min() > 0.05
    lengths = [correlation_length(parts).lengths[0] for parts in (clean, found, raw)]
    assert abs(lengths[1] - lengths[0]) < 0.3 < lengths[2] - lengths[0]


@pytest.mark.parametrize("length", [0.8, 1.4, 2.2])
def test_the_length_of_a_random_field_is_found(length):
    parts = []
    for seed in range(8):
        glass = liquid(seed)
        parts.append(spatial_correlation(glass, random_field(glass, length, seed)))
    found = correlation_length(parts)
    assert abs(found.lengths[0] - length) < 3 * found.errors[0]
    assert found.errors[0] < 0.3 * length
    assert 0.5 * length < found.integrals[0] < 1.2 * length


@pytest.mark.parametrize(
    ("length", "box"), [(0.5, 15.0), (1.2, 15.0), (4.5, 15.0), (2.0, (12.0, 14.0, 18.0))]
)
def test_without_chance_the_length_is_exact(length, box):
    found = correlation_length([exponential(np.broadcast_to(box, 3).astype(float), length)])
    np.testing.assert_allclose(found.lengths, length, rtol=0.01)
    np.testing.assert_allclose(found.amplitudes, 0.7, rtol=0.02)
    assert np.isnan(found.errors).all()


def test_the_integral_of_a_short_exponential_is_its_length():
    found = correlation_length([exponential(np.full(3, 40.0), 1.5, n_bins=160, width=0.125)])
    np.testing.assert_allclose(found.integrals, 1.5, rtol=0.03)


def test_the_integral_ends_where_the_correlation_first_vanishes():
    r = np.arange(1.25, 5, 0.5)
    curve = np.array([[0.8, 0.4, 0.2, -0.1, 0.3, 0.3, 0.3, 0.3], [-0.1, 0.5, 0.5, 0.5, 0, 0, 0, 0]])
    found = correlation_length([SpatialCorrelation(r, np.full(8, 9), curve, np.ones(2), np.full(3, 15.0))])
    np.testing.assert_allclose(found.integrals, [0.5 * (0.4 + 0.4 + 0.2) / 0.8, np.nan])


def test_errors_are_those_of_leaving_one_out():
    glasses = [liquid(seed, per_side=8) for seed in range(3)]
    parts = [spatial_correlation(g, random_field(g, 1.2, seed, 5)) for seed, g in enumerate(glasses)]
    found = correlation_length(parts, r_max=3.5)
    rest = [correlation_length([p for k, p in enumerate(parts) if k != out], r_max=3.5) for out in range(3)]
    lengths = np.array([each.lengths[0] for each in rest])
    np.testing.assert_allclose(found.errors[0], np.sqrt(2 / 3 * ((lengths - lengths.mean()) ** 2).sum()))
    areas = np.array([each.integrals[0] for each in rest])
    np.testing.assert_allclose(found.integral_errors[0], np.sqrt(2 / 3 * ((areas - areas.mean()) ** 2).sum()))


def test_the_mean_is_over_all_pairs():
    glasses = [liquid(0, 6, 1.2), liquid(1, 6, 1.2)]
    rng = np.random.default_rng(0)
    parts = [spatial_correlation(g, rng.normal(size=(2, len(g)))) for g in glasses]
    mean = SpatialCorrelation.mean(parts)
    np.testing.assert_array_equal(mean.n_pairs, parts[0].n_pairs + parts[1].n_pairs)
    k = np.flatnonzero(mean.n_pairs > 0)[3]
    sums = [p.products[:, k] * p.n_pairs[k] if p.n_pairs[k] else 0 for p in parts]
    np.testing.assert_allclose(mean.products[:, k], sum(sums) / mean.n_pairs[k])


def test_what_has_no_length_gets_none():
    falling = exponential(np.full(3, 15.0), 1.0)
    rising = SpatialCorrelation(falling.r, falling.n_pairs, -falling.products, falling.variances, falling.box)
    assert np.isnan(correlation_length([rising]).lengths).all()
    noise = SpatialCorrelation(falling.r, falling.n_pairs, falling.products, -falling.variances, falling.box)
    assert np.isnan(correlation_length([noise]).lengths).all()


def test_senseless_requests_are_refused(glass):
    values = np.arange(len(glass), dtype=float)
    with pytest.raises(GlassError, match="values"):
        spatial_correlation(glass, values[:-1])
    with pytest.raises(GlassError, match="other"):
        spatial_correlation(glass, values, [values, values])
    with pytest.raises(GlassError, match="NaN"):
        spatial_correlation(glass, np.where(values == 0, np.nan, values))
    with pytest.raises(GlassError, match="does not vary"):
        spatial_correlation(glass, np.ones(len(glass)))
    with pytest.raises(GlassError, match="width"):
        spatial_correlation(glass, values, width=3.0)
    part = spatial_correlation(glass, values)
    with pytest.raises(GlassError, match="three bins"):
        correlation_length([part], r_max=1.2)
    with pytest.raises(GlassError, match="no correlations"):
        correlation_length([])
    with pytest.raises(GlassError, match="differ"):
        correlation_length([part, spatial_correlation(glass, values, width=0.4)])
