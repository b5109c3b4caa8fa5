"""What is said of features that are filled: what is gone, and from when on they are complete."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiokafka import TopicPartition
from click.testing import CliRunner
from support.clicks import CATALOGUE, DAY, START

from stream_app.cli import main
from stream_app.cli._from_topic import complete, gone
from stream_app.kafka.maintenance.backfill import command_line
from stream_app.kafka.maintenance.filling import Kept

ALL = 1 << 62


@pytest.mark.parametrize(
    ("since", "length", "said"),
    [
        (None, ALL, "yes"),
        (None, 30 * DAY, "yes"),
        (START - 30 * DAY, 30 * DAY, "yes"),
        (START - 29 * DAY, 30 * DAY, "from 2017-02-09T12:00:00Z on: it counts from 2017-01-10"),
        (START - 29 * DAY, ALL, "never: it counts from 2017-01-10T12:00:00Z on"),
    ],
)
def test_from_when_on_a_feature_is_complete(since: int | None, length: int, said: str) -> None:
    found = complete(since, START, length)
    assert found.replace(".000Z", "Z").startswith(said)


def test_what_retention_has_deleted_is_told_by_topic() -> None:
    whole = Kept(TopicPartition("clicks", 0), 0, None)
    cut = [Kept(TopicPartition("purchases", n), 10, START + n) for n in range(2)]
    empty = Kept(TopicPartition("clicks", 1), 7, None)
    assert gone([whole]) == []
    (line,) = gone([whole, *cut])
    assert line.startswith("purchases: retention has deleted 20 records that the state has read")
    assert "what is kept begins at 2017-02-08T12:00:00" in line
    assert gone([whole, empty])[0].endswith("what is kept has nothing of it left")


def test_the_command_that_workers_name_can_be_run_as_it_is() -> None:
    assert command_line([]) == "stream-app replay --from-topic --apply"
    assert command_line(["a", "b"]) == (
        "stream-app replay --from-topic --feature a --feature b --apply"
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Give files to fold, or --from-topic and no files"),
        (["--from-topic", "x.ndjson"], "Give files to fold, or --from-topic and no files"),
        (["x.ndjson", "--apply"], "belong to --from-topic"),
        (["x.ndjson", "--feature", "clicks_24h"], "belong to --from-topic"),
        (["--from-topic", "--feature", "click_24h"], "did you mean that?"),
    ],
)
def test_what_does_not_fit_together_is_refused(
    arguments: list[str], said: str, tmp_path: Path
) -> None:
    catalogue = tmp_path / "shop.yaml"
    catalogue.write_text(CATALOGUE)
    done = CliRunner().invoke(main, ["replay", "--catalog", str(catalogue), *arguments])
    assert done.exit_code == 2
    assert said in done.stderr
