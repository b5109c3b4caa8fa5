"""Settings of a process: resolved once from STREAM_APP_* variables, then frozen."""

from __future__ import annotations

import ssl
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, PrivateAttr, SecretStr, StringConstraints, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX: Final = "STREAM_APP_"

Servers = Annotated[str, StringConstraints(pattern=r"^[^\s,/:]+:\d+(,[^\s,/:]+:\d+)*$")]
Topic = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9._-]{1,249}$")]
AppId = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9._-]{1,100}$")]
Port = Annotated[int, Field(ge=0, le=65_535)]
Count = Annotated[int, Field(ge=1)]
Bytes = Annotated[int, Field(ge=1_024, le=2**31 - 1)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]


class Settings(BaseSettings):
    """Every setting with its default. Make one with `stream_app.resolve.resolve`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        validate_default=False,
    )
    _origins: dict[str, str] = PrivateAttr(default_factory=dict)

    bootstrap_servers: Servers = "127.0.0.1:9092"
    """Kafka's brokers, host:port, separated by commas."""
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """How to talk to the brokers."""
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    """How to log in, when the protocol is SASL_PLAINTEXT or SASL_SSL."""
    sasl_username: str | None = None
    """Kafka user."""
    sasl_password: SecretStr | None = None
    """Its password."""
    ssl_cafile: str | None = None
    """PEM file of the authorities to trust; without it those of the system."""
    broker_dir: str | None = None
    """Folder of the embedded Kafka's data; without it one in the user's state folder."""

    app_id: AppId = "stream_app"
    """Consumer group, and prefix of the changelog and of transactional ids."""
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

    round_records: Count = 8_000
    """Events that one transaction takes at most."""
    round_bytes: Bytes = 16_777_216
    """Bytes of events that one transaction takes at most."""
    queue_records: Count = 12_000
    """Events that wait in memory for one partition before fetching pauses."""
    queue_bytes: Bytes = 67_108_864
    """Bytes of events that wait in memory for one partition before fetching pauses."""
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
    drain_timeout_s: Seconds = 10.0
    """Longest wait for the open transaction when a partition leaves or the worker stops."""
    restore_timeout_s: Seconds = 600.0
    """Longest restoring of a partition's profiles without a record read."""
    stall_timeout_s: Seconds = 60.0
    """Work that waits so long without progress makes /livez fail."""

    http_host: Annotated[str, StringConstraints(min_length=1)] = "127.0.0.1"
    """Address of /metrics, /livez and /readyz; 0.0.0.0 in a container."""
    http_port: Port = 6066
    """Port of them; 0 takes any that is free."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """Least level that is logged."""
    log_format: Literal["text", "json"] = "text"
    """Log lines for people or for machines."""

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.min_insync_replicas > self.replication:
            raise ValueError("min_insync_replicas must not be more than replication")
        if self.drain_timeout_s >= self.session_timeout_s:
            raise ValueError("drain_timeout_s must be less than session_timeout_s")
        every = (*self.topics, self.training_topic, self.models_topic)
        if len(set(every)) < len(every):
            raise ValueError("the topics must have different names")
        if "SASL" in self.security_protocol and not (self.sasl_username and self.sasl_password):
            raise ValueError(f"{self.security_protocol} needs sasl_username and sasl_password")
        return self

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
    def codec(self) -> str | None:
        """The compression as aiokafka's producer takes it."""
        return None if self.compression == "none" else self.compression

    def client_options(self) -> dict[str, Any]:
        """Arguments that every aiokafka client takes: where the brokers are and how to log in."""
        options: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap_servers.split(","),
            "security_protocol": self.security_protocol,
        }
        if "SSL" in self.security_protocol:
            options["ssl_context"] = ssl.create_default_context(cafile=self.ssl_cafile)
        if "SASL" in self.security_protocol and self.sasl_password is not None:
            options["sasl_mechanism"] = self.sasl_mechanism
            options["sasl_plain_username"] = self.sasl_username
            options["sasl_plain_password"] = self.sasl_password.get_secret_value()
        return options
