"""What is set on rows, as JSON: the same as the values, encoded."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from stream_app.domain.changes import TagState, decode_state, encode, encode_state
from stream_app.domain.layout import Layout
from stream_app.engine.catalogue import load_catalogue
from stream_app.tagging.codes import EXPIRED, STEPS, value_code

TAGS = load_catalogue("retail").tags
LAYOUT = Layout.of(TAGS.fields)
BOUND = TAGS.bind(LAYOUT)
#: True, values of tags in the catalogue, and what is beyond them.
SOME = st.sampled_from([1, *map(value_code, ("high", "mid", "low", "phone")), 2**31])
TEXTS = ["", "beer", 'a "quoted" näme', "wine\n", "fuel"]


@st.composite
def states(draw):
    """Rows of any state that they can have, and some that no rule gives any more."""
    rows = LAYOUT.blank(draw(st.integers(1, 3)))
    for name in rows.dtype.names:
        cells = rows[name]
        top = len(TEXTS) - 1 if cells.ndim > 1 else 2**31 - 1
        if name.startswith("tag:"):
            top = min(top, EXPIRED)
        elif name.startswith("confidence"):
            top = STEPS
        for at in draw(st.sets(st.integers(0, cells.size - 1), max_size=4)):
            cells.reshape(-1)[at] = min(top, draw(SOME | st.integers(0, top)))
    return rows


@given(states())
def test_json_says_what_the_values_are(rows):
    chosen = list(range(len(rows)))[::-1]
    told = BOUND.states(rows, TEXTS)
    for i, text in zip(chosen, BOUND.states_in_json(rows, TEXTS, chosen), strict=True):
        state = TagState(user_id='u "1"', born=7, version=3, as_of=1_500_000_000_123, tags=told[i])
        value = encode_state('u "1"', 7, 3, 1_500_000_000_123, text)
        assert json.loads(value) == json.loads(encode(state))
        assert [*json.loads(value)] == [*json.loads(encode(state))]
        assert decode_state(value) == state
