"""The README's examples do what it says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"
EXAMPLES = re.findall(r"^```python\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)


def example(number, kafka, topics):
    """The n-th example as a process of its own, on this test's Kafka and topics."""
    code = EXAMPLES[number].replace("127.0.0.1:9092", kafka.bootstrap_servers)
    for public, ours in (("purchases", topics.purchases), ("tags", topics.tags)):
        code = code.replace(f'"{public}"', f'"{ours}"')
    return subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


@pytest.fixture
def consumer(kafka, topics):
    process = example(1, kafka, topics)
    yield process
    process.kill()
    process.communicate()


async def test_an_order_becomes_tags_that_a_consumer_reads(kafka, topics, run_worker, consumer):
    run_worker(kafka.bootstrap_servers, topics)
    producer = example(0, kafka, topics)
    said, _ = producer.communicate(timeout=30)
    assert producer.returncode == 0, said
    read = {}
    for line in consumer.stdout:
        user, action, tag, because = line.split(" ", 3)
        read[tag] = (user, action, because)
        if "big_spender" in read:
            break
    assert "big_spender" in read, f"the consumer ended after {read}"
    user, action, because = read["big_spender"]
    assert (user, action) == ("u-17", "added")
    assert "'value': 620.5" in because
    assert "'threshold': 350" in because


def test_there_is_one_example_of_each():
    assert ["AIOKafkaProducer" in EXAMPLES[0], "AIOKafkaConsumer" in EXAMPLES[1]] == [True, True]
    assert all(len(code.splitlines()) <= 12 for code in EXAMPLES)
