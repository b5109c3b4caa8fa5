"""Rows: fields, blocks, descriptions and conversion between layouts."""

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.domain.layout import Field, Layout, convert

FIELDS = (
    Field("version", "<u4"),
    Field("clicks", "<u2", (3,), block="rings"),
    Field("first_seen", "<i8", fill=-1),
    Field("carts", "<u2", (3,), block="rings"),
)


def test_blank_rows_carry_fills_and_the_fingerprint() -> None:
    layout = Layout.of(FIELDS)
    rows = layout.blank(2)
    assert rows["first_seen"].tolist() == [-1, -1]
    assert rows["layout"].tolist() == [layout.fingerprint] * 2
    assert str(layout.dtype).startswith("[('layout', '<u8')")


def test_a_block_is_a_view_of_neighbours_in_declared_order() -> None:
    layout = Layout.of(FIELDS)
    rows = layout.blank(2)
    view = layout.block(rows, "rings")
    view[1, 1, 2] = 7
    assert view.shape == (2, 2, 3)
    assert layout.index("rings") == ["clicks", "carts"]
    assert rows["carts"].tolist() == [[0, 0, 0], [0, 0, 7]]


def test_every_field_is_aligned_to_its_items() -> None:
    layout = Layout.of([Field("a", "<u1"), Field("b", "<i8"), Field("c", "<u2"), Field("d", "<u4")])
    assert all(layout.offsets[f.name] % f.item_size == 0 for f in layout.fields)
    assert layout.size % 8 == 0


def test_joined_arrays_keep_the_layout() -> None:
    layout = Layout.of([Field("a", "<u1")])
    joined = np.concatenate((layout.blank(1), layout.blank(2)))
    assert joined.dtype == layout.dtype
    assert joined.tobytes() == layout.blank(3).tobytes()


def test_refuses_a_name_twice_and_an_uneven_block() -> None:
    with pytest.raises(ValueError, match="twice"):
        Layout.of([Field("a", "<u2"), Field("a", "<u4")])
    with pytest.raises(ValueError, match="padding"):
        Layout.of([Field("padding", "<u2")])
    with pytest.raises(ValueError, match="differs"):
        Layout.of([Field("a", "<u2", (2,), "x"), Field("b", "<u2", (3,), "x")])


def test_fingerprint_is_stable_and_tells_layouts_apart() -> None:
    assert Layout.of([Field("a", "<u2")]).fingerprint == 7155225054556363666
    assert Layout.of([Field("a", "<u4")]).fingerprint != Layout.of([Field("a", "<u2")]).fingerprint


def test_description_survives_json() -> None:
    layout = Layout.of(FIELDS)
    text = msgspec.json.encode(layout.describe())
    assert Layout.from_description(msgspec.json.decode(text)) == layout


def test_a_changed_description_is_refused() -> None:
    description = Layout.of(FIELDS).describe()
    description["fields"][0][0] = "other"
    with pytest.raises(ValueError, match="fingerprint"):
        Layout.from_description(description)


def test_convert_copies_by_name_and_leaves_the_rest_blank() -> None:
    old = Layout.of([Field("kept", "<u4"), Field("dropped", "<u4")])
    new = Layout.of([Field("fresh", "<i8", fill=-5), Field("kept", "<u4")])
    rows = old.blank(2)
    rows["kept"] = [3, 4]
    converted = convert(rows, old, new)
    assert converted["kept"].tolist() == [3, 4]
    assert converted["fresh"].tolist() == [-5, -5]
    assert converted["layout"].tolist() == [new.fingerprint] * 2


def test_convert_asks_for_fields_of_another_length() -> None:
    old, new = Layout.of([Field("r", "<u2", (2,))]), Layout.of([Field("r", "<u2", (3,), fill=9)])
    rows = old.blank(1)
    assert convert(rows, old, new)["r"].tolist() == [[9, 9, 9]]
    grown = convert(rows, old, new, lambda rows, before, after: np.full((1, 3), 4))
    assert grown["r"].tolist() == [[4, 4, 4]]


@given(st.lists(st.integers(0, 2**16 - 1), min_size=6, max_size=6))
def test_bytes_round_trip(cells: list[int]) -> None:
    layout = Layout.of(FIELDS)
    rows = layout.blank(1)
    layout.block(rows, "rings")[0] = np.reshape(cells, (2, 3))
    again = np.frombuffer(rows.tobytes(), layout.dtype)
    assert convert(again, layout, layout).tobytes() == rows.tobytes()
