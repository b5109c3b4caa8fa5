"""What several folds of a round publish is what they publish one after the other."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stream_app.engine.outputs import Outputs

SIZE = 3


def of(users: list[str], gone: list[str]) -> Outputs:
    """What a fold publishes that changed and deleted these users' rows."""
    block = memoryview(b"".join(user.encode().ljust(SIZE) for user in users))
    return Outputs(users=users, gone=gone, forgotten=len(gone), blocks=[block])


USERS = st.lists(st.sampled_from(["a", "b", "c", "d"]), unique=True)


@given(st.lists(st.tuples(USERS, USERS), max_size=5))
def test_the_last_record_of_each_user_is_what_the_last_fold_says(folds):
    together, last = Outputs(), {}
    for changed, gone in folds:
        # Whom a fold deletes it does not write.
        gone = [user for user in gone if user not in changed]
        together = together.then(of(changed, gone))
        last |= {user: user.encode().ljust(SIZE) for user in changed} | dict.fromkeys(gone)
    told = {key.decode(): value and bytes(value) for key, value in together.rows()}
    assert told == last


def test_rows_of_several_folds_are_not_copied():
    folds = [of(["a", "b"], []), Outputs(), of(["c"], []), of([], ["d"])]
    together = Outputs()
    for one in folds:
        together = together.then(one)
    kept = [folds[0].blocks[0].obj] * 2 + [folds[2].blocks[0].obj]
    views = [value.obj for _, value in together.rows() if value is not None]
    assert list(map(id, views)) == list(map(id, kept))
