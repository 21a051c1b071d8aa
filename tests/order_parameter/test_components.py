"""The field is a principal component, is fixed where it was fitted, and looks at no propensity."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ortho_group

from glasslib import GlassError
from glasslib.evaluation import pearson
from glasslib.interpretation import layer_features
from glasslib.order_parameter import OrderParameter, principal_component, untrained
from glasslib.testing import relabel


@pytest.fixture
def predictor(predictor):
    predictor.network.float()
    return predictor


def tables(seed=0, n=(80, 50), columns=5):
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(columns, columns)) * np.arange(1, columns + 1)
    return [rng.normal(size=(size, columns)) @ mixing + 3 for size in n]


@pytest.mark.parametrize("number", [0, 1, 4])
def test_it_is_the_component_of_a_singular_value_decomposition(number):
    parts = tables()
    stacked = np.concatenate(parts)
    left, singular, _ = np.linalg.svd(stacked - stacked.mean(0), full_matrices=False)
    expected = left[:, number] * np.sqrt(len(stacked))
    rising = [expected[:80], expected[80:]]
    found = principal_component(parts, rising, number=number)
    np.testing.assert_allclose(found.values(stacked), expected, atol=1e-9)
    np.testing.assert_allclose(found.shares, singular**2 / (singular**2).sum(), atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**31), standardize=st.booleans())
def test_units_of_columns_and_directions_in_a_table_do_not_matter(seed, standardize):
    """Turned as a whole, or each column rescaled where columns are standardised: the same values."""
    parts = tables(seed % 1000)
    rising = [part[:, 0] for part in parts]
    found = principal_component(parts, rising, standardize=standardize)
    if standardize:
        other = [3 - part * 10.0 ** np.arange(-2, 3) for part in parts]
    else:
        turn = ortho_group.rvs(5, random_state=seed)
        other = [part @ turn for part in parts]
    again = principal_component(other, rising, standardize=standardize)
    for part, changed in zip(parts, other, strict=True):
        np.testing.assert_allclose(again.values(changed), found.values(part), atol=1e-6)


def test_the_sign_is_that_of_what_it_should_rise_with():
    parts = tables()
    rising = [np.stack([part[:, 4], part[:, 4] ** 3]) for part in parts]
    up = principal_component(parts, rising)
    down = principal_component(parts, [-rows for rows in rising])
    np.testing.assert_array_equal(up.direction, -down.direction)
    assert (
        np.mean([pearson(up.values(x), row) for x, rows in zip(parts, rising, strict=True) for row in rows])
        > 0
    )


def test_a_column_that_does_not_vary_takes_no_part():
    parts = tables()
    wider = [np.column_stack([part, np.full(len(part), 0.1)]) for part in parts]
    rising = [part[:, 0] for part in parts]
    for standardize in (True, False):
        found = principal_component(wider, rising, standardize=standardize)
        assert abs(found.direction[-1]) < 1e-9
        expected = principal_component(parts, rising, standardize=standardize)
        np.testing.assert_allclose(found.values(wider[0]), expected.values(parts[0]), atol=1e-8)


def test_senseless_tables_are_refused():
    parts = tables()
    rising = [part[:, 0] for part in parts]
    with pytest.raises(GlassError, match="as many tables"):
        principal_component(parts, rising[:1])
    with pytest.raises(GlassError, match="as many tables"):
        principal_component([], [])
    with pytest.raises(GlassError, match="0 to 4"):
        principal_component(parts, rising, number=5)
    with pytest.raises(GlassError, match="does not vary"):
        principal_component([np.ones((9, 2))], [np.arange(9.0)])
    with pytest.raises(GlassError, match="NaN"):
        principal_component([np.full((9, 2), np.nan)], [np.arange(9.0)])
    with pytest.raises(GlassError, match=r"\(n, 5\)"):
        principal_component(parts, rising).values(np.ones((3, 4)))


def test_the_field_is_that_of_the_numbers_before_the_decoder(predictor, glasses):
    """By hand, from the network's own representation."""
    field = OrderParameter.fit(predictor, glasses[:2])
    with torch.no_grad():
        numbers = [predictor.network.eval().representation(predictor.prepare(g)).numpy() for g in glasses[:3]]
    stacked = np.concatenate([x[g.is_type("A")] for x, g in zip(numbers[:2], glasses, strict=False)])
    expected = np.linalg.svd(stacked - stacked.mean(0))[2][0]
    values, is_a = field(glasses[2]), glasses[2].is_type("A")
    assert abs(pearson(values[is_a], (numbers[2] @ expected)[is_a])) > 1 - 1e-6
    assert np.isnan(values[~is_a]).all()
    assert field.layer == "average 2"


