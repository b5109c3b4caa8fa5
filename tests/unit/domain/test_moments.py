from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream_app.domain.clock import SECOND, to_rfc3339
from stream_app.domain.moments import texts


@given(st.lists(st.integers(-(2**33), 2**33), max_size=20))
def test_each_is_what_it_is_alone(seconds: list[int]) -> None:
    told = texts(np.array(seconds, dtype=np.int64))
    assert told == [to_rfc3339(second * SECOND) for second in seconds]
