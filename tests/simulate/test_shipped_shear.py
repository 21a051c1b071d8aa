"""The shear of bundled configurations that ships: of those very files, work against energy, size."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from glasslib import GlassError
from glasslib.catalog.records import bundled_folder
from glasslib.simulate.shear import shipped
from glasslib.simulate.shear.rearrangements import shipped_folder

SHIPPED = [pair for split in ("train", "test") for pair in shipped(split)]


@pytest.mark.parametrize(("name", "found"), SHIPPED, ids=[name for name, _ in SHIPPED])
def test_it_belongs_to_a_bundled_configuration(name, found):
    assert found.provenance["sha256"] == hashlib.sha256((bundled_folder() / name).read_bytes()).hexdigest()
    assert found.d2min.shape == (len(found.planes), len(found.strains), 4096)
    assert found.stresses.shape == found.energies.shape == (len(found.planes), len(found.steps))
    assert ((found.d2min > 0) & (found.d2min < 5)).all()


def test_work_is_energy_but_where_something_broke():
    """Never less work than energy; equal in most steps; the moduli are those of this glass."""
    lost, work = [], []
    for _, found in SHIPPED:
        stress = (found.stresses[:, 1:] + found.stresses[:, :-1]) / 2
        work.append((4096 / 1.2 * stress * np.diff(found.steps)).ravel())
        lost.append(work[-1] - 4096 * np.diff(found.energies, axis=1).ravel())
        first = np.diff(found.stresses, axis=1)[:, 0] / found.steps[1]
        assert (first < 25).all()
    lost, work = np.concatenate(lost), np.concatenate(work)
    elastic = np.abs(lost) < 0.01 + 0.01 * np.abs(work)
    assert lost.min() > -0.02
    assert 0.4 < elastic.mean() < 0.95


def test_checksums_and_size_of_what_ships():
    folder = shipped_folder()
    lines = (folder / "SHA256SUMS").read_text().splitlines()
    for line in lines:
        checksum, name = line.split("  ")
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == checksum
    assert len(lines) == len(list(folder.glob("*/*/*.npz")))
    assert sum(path.stat().st_size for path in folder.rglob("*.npz")) < 500_000


def test_where_none_ship_it_says_where_some_do():
    with pytest.raises(
        GlassError, match=r"none are shipped for T0\.50/train; there are T0\.64/test, T0\.64/train"
    ):
        shipped("train", temperature=0.5)
