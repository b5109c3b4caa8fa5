"""Everything that talks to Kafka: transport, partition task, transactions, topics, a broker."""
