"""What all our clients of Kafka share: connecting, reading, writing, and being let in.

`connection` and `closing` mend how aiokafka loses and leaves brokers, `records` what it does
slowly; `log` and `committed` read to an end, `writer` is the transactional producer,
`administration` an admin client; `acls` are the rights that each role needs, `rights` and `refused`
put into words what is missing.
"""
