"""Who may come in and what he may do there, against a Kafka with TLS, logins and an authorizer."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from support import trainer as counting
from support.arrived import purged
from support.broker import Message, produce, read_to_end
from support.certificates import Authority
from support.clicks import CATALOGUE, START, click
from support.guarded import OPERATIONS, RESOURCES, SECRET, GuardedKafka, guarded_kafka, without
from support.settled import fold, settle
from support.trainer import day_end, example
from support.upkeep import compiled, events, features, restored
from support.worker import Worker

from stream_app.engine import load_catalogue
from stream_app.kafka.client.acls import Right, commands, rights
from stream_app.kafka.client.refused import Away, Refused
from stream_app.kafka.console.one_profile import one_profile
from stream_app.kafka.embedded.runtime import KAFKA_VERSION, find_runtime
from stream_app.kafka.topics import TopicPlan, ensure_topics
from stream_app.learning import training
from stream_app.settings import Settings

SLICE = Path(__file__).parents[1] / "data" / "shop.ndjson.gz"
TRAINER = (sys.executable, counting.__file__)
#: Old events are taken, and a group notices the end of a member soon.
CALM = {
    "clock": "event",
    "retention_days": 36_500,
    "session_timeout_s": 6,
    "drain_timeout_s": 5,
    "request_timeout_s": 10,
}
REFUSED = 78

Start = Callable[..., Worker]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedKafka]:
    made = guarded_kafka(tmp_path_factory.mktemp("guarded"))
    with made.broker:
        yield made


@pytest.fixture
def plan(plan: TopicPlan) -> TopicPlan:
    """The topics of this test, those of learning among them."""
    return replace(plan, training=f"{plan.app_id}-training", models=f"{plan.app_id}-models")


@pytest.fixture
async def topics(guarded: GuardedKafka, plan: TopicPlan) -> TopicPlan:
    """The topics of this test on the guarded broker, made by who may do everything."""
    await ensure_topics({"bootstrap_servers": guarded.broker.bootstrap_servers}, plan)
    return plan


@pytest.fixture
def start(guarded: GuardedKafka, plan: TopicPlan, tmp_path: Path) -> Iterator[Start]:
    """`start(role, *command, **settings)` starts a process; all are killed in the end."""
    started: list[Worker] = []

    def run(role: str, *command: str, **settings: object) -> Worker:
        env = guarded.environment(role, plan, **CALM | settings)
        log = tmp_path / f"{role}-{len(started) + 1}.log"
        started.append(Worker(log, env, *((command,) if command else ())))
        return started[-1]

    yield run
    for process in started:
        process.kill()


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    """One by which a single click gives a tag."""
    path = tmp_path / "clicks.yaml"
    path.write_text(CATALOGUE)
    return path


def tell(guarded: GuardedKafka, plan: TopicPlan, role: str, *arguments: object) -> tuple[int, str]:
    """Exit code and output of a command that ends by itself."""
    done = subprocess.run(
        [sys.executable, "-m", "stream_app", *map(str, arguments)],
        env=os.environ | guarded.environment(role, plan, **CALM),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert SECRET.format(role) not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


async def said_by(process: Worker, words: str) -> None:
    """Wait until a running process has said so."""
    async with asyncio.timeout(30):
        while words not in process.text():
            assert process.alive, process.tail()
            await asyncio.sleep(0.05)


def all_rights(guarded: GuardedKafka, plan: TopicPlan) -> list[Right]:
    return rights(guarded.settings("worker", plan), learning=True)


def named(plan: TopicPlan) -> TopicPlan:
    """With topics of learning, which the settings name although there are none."""
    return replace(plan, training="t", models="m")


def every_of(guarded: GuardedKafka, plan: TopicPlan) -> list[Right]:
    """The rights on an application that learns nothing."""
    return rights(guarded.settings("worker", named(plan)), learning=False)


async def ask(settings: Settings) -> None:
    """Come in and look at the topics."""
    await ensure_topics(settings.client_options(), TopicPlan.of(settings), create=False)


@pytest.mark.timeout(300)
async def test_everything_works_with_the_rights_that_are_listed(
    guarded: GuardedKafka, plan: TopicPlan, start: Start
) -> None:
    await guarded.grant(all_rights(guarded, plan))

    def done(role: str, *arguments: object) -> str:
        code, text = tell(guarded, plan, role, *arguments)
        assert code == 0, text
        return text

    assert "created" in done("operator", "topics", "--apply")
    worker = start("worker", routed_purge_s=0.5)
    trainer = start("trainer", *TRAINER)
    assert "sent 9,081 events" in done("producer", "produce", SLICE)
    await asyncio.to_thread(worker.wait_ready)
    await asyncio.to_thread(trainer.wait_ready)
    async with asyncio.timeout(60):
        while worker.metric("stream_app_events_total") < 9_081:
            assert worker.alive, worker.tail()
            await asyncio.sleep(0.1)
    assert "spend_level" in done("consumer", "tail", "--from-beginning", "--until-end")

    servers = guarded.broker.bootstrap_servers
    # Three of them to where their user is not.
    for number in range(plan.partitions):
        event = Message(None, click("v", number))
        await produce(servers, plan.clicks, [event], partition=number)
    await purged(servers, plan)
    assert worker.metric("stream_app_purge_failures_total") == 0
    await produce(servers, plan.clicks, [Message(b"u", click("u", 1, type="no"))])
    async with asyncio.timeout(30):
        while not (letters := await read_to_end(servers, plan.dead_letters)):
            await asyncio.sleep(0.1)
    place = f"{letters[0].partition}:{letters[0].offset}"
    done("operator", "dead-letters", "retry", place, "--set", "type=page_view")

    records = [training.encode(record) for record in (example(3), day_end(3), day_end(4))]
    await produce(
        servers, plan.training, [Message(b"k", r) for r in records], transactional_id="test"
    )
    async with asyncio.timeout(30):
        while len(await read_to_end(servers, plan.models)) < 4:
            assert trainer.alive, trainer.tail()
            await asyncio.sleep(0.1)
    assert trainer.terminate() == 0
    keys = [record.key.decode() for record in await read_to_end(servers, plan.models)]
    newest = max(int(key.partition(":")[2]) for key in keys if key[-1].isdigit())
    assert "counted" in done("operator", "models", "list")
    done("operator", "models", "pin", "counted", newest)
    change = (await read_to_end(servers, plan.tags))[0]
    assert change.key
    settings, program = guarded.settings("operator", plan), load_catalogue("retail").compile()
    assert change.key.decode() in (await one_profile(settings, program, change.key.decode())).slots
    assert worker.terminate() == 0
    assert "AuthorizationFailed" not in worker.text() + trainer.text()


@pytest.mark.timeout(300)
async def test_state_is_changed_offline_with_the_rights_that_are_listed(
    guarded: GuardedKafka, plan: TopicPlan, catalogue: Path, tmp_path: Path
) -> None:
    plan, servers = replace(plan, training="", models=""), guarded.broker.bootstrap_servers
    other = replace(
        plan, app_id=f"{plan.app_id}b", tags=f"{plan.app_id}b-tags",
        tag_state=f"{plan.app_id}b-tag-state", dead_letters=f"{plan.app_id}b-dead-letters",
        routed=f"{plan.app_id}b-routed",
    )  # fmt: skip
    await guarded.revoke("User:maintainer")
    for one in (plan, other):
        await ensure_topics({"bootstrap_servers": servers}, one)
        every = every_of(guarded, one)
        lacking = without(every, "maintainer", one.tags, "Alter")
        await guarded.grant(lacking if one is plan else every)
    await settle(servers, plan, compiled(catalogue), events(0, 1), START)

    def tell_maintainer(of: TopicPlan, *arguments: object) -> tuple[int, str]:
        return tell(guarded, named(of), "maintainer", *arguments, "--catalog", catalogue)

    def done(of: TopicPlan, *arguments: object) -> None:
        code, text = tell_maintainer(of, *arguments)
        assert code == 0, text

    kept = tmp_path / "kept"
    done(plan, "backup", kept)
    code, text = tell(guarded, named(other), "maintainer", "restore", kept)
    assert code == 0, text
    done(plan, "replay", "--from-topic", "--feature=clicks_24h", "--apply")
    # What Kafka would refuse half way is refused before anything is begun.
    code, text = tell_maintainer(plan, "repartition", "--to", 5, "--apply")
    assert (code, "Kafka lets this user not do that" in text) == (2, True), text
    assert "begun" not in text
    await guarded.grant(r for r in every_of(guarded, plan) if r.role == "maintainer")
    done(plan, "repartition", "--to", 5, "--apply")
    found = features(await restored(servers, replace(plan, partitions=5), compiled(catalogue)))
    assert found == features(fold(compiled(catalogue), events(0, 1), 5, START))


@pytest.mark.parametrize(
    ("ending", "operation", "said"),
    [
        ("", "Read", "to the group {app}:"),
        ("-", "Write", "to the transactional id {app}-"),
        ("-clicks", "Read", "to the topic {app}-clicks:"),
        ("-changelog", "Read", "to the topic {app}-profiles-changelog:"),
        ("-changelog", "Write", "to the topic {app}-profiles-changelog:"),
        ("-tags", "Write", "to the topic {app}-tags:"),
        ("-tags", "DescribeConfigs", "{app}-tags: this user may not read its settings"),
    ],
)
async def test_a_worker_ends_saying_which_right_it_lacks(
    guarded: GuardedKafka,
    topics: TopicPlan,
    start: Start,
    catalogue: Path,
    ending: str,
    operation: str,
    said: str,
) -> None:
    await guarded.revoke("User:worker")
    name = topics.app_id + ending if ending in ("", "-") else ending
    await guarded.grant(without(all_rights(guarded, topics), "worker", name, operation))
    servers = guarded.broker.bootstrap_servers
    await produce(servers, topics.clicks, [Message(b"u", click("u", n)) for n in range(3)])
    if (ending, operation) == ("-changelog", "Read"):
        for number in range(topics.partitions):
            await produce(servers, topics.changelog, [Message(b"u", b"x")], partition=number)
    worker = start("worker", catalog=catalogue)
    code = await asyncio.to_thread(worker.exit_code, 60)
    assert code == REFUSED, worker.tail()
    ending_line = next(line for line in worker.text().splitlines() if "Ending" in line)
    assert said.format(app=topics.app_id) in ending_line
    assert "stream-app acls" in ending_line


async def test_a_worker_that_may_not_read_models_says_so_and_goes_on_without(
    guarded: GuardedKafka, topics: TopicPlan, start: Start
) -> None:
    await guarded.revoke("User:worker")
    await guarded.grant(without(all_rights(guarded, topics), "worker", "-models", "Read"))
    worker = start("worker")
    await asyncio.to_thread(worker.wait_ready)
    await said_by(worker, f"Kafka lets this user not do that to the topic {topics.app_id}-models")
    assert worker.alive


@pytest.mark.parametrize(
    ("ending", "operation", "said"),
    [
        ("-training", "Read", "to the topic {app}-training:"),
        ("-models", "Write", "to the topic {app}-models:"),
    ],
)
async def test_a_trainer_ends_saying_which_right_it_lacks(
    guarded: GuardedKafka, topics: TopicPlan, start: Start, ending: str, operation: str, said: str
) -> None:
    await guarded.revoke("User:trainer")
    await guarded.grant(without(all_rights(guarded, topics), "trainer", ending, operation))
    records = [Message(b"k", training.encode(record)) for record in (example(3), day_end(3))]
    servers = guarded.broker.bootstrap_servers
    await produce(servers, topics.training, records, transactional_id="test")
    trainer = start("trainer", *TRAINER)
    assert await asyncio.to_thread(trainer.exit_code, 60) == REFUSED, trainer.tail()
    assert said.format(app=topics.app_id) in trainer.text()


@pytest.mark.parametrize("resource", ["group", "transactional-id"])
async def test_a_trainer_names_its_group_and_its_transactional_id(
    guarded: GuardedKafka, topics: TopicPlan, start: Start, resource: str
) -> None:
    await guarded.revoke("User:trainer")
    await guarded.grant(
        right for right in all_rights(guarded, topics) if right.resource != resource
    )
    trainer = start("trainer", *TRAINER)
    assert await asyncio.to_thread(trainer.exit_code, 60) == REFUSED, trainer.tail()
    said = f"to the {resource.replace('-', ' ')} {topics.app_id}-trainer"
    assert said in trainer.text()


@pytest.mark.parametrize(
    ("role", "command", "said"),
    [
        ("consumer", ("tail", "--until-end"), "{app}-tags: this user may not see it"),
        ("producer", ("produce", SLICE), "{app}-clicks: this user may not see it"),
        ("operator", ("topics", "--apply"), "{app}-clicks: this user may not see it"),
        ("operator", ("models", "list"), "{app}-models: this user may not see it"),
    ],
)
async def test_commands_say_which_topic_is_hidden(
    guarded: GuardedKafka, topics: TopicPlan, role: str, command: tuple[str, ...], said: str
) -> None:
    code, text = await asyncio.to_thread(tell, guarded, topics, role, *command)
    assert code == 2
    assert said.format(app=topics.app_id) in text
    assert "stream-app acls" in text


@pytest.mark.parametrize(
    ("role", "ending", "operation", "command"),
    [
        ("consumer", "-tags", "Read", ("tail", "--from-beginning", "--until-end")),
        ("producer", "-clicks", "Write", ("produce", SLICE)),
    ],
)
async def test_commands_say_which_right_is_missing(
    guarded: GuardedKafka,
    topics: TopicPlan,
    role: str,
    ending: str,
    operation: str,
    command: tuple[str, ...],
) -> None:
    await guarded.revoke(f"User:{role}")
    await guarded.grant(without(all_rights(guarded, topics), role, ending, operation))
    servers = guarded.broker.bootstrap_servers
    await produce(servers, topics.tags, [Message(b"u", b"{}")])
    code, text = await asyncio.to_thread(tell, guarded, topics, role, *command)
    assert code == 2
    assert f"to the topic {topics.app_id}{ending}: `stream-app acls`" in text


async def test_topics_are_made_by_who_may_make_them(guarded: GuardedKafka, plan: TopicPlan) -> None:
    await guarded.revoke("User:operator")
    await guarded.grant(without(all_rights(guarded, plan), "operator", "-clicks", "Create"))
    code, text = await asyncio.to_thread(tell, guarded, plan, "operator", "topics", "--apply")
    assert code == 2
    assert f"{plan.app_id}-clicks: cannot be created: this user may not" in text


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
async def test_users_come_in_with_their_password_only(
    guarded: GuardedKafka, plan: TopicPlan, mechanism: str
) -> None:
    await ask(guarded.settings("worker", plan, sasl_mechanism=mechanism))
    clear = {
        "security_protocol": "SASL_PLAINTEXT",
        "bootstrap_servers": guarded.broker.servers_of("CLEAR"),
        "allow_sasl_plaintext": True,
        "ssl_cafile": "",
    }
    login = guarded.login("worker", sasl_mechanism=mechanism) | clear
    del login["ssl_cafile"]
    await ask(Settings(**login))  # type: ignore[arg-type]
    wrong = guarded.settings(
        "worker", plan, sasl_mechanism=mechanism, sasl_password_file=guarded.folder / "trainer"
    )
    with pytest.raises(Refused, match="no user worker with this password") as raised:
        await ask(wrong)
    assert SECRET.format("trainer") not in repr(raised.value)


async def test_tokens_are_taken_while_they_are_valid(
    guarded: GuardedKafka, plan: TopicPlan
) -> None:
    login = guarded.login("worker", sasl_mechanism="OAUTHBEARER")
    for name in ("sasl_username", "sasl_password_file"):
        del login[name]
    await ask(Settings(**login, oauth_token_file=guarded.token("worker")))  # type: ignore[arg-type]
    old = Settings(**login, oauth_token_file=guarded.token("worker", -60))  # type: ignore[arg-type]
    with pytest.raises(Refused, match="refuses our token"):
        await ask(old)
    none = Settings(**login, oauth_token_file=str(guarded.folder / "gone"))  # type: ignore[arg-type]
    with pytest.raises(Away, match="gone cannot be read"):
        await ask(none)


async def test_a_certificate_opens_and_a_new_one_is_shown_as_soon_as_it_lies_there(
    guarded: GuardedKafka, topics: TopicPlan, tmp_path: Path
) -> None:
    mine = tmp_path / "me.pem"
    shutil.copy(guarded.authority.sign("first").both, mine)
    second = guarded.authority.sign("second").both
    await guarded.grant(
        [Right("CN=second", "topic", topics.clicks, ("Describe",), "to see who we are")]
    )
    settings = Settings(
        bootstrap_servers=guarded.broker.servers_of("MUTUAL"),
        security_protocol="SSL",
        ssl_cafile=str(guarded.authority.cafile),
        ssl_certfile=str(mine),
    )
    # One client that lives all the while; it lets go of connections that rest so long.
    admin = AIOKafkaAdminClient(**settings.client_options(), connections_max_idle_ms=50)
    await admin.start()
    try:

        async def sees_clicks() -> bool:
            return topics.clicks in await admin.list_topics()

        assert not await sees_clicks()
        shutil.copy(second, mine)
        async with asyncio.timeout(30):
            while not await sees_clicks():
                await asyncio.sleep(0.1)
    finally:
        await admin.close()


def refusals(
    guarded: GuardedKafka, stranger: Authority
) -> dict[str, tuple[dict[str, object], str]]:
    """What is wrong, by name: settings, and what is said."""
    broker, cafile = guarded.broker, {"ssl_cafile": str(guarded.authority.cafile)}
    login = guarded.login("worker")
    tls = {"security_protocol": "SSL"}
    mutual = {"bootstrap_servers": broker.servers_of("MUTUAL")} | tls | cafile
    plain = {"bootstrap_servers": broker.bootstrap_servers}
    return {
        "authority": (
            login | {"ssl_cafile": str(stranger.cafile)},
            "nobody who is trusted here .* set STREAM_APP_SSL_CAFILE",
        ),
        "host": (
            login | {"bootstrap_servers": broker.servers_of("ELSEWHERE")},
            r"of another host .*127\.0\.0\.1.* call it by a name",
        ),
        "plain to TLS": (
            {"bootstrap_servers": broker.servers_of("SECURE")},
            "TLS is spoken on this port: set STREAM_APP_SECURITY_PROTOCOL",
        ),
        "TLS to plain": (tls | plain | cafile, "no TLS is spoken .* to PLAINTEXT"),
        "login to plain": (login | plain, "no TLS is spoken on this port"),
        "login where none is": (login | {"bootstrap_servers": broker.servers_of("MUTUAL")}, "asks"),
        "mechanism": (
            login | {"bootstrap_servers": broker.servers_of("CLEAR")},
            "no TLS is spoken .* to SASL_PLAINTEXT",
        ),
        "no certificate": (mutual, "asks for a certificate: set STREAM_APP_SSL_CERTFILE"),
        "their certificate": (
            mutual | {"ssl_certfile": str(stranger.sign("me").both)},
            "refuses our certificate",
        ),
    }


async def test_what_has_to_be_changed_is_said(guarded: GuardedKafka, tmp_path: Path) -> None:
    stranger = Authority(tmp_path / "stranger", "another authority")
    for given, said in refusals(guarded, stranger).values():
        with pytest.raises(Refused, match=said):
            await ask(Settings(**given))  # type: ignore[arg-type]


async def test_what_may_end_by_itself_is_tried_again(
    guarded: GuardedKafka, plan: TopicPlan, start: Start
) -> None:
    servers = guarded.broker.servers_of("EXPIRED")
    with pytest.raises(Away, match=r"not valid now .*expired"):
        await ask(
            guarded.settings("worker", plan).model_copy(update={"bootstrap_servers": servers})
        )
    with pytest.raises(Away, match=r"hung up on us: .* to SASL_SSL"):
        await ask(
            Settings(
                bootstrap_servers=guarded.broker.servers_of("SECURE"),
                security_protocol="SSL",
                ssl_cafile=str(guarded.authority.cafile),
            )
        )
    with pytest.raises(Away, match="its name has no address"):
        await ask(Settings(bootstrap_servers="no-such-host.invalid:9092"))
    with pytest.raises(Away, match="nobody listens there"):
        await ask(Settings(bootstrap_servers="127.0.0.1:1"))
    worker = start("worker", bootstrap_servers=servers)
    await said_by(worker, "next try")
    assert "certificate has expired" in worker.text()


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-512"])
async def test_no_secret_is_in_the_logs_of_a_start_that_fails(
    guarded: GuardedKafka, topics: TopicPlan, start: Start, mechanism: str
) -> None:
    await guarded.revoke("User:worker")
    (guarded.folder / "http").write_text("hunter2-http-c0ffee")
    given = {
        "log_level": "DEBUG",
        "sasl_mechanism": mechanism,
        "http_token_file": guarded.folder / "http",
    }
    wrong = start("worker", **given, sasl_password_file=guarded.folder / "trainer")
    helpless = start("worker", **given)
    for process in (wrong, helpless):
        assert await asyncio.to_thread(process.exit_code, 60) == REFUSED, process.tail()
        text = process.text()
        assert "aiokafka" in text or "MetadataRequest" in text or "Request" in text
        assert "hunter2" not in text
        assert "Traceback" not in text
    assert "no user worker with this password" in wrong.text()
    assert "this user may not see it" in helpless.text()


@pytest.mark.timeout(180)
async def test_kafkas_own_tool_takes_the_commands(
    guarded: GuardedKafka, plan: TopicPlan, tmp_path: Path
) -> None:
    import jgo
    from jgo.maven import PythonResolver

    runtime = find_runtime(print)
    tools = jgo.build(f"org.apache.kafka:kafka-tools:{KAFKA_VERSION}", resolver=PythonResolver())
    classpath = os.pathsep.join(str(jar) for jar in tools.all_jars)
    config = tmp_path / "admin.properties"
    config.write_text("security.protocol=PLAINTEXT\n")
    listed = [right for right in all_rights(guarded, plan) if right.role == "worker"]
    principal = f"User:{plan.app_id}"
    lines = commands(listed, {"worker": principal}, guarded.broker.bootstrap_servers, str(config))
    for line in lines:
        name, *arguments = line.split(" ")
        assert name == "kafka-acls.sh"
        done = await asyncio.to_thread(
            subprocess.run,
            [str(runtime.java), "-cp", classpath, "org.apache.kafka.tools.AclCommand", *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert await guarded.granted(principal) == {
        (RESOURCES[right.resource], right.name, 4 if right.prefixed else 3, OPERATIONS[operation])
        for right in listed
        for operation in right.operations
    }
