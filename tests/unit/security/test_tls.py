from __future__ import annotations

import shutil
import ssl
from pathlib import Path

import pytest
from support.certificates import Authority, Certificate

from stream_app.security import FollowingContext, SecurityError, client_context, server_context


def shake(client: ssl.SSLContext, server: ssl.SSLContext, host: str = "127.0.0.1") -> ssl.SSLObject:
    """A handshake in memory; returns the client's side, or raises what either side raises."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        client.wrap_bio(to_client, to_server, server_hostname=host),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    waiting = list(sides)
    for _ in range(10):
        for side in list(waiting):
            try:
                side.do_handshake()
                waiting.remove(side)
            except ssl.SSLWantReadError:
                pass
    # With TLS 1.3 a client hears of its refusal only when it reads.
    for side in reversed(sides):
        with pytest.raises(ssl.SSLWantReadError):
            side.read(1)
    return sides[0]


def name_of(peer: ssl.SSLObject) -> str:
    found = peer.getpeercert()
    assert found
    return str(dict(pair for part in found["subject"] for pair in part)["commonName"])


@pytest.fixture
def server(authority: Authority) -> FollowingContext:
    made = authority.sign("server")
    return server_context(str(made.cert), str(made.key))


def test_who_is_vouched_for_is_trusted(authority: Authority, server: ssl.SSLContext) -> None:
    assert name_of(shake(client_context(str(authority.cafile)), server)) == "server"
    assert name_of(shake(client_context(str(authority.cafile)), server, "localhost")) == "server"


def test_the_systems_authorities_do_not_know_ours(server: ssl.SSLContext) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        shake(client_context(None), server)


def test_another_authority_is_refused(stranger: Authority, server: ssl.SSLContext) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        shake(client_context(str(stranger.cafile)), server)


def test_another_host_is_refused_unless_told_otherwise(
    authority: Authority, server: ssl.SSLContext
) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        shake(client_context(str(authority.cafile)), server, "kafka.example")
    lenient = client_context(str(authority.cafile), check_hostname=False)
    assert name_of(shake(lenient, server, "kafka.example")) == "server"


def test_what_has_expired_is_refused(authority: Authority) -> None:
    old = authority.sign("old", expired=True)
    with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
        shake(client_context(str(authority.cafile)), server_context(str(old.both), None))


def test_tls_before_1_2_is_not_spoken(authority: Authority) -> None:
    made = authority.sign("modern")
    for context in (client_context(str(authority.cafile)), server_context(str(made.both), None)):
        assert context.current.minimum_version == ssl.TLSVersion.TLSv1_2


def asking(authority: Authority) -> ssl.SSLContext:
    """A server that asks for a client's certificate."""
    made = authority.sign("asking")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.both)
    context.load_verify_locations(authority.cafile)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def test_a_client_shows_its_certificate(authority: Authority) -> None:
    mine, cafile = authority.sign("me"), str(authority.cafile)
    shake(client_context(cafile, str(mine.cert), str(mine.key)), asking(authority))
    shake(client_context(cafile, str(mine.both)), asking(authority))
    with pytest.raises(ssl.SSLError):
        shake(client_context(cafile), asking(authority))


def test_an_encrypted_key_needs_its_password(authority: Authority) -> None:
    mine = authority.sign("hidden", password="hunter2")
    files = str(authority.cafile), str(mine.cert), str(mine.key)
    shake(client_context(*files, lambda: "hunter2"), asking(authority))
    with pytest.raises(SecurityError, match="no password is set"):
        client_context(*files)
    with pytest.raises(SecurityError, match=r"hidden\.key .*its password") as raised:
        client_context(*files, lambda: "hunter3")
    assert "hunter" not in str(raised.value)


def replace(old: Certificate, new: Certificate) -> None:
    for before, after in ((old.cert, new.cert), (old.key, new.key)):
        shutil.copy(after, before.with_suffix(".new"))
        before.with_suffix(".new").replace(before)


def test_nobody_waits_to_hear_goodbye(authority: Authority, server: FollowingContext) -> None:
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context(str(authority.cafile)).wrap_bio(
        to_client, to_server, server_hostname="localhost"
    )
    other = server.wrap_bio(to_server, to_client, server_side=True)
    for side in (client, other, client, other):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    with pytest.raises(ssl.SSLWantReadError):
        client.read(1)
    client.unwrap()
    assert other.read(1) == b""


def test_a_server_shows_the_certificate_that_its_files_hold_now(authority: Authority) -> None:
    first, second = authority.sign("first"), authority.sign("second")
    server = server_context(str(first.cert), str(first.key))
    client = client_context(str(authority.cafile))
    assert name_of(shake(client, server)) == "first"
    replace(first, second)
    assert name_of(shake(client, server)) == "second"


def test_half_a_pair_is_not_used_until_the_other_half_is_there(
    authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = authority.sign("left"), authority.sign("right")
    server = server_context(str(first.cert), str(first.key))
    client = client_context(str(authority.cafile))
    shutil.copy(second.cert, first.cert)
    assert name_of(shake(client, server)) == "left"
    assert name_of(shake(client, server)) == "left"
    assert caplog.text.count("New certificates are refused") == 1
    shutil.copy(second.key, first.key)
    assert name_of(shake(client, server)) == "right"


def test_an_authority_that_is_taken_away_is_trusted_no_more(
    authority: Authority, stranger: Authority, server: ssl.SSLContext, tmp_path: Path
) -> None:
    trusted = tmp_path / "ca.pem"
    shutil.copy(authority.cafile, trusted)
    client = client_context(str(trusted))
    shake(client, server)
    shutil.copy(stranger.cafile, trusted)
    with pytest.raises(ssl.SSLCertVerificationError):
        shake(client, server)


def test_a_link_that_points_elsewhere_is_a_change(
    authority: Authority, stranger: Authority, server: ssl.SSLContext, tmp_path: Path
) -> None:
    link = tmp_path / "ca.pem"
    link.symlink_to(stranger.cafile)
    client = client_context(str(link))
    with pytest.raises(ssl.SSLCertVerificationError):
        shake(client, server)
    link.unlink()
    link.symlink_to(authority.cafile)
    shake(client, server)


def test_files_that_cannot_be_used_are_named(authority: Authority, tmp_path: Path) -> None:
    text = tmp_path / "text.pem"
    text.write_text("no certificate")
    one, other = authority.sign("one"), authority.sign("other")
    with pytest.raises(SecurityError, match=r"gone\.pem cannot be read: No such file"):
        client_context(str(tmp_path / "gone.pem"))
    with pytest.raises(SecurityError, match=r"text\.pem holds no certificate in PEM form"):
        client_context(str(text))
    with pytest.raises(SecurityError, match=r"gone\.key cannot be read: No such file"):
        server_context(str(one.cert), str(tmp_path / "gone.key"))
    with pytest.raises(SecurityError, match=r"one\.pem and .*other\.key are no certificate with"):
        server_context(str(one.cert), str(other.key))
