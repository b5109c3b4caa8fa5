"""What a worker's readiness says about its connection to the brokers."""

from __future__ import annotations

import asyncio
import json
from typing import Final

from support.worker import Worker

ANSWER: Final = "brokers answer"
NO_ANSWER: Final = "brokers do not answer"


async def says(worker: Worker, detail: str, seconds: float = 60.0) -> None:
    """Return when it says so, and the status fits: 200 where they answer, 503 where not."""
    ready = detail == ANSWER
    async with asyncio.timeout(seconds):
        while True:
            status, body = await asyncio.to_thread(worker.get, "/readyz")
            told = json.loads(body)["conditions"]["connected"] if status else {}
            if told == {"ok": ready, "detail": detail} and (status == 200) is ready:
                return
            await asyncio.sleep(0.1)
