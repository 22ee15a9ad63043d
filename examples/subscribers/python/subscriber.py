"""Keeps a file for each lead; docs/subscribing.md explains why it does what it does.

Settings: NATS_URL, NATS_USER (the subscriber's name), NATS_PASSWORD (its token), STATE (a directory).
"""

import asyncio
import json
import os
import sys
from pathlib import Path

import nats
from nats.errors import TimeoutError as NothingNew
from nats.js.api import AckPolicy, ConsumerConfig

NAME = os.environ["NATS_USER"]


async def follow(js):
    """Raises when it cannot go on: NATS or leadsync is down, or somebody deleted the consumer."""
    # A new consumer starts with the current state of every lead; an old one, where it stopped.
    sub = await js.pull_subscribe("", NAME, "LEADS", config=ConsumerConfig(ack_policy=AckPolicy.EXPLICIT))
    try:
        while True:
            try:
                messages = await sub.fetch(100, timeout=5)
            except NothingNew:
                await js.consumer_info("LEADS", NAME)  # or nobody answers any more
                continue
            for msg in messages:
                store(msg)
                await msg.ack()  # what is not acknowledged comes again
    finally:
        await sub.unsubscribe()


def store(msg):
    """Keeps a message unless it is old: messages can come twice, and late. A deletion has no
    card: keeping it removes names and phone numbers."""
    file = Path(os.environ["STATE"], msg.subject)
    kept = json.loads(file.read_bytes())["revision"] if file.exists() else 0
    revision = json.loads(msg.data)["revision"]
    if revision > kept:
        file.with_name(file.name + ".new").write_bytes(msg.data)
        file.with_name(file.name + ".new").replace(file)  # whole or not at all
        print(f"lead {msg.subject}, revision {revision}, {msg.headers['ce-type']}", flush=True)


async def main():
    nc = await nats.connect(os.environ["NATS_URL"], user=NAME, password=os.environ["NATS_PASSWORD"], max_reconnect_attempts=-1)
    while nc.is_connected or nc.is_reconnecting:
        try:
            await follow(nc.jetstream())
        except Exception as err:  # NATS and leadsync come back
            print("trying again:", err, file=sys.stderr)
        await asyncio.sleep(1)


asyncio.run(main())
