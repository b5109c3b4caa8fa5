"""Certificates for tests, made by the machine's openssl: an authority and what it signs."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

_CONFIG = """
[ca]
default_ca = own
[own]
database = {root}/index
serial = {root}/serial
new_certs_dir = {root}
certificate = {root}/ca.pem
private_key = {root}/ca.key
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
"""
_LEAF = """
basicConstraints = critical,CA:false
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth,clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = {names}
"""
_EVER = ("20200101000000Z", "20491231000000Z")
_PAST = ("20200101000000Z", "20200201000000Z")


@dataclass(frozen=True)
class Certificate:
    """PEM files: the certificate, its private key, and both in one."""

    cert: Path
    key: Path
    both: Path


class Authority:
    """Signs certificates in a folder of its own; `cafile` is what to trust."""

    def __init__(self, root: Path, name: str = "test authority") -> None:
        self.root = root
        root.mkdir(parents=True)
        (root / "index").touch()
        (root / "serial").write_text("1000\n")
        (root / "openssl.cnf").write_text(_CONFIG.format(root=root))
        self.cafile = root / "ca.pem"
        self._key(root / "ca.key")
        self._run(
            "req", "-x509", "-new", "-key", root / "ca.key", "-subj", f"/CN={name}", "-days",
            "3650", "-extensions", "authority", "-out", self.cafile,
        )  # fmt: skip

    def sign(
        self,
        name: str,
        hosts: str = "IP:127.0.0.1,DNS:localhost",
        *,
        expired: bool = False,
        password: str | None = None,
    ) -> Certificate:
        """A certificate of `name` for these hosts; `expired` ran out years ago."""
        made = Certificate(*(self.root / f"{name}.{end}" for end in ("pem", "key", "both.pem")))
        request, leaf = self.root / f"{name}.csr", self.root / f"{name}.cnf"
        leaf.write_text(_LEAF.format(names=hosts))
        self._key(made.key, password)
        told = () if password is None else ("-passin", f"pass:{password}")
        self._run("req", "-new", "-key", made.key, *told, "-subj", f"/CN={name}", "-out", request)
        begin, end = _PAST if expired else _EVER
        self._run(
            "ca", "-batch", "-notext", "-in", request, "-out", made.cert, "-extfile", leaf,
            "-startdate", begin, "-enddate", end,
        )  # fmt: skip
        made.both.write_text(made.key.read_text() + made.cert.read_text())
        return made

    def _key(self, file: Path, password: str | None = None) -> None:
        hidden = () if password is None else ("-aes-256-cbc", "-pass", f"pass:{password}")
        self._run(
            "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", *hidden,
            "-out", file, config=False,
        )  # fmt: skip

    def _run(self, *command: object, config: bool = True) -> None:
        openssl = shutil.which("openssl")
        assert openssl, "these tests make certificates with openssl: install it"
        first, *rest = map(str, command)
        chosen = ["-config", str(self.root / "openssl.cnf")] if config else []
        done = subprocess.run(
            [openssl, first, *chosen, *rest], capture_output=True, text=True, check=False
        )
        assert not done.returncode, done.stderr
