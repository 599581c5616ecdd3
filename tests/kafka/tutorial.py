#!/usr/bin/env python3
"""What every Kafka tutorial does, by other clients, with a Millpond query in the middle.

    tutorial.py MILLPOND BOOTSTRAP FOLDER

MILLPOND is the binary, BOOTSTRAP a broker's address, FOLDER an empty folder for Millpond's data. Topics get names of their
own, so that a broker can serve many runs. Exit code 0: everything was as it must be.
"""

import collections
import json
import pathlib
import signal
import subprocess
import sys
import time
import uuid

from confluent_kafka import Consumer as ConfluentConsumer, Producer, TopicPartition as ConfluentPartition
from confluent_kafka.admin import AdminClient, NewTopic
from faker import Faker
from kafka import KafkaConsumer, KafkaProducer
from kafka.structs import OffsetAndMetadata, TopicPartition

PEOPLE = 100
PARTITIONS = 4
# A wait for something that must come, not a pause.
PATIENCE_SECONDS = 60


def check(condition, what):
    """Fails loudly: an `assert` goes away under -O."""
    if not condition:
        sys.exit(f"tutorial: {what}")
    print(f"ok: {what}", flush=True)


def until(condition, what):
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        result = condition()
        if result:
            return result
        time.sleep(0.05)
    sys.exit(f"tutorial: waited in vain: {what}")


def create_topic(bootstrap, topic):
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.create_topics([NewTopic(topic, num_partitions=PARTITIONS, replication_factor=1)])[topic].result(30)
    described = until(lambda: admin.list_topics(topic, timeout=10).topics.get(topic), "the topic's metadata")
    check(len(described.partitions) == PARTITIONS, f"an admin client makes {topic} with {PARTITIONS} partitions")


def produce_people(bootstrap, topic):
    """Gives how many people have each job title."""
    Faker.seed(13)
    fake = Faker()
    # Few titles, so that some are held by several people.
    titles = [fake.unique.job() for _ in range(12)]
    producer = Producer({"bootstrap.servers": bootstrap, "partitioner": "murmur2_random"})
    counts = collections.Counter()
    for _ in range(PEOPLE):
        title = fake.random_element(titles)
        counts[title] += 1
        person = {"first_name": fake.first_name(), "last_name": fake.last_name(), "title": title}
        producer.produce(topic, key=title, value=json.dumps(person))
    check(producer.flush(30) == 0, f"{PEOPLE} people keyed by job title are written")
    return counts


def count_to_missing_topic(bootstrap, topic):
    producer = KafkaProducer(bootstrap_servers=bootstrap)
    for number in range(10):
        producer.send(topic, str(number).encode())
    producer.flush(30)
    consumer = KafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest", group_id=None)
    numbers = []
    until(lambda: numbers.extend(read(consumer)) or len(numbers) >= 10, "the numbers")
    consumer.close()
    check(numbers == [str(number).encode() for number in range(10)], "a topic that wasn't there is made by writing to it")


def read(consumer):
    """Values that a kafka-python consumer has now."""
    polled = consumer.poll(timeout_ms=200)
    return [record.value for records in polled.values() for record in records]


def share_partitions(bootstrap, topic, group):
    options = dict(bootstrap_servers=bootstrap, group_id=group, auto_offset_reset="earliest", enable_auto_commit=True)
    consumers = [KafkaConsumer(topic, **options) for _ in range(2)]
    seen = []

    def shared():
        for consumer in consumers:
            seen.extend(read(consumer))
        parts = [consumer.assignment() for consumer in consumers]
        return all(parts) and not parts[0] & parts[1] and len(parts[0] | parts[1]) == PARTITIONS

    until(shared, "two consumers of a group to share the partitions")
    until(lambda: [seen.extend(read(consumer)) for consumer in consumers] and len(seen) >= PEOPLE, "all people")
    for consumer in consumers:
        consumer.close()
    check(True, "consumers in a group share the partitions and see everyone")
    again = KafkaConsumer(topic, **options)
    until(lambda: again.assignment() or read(again), "an assignment")
    # Positions were committed at close: nothing comes again.
    check(not read(again) and not read(again), "automatic positions: nothing comes twice")
    again.close()


