"""Ends with 0 where /livez of this container answers 200, else with 1. For HEALTHCHECK."""

from __future__ import annotations

import os
import ssl
import sys
import urllib.error
import urllib.request

SECONDS = 5


def address() -> str:
    """Where this container's own /livez is, by the settings that the program reads."""
    given = os.environ.get
    host = given("STREAM_APP_HTTP_HOST") or "127.0.0.1"
    if host in ("0.0.0.0", "::"):
        host = "127.0.0.1"
    scheme = "https" if given("STREAM_APP_HTTP_CERTFILE") else "http"
    return f"{scheme}://{host}:{given('STREAM_APP_HTTP_PORT') or '6066'}/livez"


def main() -> int:
    """Ask, and say what was wrong."""
    # It asks itself, and its certificate names the host that others call.
    ssl_context = ssl._create_unverified_context()
    # Proxies of the environment are not for this.
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=ssl_context)
    )
    try:
        with opener.open(address(), timeout=SECONDS):
            return 0
    except urllib.error.HTTPError as error:
        print(f"{address()}: {error.code}: {error.read().decode(errors='replace')}")
    except OSError as error:
        print(f"{address()}: {error}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
