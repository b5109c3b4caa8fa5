"""Laws of sampling: uniform, independent between days and tasks, the same in every process."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.learning.sampling import Hashes, hashes, held_out, salt_of, units

DAY = 20_000
#: Quantiles of chi-square with 99 and 399 degrees of freedom at .9999.
CHI_99, CHI_399 = 157.0, 511.0

names = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), max_size=20)
salts = st.integers(-(2**70), 2**70)


@pytest.fixture(scope="module")
def many() -> Hashes:
    """100,000 users as shops name them: counted up, so that only the hash can make them even."""
    return hashes([f"user-{i:06d}" for i in range(100_000)])


def chi_square(counts: np.ndarray) -> float:
    expected = counts.sum() / counts.size
    return float(((counts - expected) ** 2 / expected).sum())


def test_known_answers_hold_in_every_process_and_version() -> None:
    found = hashes(["u-1", "u-2", "käthe", ""])
    assert [hex(value) for value in found.tolist()] == [
        "0x69fe93fb84d20928",
        "0xfd7e86f3614ddac1",
        "0xc311a9ba0241d1fb",
        "0xb4b2797457a0a6e4",
    ]
    assert units(found, DAY).tolist() == [
        0.5617908260658184,
        0.4250469138960865,
        0.2342105964007436,
        0.17751388784217292,
    ]
    assert salt_of("likely_to_buy") == 15114603473503767949


def test_no_users_have_no_units() -> None:
    assert units(hashes([]), DAY).shape == (0,)


@given(names, salts)
def test_a_unit_depends_on_user_and_salt_alone(users: list[str], salt: int) -> None:
    together = units(hashes(users), salt)
    alone = [units(hashes([user]), salt)[0] for user in users]
    assert together.tolist() == alone


@given(st.lists(st.integers(0, 2**64 - 1), max_size=50), salts)
def test_units_are_at_least_0_and_less_than_1(values: list[int], salt: int) -> None:
    found = units(np.array(values, dtype=np.uint64), salt)
    assert ((found >= 0) & (found < 1)).all()


@pytest.mark.parametrize("salt", [0, 1, DAY, -1, salt_of("likely_to_buy")])
def test_units_are_uniform(many: Hashes, salt: int) -> None:
    assert chi_square(np.histogram(units(many, salt), 100, (0, 1))[0]) < CHI_99


@pytest.mark.parametrize("salt", [0, DAY])
def test_units_are_uniform_whatever_the_low_bits_of_a_hash(salt: int) -> None:
    """Structure in the hashes themselves is mixed away."""
    for shift in (0, 20, 44):
        counted = np.arange(100_000, dtype=np.uint64) << np.uint64(shift)
        assert chi_square(np.histogram(units(counted, salt), 100, (0, 1))[0]) < CHI_99


@pytest.mark.parametrize(
    "pair", [(DAY, DAY + 1), (DAY, DAY + 7), (0, 1), (DAY, salt_of("churn_risk"))]
)
def test_days_are_independent(many: Hashes, pair: tuple[int, int]) -> None:
    one, other = (units(many, salt) for salt in pair)
    assert chi_square(np.histogram2d(one, other, 20, [(0, 1), (0, 1)])[0]) < CHI_399


def test_how_often_a_user_is_sampled_in_30_days_is_binomial(many: Hashes) -> None:
    times = sum((units(many, DAY + day) < 0.1).astype(int) for day in range(30))
    assert np.mean(times) == pytest.approx(3, abs=0.03)
    assert np.var(times) == pytest.approx(2.7, rel=0.03)


@given(names, st.floats(0, 1), st.floats(0, 1))
def test_the_sample_of_a_smaller_rate_is_a_subset(users: list[str], a: float, b: float) -> None:
    found = units(hashes(users), DAY)
    assert not ((found < min(a, b)) & ~(found < max(a, b))).any()


def test_the_held_out_are_their_share_and_always_the_same(many: Hashes) -> None:
    out = held_out(many, "likely_to_buy", 0.1)
    assert out.mean() == pytest.approx(0.1, abs=0.004)
    assert (held_out(many[::-1], "likely_to_buy", 0.1)[::-1] == out).all()
    assert not held_out(many, "likely_to_buy", 0).any()
    assert held_out(many, "likely_to_buy", 1).all()


def test_the_held_out_are_independent_of_day_and_task(many: Hashes) -> None:
    out = held_out(many, "likely_to_buy", 0.2)
    others = (
        units(many, DAY) < 0.2,
        units(many, salt_of("likely_to_buy")) < 0.2,
        held_out(many, "churn_risk", 0.2),
    )
    for other in others:
        assert (out & other).mean() == pytest.approx(0.04, abs=0.0025)
