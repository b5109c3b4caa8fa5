"""A catalogue is accepted whole or refused with file, line, field, and what was expected."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from support.clicks import CATALOGUE

from stream_app.domain.errors import DeclarationError
from stream_app.engine.catalogue import Limits, load_catalogue, row_bytes

REST = "features: {n: {count: any, window: 24h}}\ntags: {}\n"


@pytest.fixture
def write(tmp_path: Path):
    def written(text: str) -> Path:
        path = tmp_path / "shop.yaml"
        path.write_text(text)
        return path

    return written


def test_a_good_one_compiles_with_its_shop_and_limits(write):
    catalogue = load_catalogue(write(CATALOGUE))
    program = catalogue.compile(Limits(future_ms=7))
    assert catalogue.shop.rates == {"EUR": Decimal("1.1")}
    assert (program.shop.clock, program.shop.partitioner) == ("event", "murmur2")
    assert program.decoder._options.future_ms == 7
    assert program.layout.size == row_bytes(catalogue)
    assert [*program.catalogue.tags.names] == ["visitor", "regular", "spender", "likes"]


def test_one_that_ships_is_found_by_name():
    assert load_catalogue("retail").file.endswith("catalogs/retail.yaml")


def test_the_revision_is_that_of_the_text(write):
    first = load_catalogue(write(CATALOGUE)).revision
    assert load_catalogue(write(CATALOGUE)).revision == first
    assert load_catalogue(write(CATALOGUE + "# note\n")).revision != first


@pytest.mark.parametrize(
    ("shop", "message"),
    [
        ("{timezone: Mars/Base}", "1: shop.timezone: no time zone is called 'Mars/Base'"),
        ("{currency: usd}", "1: shop.currency: 'usd' is no currency"),
        ("{night: [22]}", "1: shop.night: expected two whole hours"),
        ("{night: [22, 24]}", "1: shop.night: expected two whole hours"),
        ("{clock: sun}", "1: shop.clock: 'sun' is not known; expected one of wall, event"),
        ("{partitioner: md5}", "1: shop.partitioner: 'md5' is not known"),
        ("{rates: {EUR: x}}", "1: shop.rates.EUR: expected a number"),
        ("{rates: {EUR: 0}}", "1: shop.rates: rate of EUR is Decimal('0'); expected a number"),
        ("{rates: {EUR: .nan}}", "1: shop.rates: rate of EUR"),
        ("{rates: {EURO: 1.1}}", "1: shop.rates: currency 'EURO'; expected an ISO 4217 code"),
        ("{rates: {USD: 2}}", "1: shop.rates: the rate of USD, the reporting currency, is 1"),
        ("{colour: red}", "1: shop"),
        ("5", "1: shop: is a number (5); expected a mapping"),
    ],
)
def test_a_shop_that_cannot_be(write, shop, message):
    path = write(f"shop: {shop}\n{REST}")
    with pytest.raises(DeclarationError) as caught:
        load_catalogue(path).compile()
    assert str(caught.value).startswith(f"{path}:{message}"), caught.value


def test_a_section_that_is_missing(write):
    with pytest.raises(DeclarationError, match="tags"):
        load_catalogue(write("features: {}\n"))


def test_a_file_that_is_missing(tmp_path):
    with pytest.raises((DeclarationError, OSError), match=r"none\.yaml"):
        load_catalogue(tmp_path / "none.yaml")


def test_a_profile_above_the_budget_names_the_dearest_features(write):
    path = write(CATALOGUE)
    size = row_bytes(load_catalogue(path))
    assert load_catalogue(path, budget=size)
    with pytest.raises(
        DeclarationError, match=f"takes {size} bytes.*dearest features are .*spend_30d"
    ):
        load_catalogue(path, budget=size - 1)
