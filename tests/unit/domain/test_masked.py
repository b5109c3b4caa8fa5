from __future__ import annotations

import shutil
import subprocess

import pytest

from stream_app.domain.masked import masked


def test_a_user_has_one_mask_that_does_not_show_him() -> None:
    assert masked(b"ann") == masked(b"ann") == "#" + masked(b"ann")[1:13]
    assert masked(b"ann") != masked(b"bob")
    assert "ann" not in masked(b"ann")


@pytest.mark.skipif(not shutil.which("b2sum"), reason="b2sum is in GNU coreutils")
def test_it_is_what_the_operator_is_told_to_compute() -> None:
    told = subprocess.run(["b2sum", "-l", "48"], input=b"ann", capture_output=True, check=True)
    assert masked(b"ann") == "#" + told.stdout.split()[0].decode()