def test_it_has_unit_variance_and_grows_with_predicted_mobility(predictor, glasses):
    field = OrderParameter.fit(predictor, glasses)
    values = np.concatenate([field(g)[g.is_type("A")] for g in glasses])
    np.testing.assert_allclose([values.mean(), values.std()], [0, 1], atol=1e-5)
    agreement = [
        pearson(field(g)[g.is_type("A")], row)
        for g in glasses
        for row in predictor.predict(g)[:, g.is_type("A")]
    ]
    assert np.mean(agreement) > 0


def test_no_propensity_is_looked_at(predictor, glasses):
    blind = [glass.replace(propensity=None, propensity_halves=None, times=None) for glass in glasses]
    np.testing.assert_array_equal(
        OrderParameter.fit(predictor, blind[:2])(blind[2]),
        OrderParameter.fit(predictor, glasses[:2])(glasses[2]),
    )


def test_other_components_layers_and_types(predictor, glasses):
    first, second = (OrderParameter.fit(predictor, glasses[:2], number=k) for k in (0, 1))
    values = [np.concatenate([f(g)[g.is_type("A")] for g in glasses[:2]]) for f in (first, second)]
    assert abs(pearson(*values)) < 1e-4
    early = OrderParameter.fit(predictor, glasses[:2], layer="layer 1")
    assert len(early.component.center) == layer_features(predictor, glasses[0])["layer 1"].values.shape[1]
    small = OrderParameter.fit(predictor, glasses[:2], particle_type="B")(glasses[0])
    np.testing.assert_array_equal(np.isfinite(small), glasses[0].is_type("B"))
    with pytest.raises(GlassError, match="no layer 'layer 9'"):
        OrderParameter.fit(predictor, glasses[:1], layer="layer 9")


def test_labels_of_particles_do_not_matter(predictor, glasses):
    field = OrderParameter.fit(predictor, glasses[:2])
    order = np.random.default_rng(0).permutation(len(glasses[2]))
    np.testing.assert_allclose(field(relabel(glasses[2], order)), field(glasses[2])[order], atol=1e-4)


def test_an_untrained_network_differs_in_nothing_but_weights(predictor, glasses):
    before = {name: value.clone() for name, value in predictor.network.state_dict().items()}
    predictor.network.scalar_mean[2] = 0.3
    torch.manual_seed(7)
    wanted = torch.rand(3)
    torch.manual_seed(7)
    one, same, another = (untrained(predictor, seed) for seed in (0, 0, 1))
    torch.testing.assert_close(torch.rand(3), wanted)  # nobody else's random numbers are used up
    np.testing.assert_array_equal(one.predict(glasses[0]), same.predict(glasses[0]))
    assert not np.allclose(one.predict(glasses[0]), another.predict(glasses[0]))
    assert one.n_parameters == predictor.n_parameters
    assert one.network.scalar_mean[2] == np.float32(0.3)
    for name, value in predictor.network.state_dict().items():
        assert name == "scalar_mean" or torch.equal(value, before[name])
    predictor.network = None
    with pytest.raises(GlassError, match="no network"):
        untrained(predictor)
