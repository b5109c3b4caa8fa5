"""Whose round is folded next."""

from __future__ import annotations

import asyncio

from stream_app.kafka.partition.turns import Turns


async def test_short_steps_go_between_two_folds():
    turns, done = Turns(), []

    async def fold(name: str) -> None:
        await turns.next()
        done.append(name)

    async def transaction() -> None:
        for step in range(3):
            await asyncio.sleep(0)
            done.append(step)

    await asyncio.gather(fold("a"), fold("b"), transaction())
    assert done == [0, 1, 2, "a", "b"]


async def test_folds_go_in_the_order_in_which_they_asked():
    turns, done = Turns(), []

    async def rounds(name: str) -> None:
        for _ in range(3):
            await turns.next()
            done.append(name)

    await asyncio.gather(*(rounds(name) for name in "abc"))
    assert done == list("abc") * 3


async def test_a_turn_given_up_passes_on():
    turns = Turns()
    first, second = (asyncio.create_task(turns.next()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    async with asyncio.timeout(5):
        await second
    assert first.cancelled()
