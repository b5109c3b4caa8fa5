"""`stream-app check`: what is compiled, and where a catalogue is wrong."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result

from stream_app.cli import main


def check(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["check", *arguments])


def test_the_catalogue_that_ships_is_valid_and_within_budget() -> None:
    result = check("retail")
    assert result.exit_code == 0, result.output
    assert "is valid: " in result.output
    assert "of at most 1200 bytes" in result.output
    assert "bootstrap_servers" in result.output
    assert "cart_abandoner" in result.output


def test_an_error_names_file_line_and_field(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(
        "features:\n  a: {count: purchase, window: 7d}\n"
        "tags:\n  t: {class: basic, description: d, when: b > 1}\n"
    )
    result = check(str(path))
    assert result.exit_code == 2
    assert f"error: {path}:4: tags.t.when: " in result.stderr


def test_a_row_over_budget_is_refused_with_the_dearest_features(tmp_path: Path) -> None:
    sums = "\n".join(
        f"  s{i}: {{sum: purchase.value, where: 'hour > {i}', window: 30d}}" for i in range(6)
    )
    path = tmp_path / "c.yaml"
    path.write_text(
        f"features:\n{sums}\ntags:\n  t: {{class: basic, description: d, when: s0 > 1}}\n"
    )
    result = check(str(path))
    assert result.exit_code == 2
    assert "the budget is 1200" in result.stderr
    assert "s0 240" in result.stderr


def test_a_catalogue_that_is_not_there_is_named(tmp_path: Path) -> None:
    result = check(str(tmp_path / "none.yaml"))
    assert result.exit_code == 2
    assert "none.yaml" in result.stderr


def test_rules_are_shown_with_the_quantiles_that_they_use(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(
        "features:\n  a: {count: purchase, window: 7d}\n"
        "tags:\n  t: {class: basic, description: d, when: a > q90.a, until: a < q50.a}\n"
        "learning:\n  segments: {features: [a], rate: 1}\n"
    )
    result = check(str(path), "--no-settings")
    assert result.exit_code == 0, result.output
    assert "a > q90.a" in result.output
    assert "until a < q50.a" in result.output


def test_a_quantile_that_nothing_tells_is_refused_with_what_to_add(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(
        "features:\n  a: {count: purchase, window: 7d}\n"
        "tags:\n  t: {class: basic, description: d, when: a > q90.a}\n"
    )
    result = check(str(path))
    assert result.exit_code == 2
    assert f"error: {path}:4: tags.t.when: nothing tells q90.a" in result.stderr
    assert "`segments` under `learning:`" in result.stderr
