"""stream_app: tags shop users while they shop, exactly once and with a reason for every tag."""

__version__ = "0.1.0"
