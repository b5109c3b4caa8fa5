"""What all layers speak of: events in columns, tag changes, errors, money, time, expressions.

Plain values and pure functions; import from the module that holds what you need.
"""
