"""The rule language: conditions over columns, parsed once, evaluated for all rows at once.

`where` of a feature (over event columns) and `when` of a tag (over feature values) speak it.
"""

from stream_app.domain.expression.circuit import Answer, Circuit
from stream_app.domain.expression.columns import Environment, Frame, Text, TextColumn
from stream_app.domain.expression.expression import Expression, Truth, parse
from stream_app.domain.expression.operands import ExpressionError, Number

__all__ = [
    "Answer",
    "Circuit",
    "Environment",
    "Expression",
    "ExpressionError",
    "Frame",
    "Number",
    "Text",
    "TextColumn",
    "Truth",
    "parse",
]
