"""The short chaos: some of each trouble, by fixed seeds. The long one is `make chaos`."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from tests.chaos.kills import kills
from tests.chaos.mixes import mix
from tests.chaos.troubles import TROUBLES, Trouble, clock


@pytest.mark.parametrize("seed", range(3))
def test_a_mix_of_faults(seed: int, tmp_path: Path) -> None:
    lives, wrong = mix(seed, tmp_path / "home")
    assert (lives > 0, wrong) == (True, [])


@pytest.mark.parametrize("seed", range(1))
def test_ends_at_random_points(seed: int, tmp_path: Path) -> None:
    ended, wrong = kills(seed, tmp_path / "home", most=5)
    assert (ended, wrong) == (5, [])


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.__name__)
def test_trouble_around_it(trouble: Trouble, tmp_path: Path) -> None:
    if trouble is clock and shutil.which("faketime") is None:
        pytest.skip("no faketime here (apt-get install faketime)")
    assert trouble(random.Random(1), tmp_path / "home") == []