def positions_by_hand(bootstrap, topic, group):
    consumer = KafkaConsumer(
        topic, bootstrap_servers=bootstrap, group_id=group, auto_offset_reset="earliest", enable_auto_commit=False,
        max_poll_records=1,
    )
    polled = until(lambda: consumer.poll(timeout_ms=200), "a record")
    place, records = next(iter(polled.items()))
    consumer.commit({place: OffsetAndMetadata(records[-1].offset + 1, "", -1)})
    committed = consumer.committed(TopicPartition(place.topic, place.partition))
    consumer.close()
    check(committed == records[-1].offset + 1, "positions are committed by hand")


def earliest_and_latest(bootstrap, topic):
    def consumed(reset):
        consumer = ConfluentConsumer(
            {"bootstrap.servers": bootstrap, "group.id": f"{reset}-{uuid.uuid4()}", "auto.offset.reset": reset}
        )
        consumer.assign([ConfluentPartition(topic, partition) for partition in range(PARTITIONS)])
        found, quiet = 0, 0
        end = time.monotonic() + PATIENCE_SECONDS
        while quiet < 20 and found < PEOPLE and time.monotonic() < end:
            message = consumer.poll(0.1)
            found, quiet = (found + 1, 0) if message and not message.error() else (found, quiet + 1)
        consumer.close()
        return found

    check(consumed("earliest") == PEOPLE, "earliest reads what was there before")
    check(consumed("latest") == 0, "latest doesn't")


def start_query(millpond, bootstrap, folder, run, topic, output):
    # A service of its own: the catalog of a service stays on the cluster.
    config = pathlib.Path(folder) / "millpond.properties"
    config.write_text(f"bootstrap.servers={bootstrap}\nksql.service.id=tutorial_{run}_\n")
    script = pathlib.Path(folder) / "titles.sql"
    script.write_text(
        f"""CREATE STREAM people (title_key STRING KEY, first_name STRING, last_name STRING, title STRING)
              WITH (KAFKA_TOPIC='{topic}', VALUE_FORMAT='JSON');
            CREATE TABLE titles WITH (KAFKA_TOPIC='{output}', VALUE_FORMAT='JSON') AS
              SELECT title, COUNT(*) AS people FROM people GROUP BY title;
        """
    )
    data = pathlib.Path(folder) / "data"
    return subprocess.Popen(
        [millpond, "--config-file", config, "--data-dir", data, "run", script], stdin=subprocess.DEVNULL
    )


def counts_per_title(bootstrap, topic, expected):
    consumer = KafkaConsumer(
        topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest", group_id=None,
        isolation_level="read_committed",
    )
    counts = {}

    def complete():
        for records in consumer.poll(timeout_ms=200).values():
            for record in records:
                counts[record.key.decode()] = json.loads(record.value)["PEOPLE"]
        return counts == expected

    until(complete, f"the counts {dict(expected)}; the last ones were {counts}")
    consumer.close()
    check(True, "a Python consumer reads the people per title that the query counted")


def main():
    millpond, bootstrap, folder = sys.argv[1:]
    run = uuid.uuid4().hex[:8]
    topic, output = f"fake_people_{run}", f"titles_{run}"
    create_topic(bootstrap, topic)
    query = start_query(millpond, bootstrap, folder, run, topic, output)
    try:
        expected = produce_people(bootstrap, topic)
        count_to_missing_topic(bootstrap, f"hello_{run}")
        share_partitions(bootstrap, topic, f"sharing_{run}")
        positions_by_hand(bootstrap, topic, f"by_hand_{run}")
        earliest_and_latest(bootstrap, topic)
        counts_per_title(bootstrap, output, expected)
        query.send_signal(signal.SIGTERM)
        check(query.wait(PATIENCE_SECONDS) == 0, "SIGTERM ends the job well")
    finally:
        query.kill()


if __name__ == "__main__":
    main()
