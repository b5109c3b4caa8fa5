"""What a tag's declaration may say, and how one that is wrong is refused."""

import pytest
from support.tag_table import DAY, KINDS, compiled

from stream_app.domain.errors import DeclarationError
from stream_app.domain.source import loads
from stream_app.tagging import RULE_CLASSES, TAG_CLASSES, compile_tags, declare

GOOD = """\
big:
  class: spending
  description: Spends much.
  when: x > 200
  until: x < 150
  hold: 1d
  expires: 7d
level: {class: spending, values: {high: x > 9, low: x > y}, hold: 1h}
likes: {class: interest, list: tops, top: 2, min_share: 0.2}
"""


def refusal(tag: str) -> str:
    text = f"t:\n  class: basic\n{tag}"
    with pytest.raises(DeclarationError) as caught:
        declare(loads(text, "f.yaml"), KINDS)
    return str(caught.value)


def test_a_tag_class_is_made_by_rules_or_by_models() -> None:
    assert " ".join(TAG_CLASSES) == (
        "basic behaviour interest spending social credit lifecycle segment prediction"
    )
    assert set(TAG_CLASSES) - set(RULE_CLASSES) == {"segment", "prediction"}


def test_compiled_tags_say_what_they_need() -> None:
    tags = compiled(GOOD)
    assert tags.names == ("big", "level", "likes")
    assert tags.features == {"x", "y", "tops"}
    assert tags.thresholds == {"x": (9.0, 150.0, 200.0)}
    assert tags.opaque == {"x", "y"}
    assert [(f.name, f.dtype, f.shape) for f in tags.fields] == [
        ("tag:big", "<u2", ()),
        ("tag:level", "<u2", ()),
        ("list:likes", "<u2", (8,)),
        ("since:big", "<u4", ()),
        ("since:level", "<u4", ()),
        ("since:likes", "<u4", ()),
    ]


def test_a_declaration_is_read_whole() -> None:
    big = compiled(GOOD).declarations["big"]
    assert (big.cls, big.description, big.hold_ms, big.expires_ms) == (
        "spending",
        "Spends much.",
        DAY,
        7 * DAY,
    )


def test_the_revision_changes_with_the_declaration_only() -> None:
    again = compiled("# moved\n\n" + GOOD.replace("x > 200", '"x > 200"'))
    other = compiled(GOOD.replace("x > 200", "x > 201"))
    first = compiled(GOOD).declarations
    assert {name: tag.revision for name, tag in again.declarations.items()} == {
        name: tag.revision for name, tag in first.items()
    }
    assert len(first["big"].revision) == 8
    assert other.declarations["big"].revision != first["big"].revision
    assert other.declarations["level"].revision == first["level"].revision


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("", "f.yaml:1: t: has no rule; expected one of when, values, list"),
        ("  when: x > '1'", "f.yaml:3: t.when: '1' is text and x is a number: not comparable"),
        ("  when: z > 1", "f.yaml:3: t.when: 'z' is not known; expected one of city, tops, x, y"),
        ("  when: citty == 'a'", "f.yaml:3: t.when: 'citty' is not known; expected 'city' (did"),
        ("  when: x >", "f.yaml:3: t.when: cannot be read at the end: invalid syntax (column 4"),
        ("  when: 1 < 2", "f.yaml:3: t.when: compares two constants; expected a name"),
        ("  when: true", "f.yaml:3: t.when: is not a condition; expected an expression such as"),
        ("  wehn: x > 1", "f.yaml:3: t.wehn: unknown key 'wehn'; expected 'when'"),
        ("  until: x < 1", "f.yaml:3: t.until: `until` ends what `when` began, and there is none"),
        ("  values: {a: x > 1}\n  until: x < 1", "f.yaml:4: t.until: `until` ends what `when`"),
        ("  when: x\n  values: {a: x}", "f.yaml:1: t: has several rules: when, values; expected"),
        ("  list: tops\n  expires: 1d", "f.yaml:4: t.expires: 'expires' does not go with 'list'"),
        ("  when: x\n  top: 3", "f.yaml:4: t.top: 'top' does not go with 'when'; expected one of"),
        ("  when: x\n  hold: 3", "f.yaml:4: t.hold: a number (3) is not a duration; expected a"),
        ("  when: x\n  expires: soon", "f.yaml:4: t.expires: text ('soon') is not a duration"),
        ("  when: x\n  hold: 1d\n  expires: 24h", "f.yaml:5: t.expires: ends the tag within its"),
        ("  list: top", "f.yaml:3: t.list: no 'top'; expected 'tops' (did you mean that?)"),
        ("  list: x", "f.yaml:3: t.list: 'x' is not a list feature; expected one of tops"),
        ("  list: tops\n  top: 9", "f.yaml:4: t.top: 9 is out of range; expected a whole number"),
        ("  list: tops\n  min_share: 20", "f.yaml:4: t.min_share: 20.0 is out of range; expected"),
        ("  when: tops == 'a'", "f.yaml:3: t.when: tops is a list; expected a number or text"),
        ("  values: {}", "f.yaml:3: t.values: has no values; expected a condition for each value"),
        ("  values: {'': x}", "f.yaml:3: t.values.: '' is not a value; expected text of 1 to 64"),
        ("  values: [x]", "f.yaml:3: t.values: is a list; expected a mapping"),
        ("  when: x\n  description: ''", "f.yaml:4: t.description: is empty; expected text"),
    ],
)
def test_what_is_refused_and_where(tag: str, expected: str) -> None:
    assert refusal(tag).startswith(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Big: {class: basic, when: x}", "f.yaml:1: Big: 'Big' is not a name for a tag; expected"),
        ("t: {when: x}", "f.yaml:1: t: 'class' is missing"),
        ("t: {class: spendin, when: x}", "f.yaml:1: t.class: 'spendin' is not known; expected "
         "'spending'"),
        ("t: {class: segment, when: x}", "f.yaml:1: t.class: tags of class 'segment' are made by "
         "models, not by rules; expected one of basic, behaviour"),
        ("t: 3", "f.yaml:1: t: is a number (3); expected a mapping"),
        ("[t]", "f.yaml:1: is a list; expected a mapping"),
    ],
)  # fmt: skip
def test_names_and_classes_are_checked(text: str, expected: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        declare(loads(text, "f.yaml"), KINDS)
    assert str(caught.value).startswith(expected)


def test_values_whose_states_would_be_mixed_up_are_refused() -> None:
    # Their 16 bits of CRC-32 are the same.
    assert "'level_413' cannot be told from 'level_117'; expected another name" in refusal(
        "  values: {level_117: x, level_413: y}"
    )


def test_rules_on_features_that_are_gone_are_not_compiled() -> None:
    declared = declare(loads(GOOD, "f.yaml"), KINDS)
    with pytest.raises(ValueError, match="not there: \\['tops', 'y'\\]"):
        compile_tags(declared, {"x": "number"})
