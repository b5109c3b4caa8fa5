"""A script that runs a command and ends it when whoever started this script is gone.

`python supervise.py GRACE_SECONDS COMMAND…`: the command's pid is printed on stdout; when stdin
reaches its end, which the system sees to however the starter died, the command gets SIGTERM and,
after the grace, SIGKILL. Exits with the command's exit code. Standard library only, and no import
of the package, so that it starts in a few hundredths of a second.
"""

import os
import subprocess
import sys
import threading


def _end(process: "subprocess.Popen[bytes]", grace: float) -> None:
    process.terminate()
    try:
        process.wait(grace)
    except subprocess.TimeoutExpired:
        process.kill()


def main(grace: float, command: list[str]) -> int:
    # The command must not hold this script's stdout: its reader waits for one line only.
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sys.stderr)
    os.write(1, f"{process.pid}\n".encode())

    def watch() -> None:
        while os.read(0, 1):
            pass
        _end(process, grace)

    threading.Thread(target=watch, daemon=True).start()
    return process.wait()


if __name__ == "__main__":
    code = main(float(sys.argv[1]), sys.argv[2:])
    sys.exit(code if code >= 0 else 128 - code)
