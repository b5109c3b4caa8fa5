"""Settings of a process: resolved once from STREAM_APP_* variables, then frozen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    PrivateAttr,
    SecretStr,
    StringConstraints,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from stream_app.security import (
    FollowingContext,
    SecurityError,
    client_context,
    read_secret,
    server_context,
)
from stream_app.security.secret import keep_logins_out_of_logs

PREFIX: Final = "STREAM_APP_"


def _addresses(servers: str) -> str:
    for host, _, port in (server.rpartition(":") for server in servers.split(",")):
        if not 0 < int(port) < 65_536:
            raise ValueError(f"{port} is no port: expected 1 to 65535")
        try:
            host.encode("idna")
        except UnicodeError:
            raise ValueError(f"{host} can be no name of a host") from None
    return servers


Servers = Annotated[
    str,
    StringConstraints(pattern=r"^[^\s,/:]+:\d{1,5}(,[^\s,/:]+:\d{1,5})*$"),
    AfterValidator(_addresses),
]
Topic = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9._-]{1,249}$")]
AppId = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9._-]{1,100}$")]
Port = Annotated[int, Field(ge=0, le=65_535)]
Count = Annotated[int, Field(ge=1)]
Bytes = Annotated[int, Field(ge=1_024, le=2**31 - 1)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
#: Without user information: a password has no place there.
Url = Annotated[str, StringConstraints(pattern=r"^https?://[^\s@]+$")]


class Settings(BaseSettings):
    """Every setting with its default. Make one with `stream_app.resolve.resolve`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        validate_default=False,
        hide_input_in_errors=True,
    )
    _origins: dict[str, str] = PrivateAttr(default_factory=dict)
    _tls: FollowingContext | None = PrivateAttr(default=None)
    _tokens: Any = PrivateAttr(default=None)

    bootstrap_servers: Servers = "127.0.0.1:9092"
    """Kafka's brokers, host:port, separated by commas."""
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """How to talk to the brokers: with TLS (SSL), with a login (SASL), with both, with neither."""
    allow_sasl_plaintext: bool = False
    """Log in although nothing is encrypted, where only trusted machines share the network."""
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] = (
        "SCRAM-SHA-512"
    )
    """How to log in, when the protocol is SASL_PLAINTEXT or SASL_SSL."""
    sasl_username: str | None = None
    """Kafka user; with OAUTHBEARER the client's id."""
    sasl_password: SecretStr | None = None
    """Its password; with OAUTHBEARER the client's secret. A file is the better place."""
    sasl_password_file: str | None = None
    """File that holds the password alone, read whenever a client is made."""
    oauth_token_file: str | None = None
    """File that holds a token for OAUTHBEARER, read at each login."""
    oauth_token_url: Url | None = None
    """Endpoint that grants tokens for OAUTHBEARER by client credentials."""
    oauth_scope: str | None = None
    """Scope to ask that endpoint for."""
    ssl_cafile: str | None = None
    """PEM file of the authorities to trust; without it those of the system."""
    ssl_certfile: str | None = None
    """PEM file of the certificate to show to the brokers, where they ask for one."""
    ssl_keyfile: str | None = None
    """PEM file of its private key; without it in the certificate's file."""
    ssl_key_password: SecretStr | None = None
    """Password of the private key."""
    ssl_key_password_file: str | None = None
    """File that holds the private key's password alone."""
    ssl_check_hostname: bool = True
    """Whether a broker's certificate must name the host that was called."""
    broker_dir: str | None = None
    """Folder of the embedded Kafka's data; without it one in the user's state folder."""

    app_id: AppId = "stream_app"
    """Consumer group, and prefix of the changelog and of transactional ids."""
    instance_id: AppId | None = None
    """Name of this worker that stays when it starts again: nobody else takes its partitions yet."""
    clicks_topic: Topic = "clicks"
    """Input: what users do in the shop."""
    purchases_topic: Topic = "purchases"
    """Input: purchases and refunds."""
    tags_topic: Topic = "tags"
    """Output: every change of a tag."""
    tag_state_topic: Topic = "tag-state"
    """Output: each user's tags as they are now, compacted."""
    dead_letters_topic: Topic = "dead-letters"
    """Output: events that were refused, with the reason."""
    training_topic: Topic = "training"
    """Output: samples of users to learn from, where the catalogue declares learning."""
    models_topic: Topic = "models"
    """Output of the trainer: the models that workers score with, compacted."""
    route: Literal["auto", "never"] = "auto"
    """What becomes of events on another partition than their user's: taken there, or refused."""
    routed_purge_s: Annotated[float, Field(ge=0, le=86_400)] = 60.0
    """Routed events that have arrived are deleted from their topic so often. 0: never."""
    partitions: Annotated[int, Field(ge=1, le=10_000)] = 4
    """Partitions of a topic when it is created, the same for all; training and models have 1."""
    replication: Annotated[int, Field(ge=1, le=100)] = 1
    """Replicas of a topic when it is created."""
    min_insync_replicas: Annotated[int, Field(ge=1, le=100)] = 1
    """Replicas that must have a record before it counts as written; checked at start."""
    training_days: Annotated[float, Field(gt=0, le=36_500)] = 180.0
    """Kafka keeps samples for so long when the training topic is created."""

    catalog: Annotated[str, StringConstraints(min_length=1)] = "retail"
    """Catalogue of features and tags: a file, or the name of one that ships."""
    clock: Literal["wall", "event"] | None = None
    """What moves time: the wall clock too, or events only. Overrides the catalogue."""
    max_event_bytes: Bytes = 65_536
    """A larger event is refused."""
    future_s: Seconds = 300.0
    """An event further ahead of its record's time is refused."""
    retention_days: Annotated[float, Field(gt=0, le=36_500)] = 400.0
    """An event further behind its record's time is refused."""
    dead_letter_max: Annotated[int, Field(ge=1_024, le=1_048_576)] = 65_536
    """Bytes of a refused event that its dead letter keeps."""
    dead_letter_share: Annotated[float, Field(gt=0, le=1)] = 0.5
    """The process stops when more than this share of a run of events is refused."""
    dead_letter_run: Count = 10_000
    """Events in such a run."""

    round_records: Count = 16_000
    """Events that one transaction takes at most."""
    round_bytes: Bytes = 16_777_216
    """Bytes of events that one transaction takes at most."""
    queue_records: Count = 24_000
    """Events that wait in memory for one partition before fetching pauses."""
    queue_bytes: Bytes = 67_108_864
    """Bytes of events that wait in memory for one partition before fetching pauses."""
    max_resident_users: Annotated[int, Field(ge=0)] = 0
    """Profiles that a worker keeps in memory; others wait in `state_dir`. 0: all, and no folder."""
    state_dir: str | None = None
    """Folder of this worker alone for profiles beyond memory, kept for a faster next start."""
    standby_replicas: Annotated[int, Field(ge=0, le=2)] = 0
    """Other workers that keep a copy of each partition, to go on with it when its owner dies."""
    compression: Literal["none", "gzip", "lz4", "snappy", "zstd"] = "zstd"
    """Compression of everything that is written. aiokafka packs lz4 at its slowest level."""
    accept_gaps: bool = False
    """For one start: go on although an input's retention deleted events unread."""

    session_timeout_s: Annotated[float, Field(ge=6, le=1_800)] = 30.0
    """Kafka gives this worker's partitions away after so long without a heartbeat."""
    transaction_timeout_s: Annotated[float, Field(ge=1, le=900)] = 60.0
    """Kafka aborts a transaction that stays open longer."""
    request_timeout_s: Seconds = 30.0
    """Longest wait for an answer of a broker."""
    drain_timeout_s: Seconds = 8.0
    """Longest wait for the open transaction when a partition leaves or the worker stops."""
    restore_timeout_s: Seconds = 600.0
    """Longest restoring of a partition's profiles without a record read."""
    stall_timeout_s: Seconds = 60.0
    """Work that waits so long without progress makes /livez fail."""

    http_host: Annotated[str, StringConstraints(min_length=1)] = "127.0.0.1"
    """Address of /metrics, /livez and /readyz; 0.0.0.0 in a container."""
    http_port: Port = 6066
    """Port of them; 0 takes any that is free."""
    http_token: SecretStr | None = None
    """Token that /metrics asks for; /livez and /readyz never do."""
    http_token_file: str | None = None
    """File that holds that token alone, read at each request."""
    http_certfile: str | None = None
    """PEM file of the port's certificate; with it the port speaks TLS only."""
    http_keyfile: str | None = None
    """PEM file of its private key; without it in the certificate's file."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """Least level that is logged."""
    log_format: Literal["text", "json"] = "text"
    """Log lines for people or for machines."""
    traces: Literal["none", "otlp"] = "none"
    """Spans of a worker's rounds: none, or to OpenTelemetry's collector. Needs the extra `otel`."""

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.min_insync_replicas > self.replication:
            raise ValueError("min_insync_replicas must not be more than replication")
        if self.drain_timeout_s >= self.session_timeout_s:
            raise ValueError("drain_timeout_s must be less than session_timeout_s")
        every = (*self.topics, self.training_topic, self.models_topic)
        if len(set(every)) < len(every):
            raise ValueError("the topics must have different names")
        if self.max_resident_users and not self.state_dir:
            raise ValueError("max_resident_users needs state_dir, where the other profiles wait")
        for wrong in self._insecure():
            raise ValueError(wrong)
        return self

    def _insecure(self) -> Iterator[str]:
        """What contradicts itself in how to log in and what to show."""
        for name in ("sasl_password", "ssl_key_password", "http_token"):
            if getattr(self, name) and getattr(self, f"{name}_file"):
                yield f"{name} and {name}_file must not be given both"
        for name in ("ssl", "http"):
            if getattr(self, f"{name}_keyfile") and not getattr(self, f"{name}_certfile"):
                yield f"{name}_keyfile needs {name}_certfile"
        if "SSL" not in self.security_protocol and (self.ssl_cafile or self.ssl_certfile):
            yield (
                f"{'ssl_cafile' if self.ssl_cafile else 'ssl_certfile'} has no use with "
                f"{self.security_protocol}: set security_protocol to "
                f"{'SASL_SSL' if 'SASL' in self.security_protocol else 'SSL'}"
            )
        if "SASL" in self.security_protocol:
            yield from self._no_login()

    def _no_login(self) -> Iterator[str]:
        if self.security_protocol == "SASL_PLAINTEXT" and not self.allow_sasl_plaintext:
            yield (
                "SASL_PLAINTEXT would send the login unencrypted: use SASL_SSL, or set "
                "allow_sasl_plaintext where nobody else can listen"
            )
        user = bool(self.sasl_username and (self.sasl_password or self.sasl_password_file))
        if self.sasl_mechanism != "OAUTHBEARER":
            if not user:
                yield (
                    f"{self.security_protocol} needs sasl_username and sasl_password (or "
                    "sasl_password_file)"
                )
        elif bool(self.oauth_token_file) == bool(self.oauth_token_url):
            yield "OAUTHBEARER needs either oauth_token_file or oauth_token_url"
        elif self.oauth_token_url and not user:
            yield (
                "oauth_token_url needs sasl_username and sasl_password (or sasl_password_file): "
                "the client's id and secret"
            )
        elif str(self.oauth_token_url).startswith("http:") and not self.allow_sasl_plaintext:
            yield "oauth_token_url must begin with https, or allow_sasl_plaintext be set"

    @property
    def topics(self) -> tuple[str, str, str, str, str]:
        """Clicks, purchases, tags, tag-state, dead-letters: the topics of equal partition count."""
        return (
            self.clicks_topic,
            self.purchases_topic,
            self.tags_topic,
            self.tag_state_topic,
            self.dead_letters_topic,
        )

    @property
    def changelog_topic(self) -> str:
        """Where profiles are kept: the changelog of the Faust table `profiles`."""
        return f"{self.app_id}-profiles-changelog"

    @property
    def routed_topic(self) -> str:
        """Where workers put events that were read on another partition than their user's."""
        return f"{self.app_id}-routed"

    @property
    def codec(self) -> str | None:
        """The compression as aiokafka's producer takes it."""
        return None if self.compression == "none" else self.compression

    def client_options(self) -> dict[str, Any]:
        """Arguments that every aiokafka client takes: where the brokers are and how to log in.

        Raises SecurityError where a file that is named cannot be used.
        """
        options: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap_servers.split(","),
            "security_protocol": self.security_protocol,
        }
        if "SSL" in self.security_protocol:
            options["ssl_context"] = self._client_tls()
        if "SASL" in self.security_protocol:
            keep_logins_out_of_logs()
            options["sasl_mechanism"] = self.sasl_mechanism
            if self.sasl_mechanism == "OAUTHBEARER":
                options["sasl_oauth_token_provider"] = self._token_provider()
            else:
                options["sasl_plain_username"] = self.sasl_username
                options["sasl_plain_password"] = self._secret("sasl_password")
        return options

    def http_tls(self) -> FollowingContext | None:
        """How the HTTP port shows who it is; None where it speaks no TLS. Raises SecurityError."""
        if self.http_certfile is None:
            return None
        return server_context(self.http_certfile, self.http_keyfile)

    def http_secret(self) -> str | None:
        """The token that /metrics asks for now, None where it asks for none. Raises SecurityError.

        One in a file is read anew each time.
        """
        return self._secret("http_token")

    def _client_tls(self) -> FollowingContext:
        if self._tls is None:
            self._tls = client_context(
                self.ssl_cafile,
                self.ssl_certfile,
                self.ssl_keyfile,
                lambda: self._secret("ssl_key_password"),
                check_hostname=self.ssl_check_hostname,
            )
        return self._tls

    def _token_provider(self) -> Any:
        if self._tokens is None:
            # Imported here: importing aiokafka takes time that most commands do not have to spend.
            from stream_app.security.oauth import FileToken, GrantedToken, notice_refused_tokens

            notice_refused_tokens()
            self._tokens = (
                FileToken(self.oauth_token_file)
                if self.oauth_token_file
                else GrantedToken(
                    str(self.oauth_token_url),
                    str(self.sasl_username),
                    lambda: str(self._secret("sasl_password")),
                    self.oauth_scope,
                    client_context(self.ssl_cafile),
                )
            )
        return self._tokens

    def _secret(self, name: str) -> str | None:
        """The secret of that setting, from its file where it has one. Raises SecurityError."""
        given, file = getattr(self, name), getattr(self, f"{name}_file")
        if file is None:
            return given.get_secret_value() if given is not None else None
        try:
            return read_secret(file)
        except SecurityError as error:
            raise SecurityError(f"{PREFIX}{name.upper()}_FILE: {error}") from None
