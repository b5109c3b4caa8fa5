"""How a worker is composed, and which parts of Faust it leaves out.

Traps of DESIGN covered here: 7 (no standbys, no recovery), 9 (same partitions and subscribers), 10
(no web views), 11 (no wait without limit), 12 (transport and store are registered).
"""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from support.clicks import CATALOGUE

from stream_app.app import StreamApp, create_app, limits_of
from stream_app.domain.errors import DeclarationError
from stream_app.kafka.faust_adapters import transport
from stream_app.kafka.faust_adapters.store import RowStore
from stream_app.settings import Settings


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    path = tmp_path / "shop.yaml"
    path.write_text(CATALOGUE)
    return path


@pytest.fixture
async def app(catalogue) -> StreamApp:
    made = create_app(Settings(catalog=str(catalogue), partitions=6, bootstrap_servers="a:1,b:2"))
    made.finalize()
    return made


async def test_faust_serves_no_pages_and_keeps_no_copies(app):
    conf = app.conf
    assert conf.web_enabled is False
    assert conf.table_standby_replicas == 0
    assert conf.topic_disable_leader
    assert not conf.topic_allow_declare
    assert conf.stream_wait_empty is False
    assert not app.producer_only


async def test_what_was_delivered_after_a_rebalance_stays_when_faust_resumes_once_more(app):
    queue = app.FlowControlQueue(maxsize=10, clear_on_resume=True)
    app.flow_control.resume()
    queue.put_nowait("a fetch")
    app.flow_control.resume()
    assert queue.get_nowait() == "a fetch"
    queue.put_nowait("of before a rebalance")
    app.flow_control.suspend()
    app.flow_control.resume()
    assert queue.empty()


async def test_a_spare_that_fetches_nothing_stays_in_the_group(app):
    kafka = app.consumer._new_consumer_thread()._create_worker_consumer(app.transport)
    assert kafka._max_poll_interval_ms / 1000 > 50 * 365 * 86_400


async def test_standbys_are_placed_by_the_setting_and_kept_by_who_has_it(catalogue):
    made = create_app(Settings(catalog=str(catalogue), standby_replicas=2))
    made.finalize()
    assert made.assignor.replicas == 2
    assert made.standbys.ready == frozenset()
    assert create_app(Settings(catalog=str(catalogue))).standbys.ready is None


async def test_a_worker_has_a_name_in_the_group_only_when_told(app, catalogue):
    named = create_app(Settings(catalog=str(catalogue), instance_id="worker-0"))
    assert named.conf.consumer_group_instance_id == "worker-0"
    assert app.conf.consumer_group_instance_id is None


async def test_not_even_the_command_line_of_faust_turns_its_pages_on(app):
    app.conf.web_enabled = True
    assert list(app.boot_strategy.web_server()) == []


async def test_transport_and_store_are_ours(app):
    assert isinstance(app.transport, transport.Transport)
    assert [str(url) for url in app.conf.broker] == ["batching://a:1", "batching://b:2"]
    assert app.transport.Consumer is transport.BatchingConsumer
    assert isinstance(app.tables["profiles"].data, RowStore)


async def test_inputs_and_changelog_have_the_same_partitions_and_subscribers(app):
    changelog = app.tables["profiles"].changelog_topic
    assert changelog.get_topic_name() == Settings().changelog_topic
    assert changelog.partitions == 6
    assert app.conf.topic_partitions == 6
    topics = {name for agent in app.agents.values() for name in agent.channel.topics}
    assert topics == {"clicks", "purchases"}


async def test_inputs_are_not_acknowledged_by_faust(app):
    for agent in app.agents.values():
        assert agent.channel.acks is False


async def test_profiles_of_running_partitions_are_read_through_the_table(app):
    assert list(app.profiles()) == []
    assert len(app.tables["profiles"]) == 0


async def test_limits_on_input_come_from_settings():
    limits = limits_of(Settings(max_event_bytes=2_000, future_s=1.5, retention_days=2))
    assert (limits.max_event_bytes, limits.future_ms, limits.retention_ms) == (
        2_000, 1_500, 2 * 86_400_000,
    )  # fmt: skip


async def test_a_broken_catalogue_is_refused_when_composing(catalogue):
    catalogue.write_text(CATALOGUE.replace("spend_30d > 100", "spend_30d >"))
    with pytest.raises(DeclarationError, match=r"shop\.yaml:11: tags\.spender\.when"):
        create_app(Settings(catalog=str(catalogue)))


@pytest.mark.parametrize("protocol", ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"])
async def test_faust_logs_in_as_the_other_clients_do(catalogue, protocol):
    login = {"sasl_username": "u", "sasl_password": "p"} if "SASL" in protocol else {}
    settings = Settings(
        catalog=str(catalogue), security_protocol=protocol, allow_sasl_plaintext=True, **login
    )
    credentials = create_app(settings).conf.broker_credentials
    if protocol == "PLAINTEXT":
        assert credentials is None
        return
    assert credentials.protocol.value == protocol
    context = credentials.ssl_context if "SASL" in protocol else credentials.context
    assert isinstance(context, ssl.SSLContext) == ("SSL" in protocol.split("_"))
    if "SASL" in protocol:
        assert (credentials.username, credentials.password) == ("u", "p")
        assert credentials.mechanism.value == "SCRAM-SHA-512"


async def test_faust_shows_the_token_that_the_other_clients_show(catalogue, tmp_path):
    settings = Settings(
        catalog=str(catalogue), security_protocol="SASL_SSL", sasl_mechanism="OAUTHBEARER",
        oauth_token_file=str(tmp_path / "token"),
    )  # fmt: skip
    credentials = create_app(settings).conf.broker_credentials
    assert credentials.protocol.value == "SASL_SSL"
    assert credentials.oauth_cb is settings.client_options()["sasl_oauth_token_provider"]
    assert credentials.ssl_context is settings.client_options()["ssl_context"]


async def test_the_module_makes_the_app_when_it_is_asked_for(catalogue, monkeypatch):
    import stream_app.app as module

    monkeypatch.setenv("STREAM_APP_CATALOG", str(catalogue))
    assert isinstance(module.app, StreamApp)
    with pytest.raises(AttributeError):
        _ = module.nothing
