// Keeps a file for each lead; docs/subscribing.md explains why it does what it does.
// Settings: NATS_URL, NATS_USER (the subscriber's name), NATS_PASSWORD (its token), STATE (a directory).
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { AckPolicy, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";

const { NATS_URL, NATS_USER, NATS_PASSWORD, STATE } = process.env;

// follow returns or throws when it cannot go on: leadsync is down, or somebody deleted the consumer.
async function follow(nc) {
  const manager = await jetstreamManager(nc);
  // A new consumer starts with the current state of every lead; an old one, where it stopped.
  await manager.consumers.add("LEADS", { durable_name: NATS_USER, ack_policy: AckPolicy.Explicit });
  const consumer = await jetstream(nc).consumers.get("LEADS", NATS_USER);
  for await (const msg of await consumer.consume({ abort_on_missing_resource: true })) {
    if (store(msg)) {
      msg.ack(); // what is not acknowledged comes again
    }
  }
}

// store keeps a message unless it is old: messages can come twice, and late. A deletion has no
// card: keeping it removes names and phone numbers.
function store(msg) {
  const file = join(STATE, msg.subject);
  try {
    const kept = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")).revision : 0;
    const { revision } = msg.json();
    if (revision > kept) {
      writeFileSync(`${file}.new`, msg.data, { mode: 0o600 });
      renameSync(`${file}.new`, file); // whole or not at all
      console.log(`lead ${msg.subject}, revision ${revision}, ${msg.headers.get("ce-type")}`);
    }
    return true;
  } catch (err) {
    console.error(`${file} was not stored: ${err.message}`);
    return false;
  }
}

// NATS may be down, now or later: connect waits. A wrong token makes it throw.
const nc = await connect({
  servers: NATS_URL, user: NATS_USER, pass: NATS_PASSWORD, waitOnFirstConnect: true, maxReconnectAttempts: -1,
});
nc.closed().then((err) => {
  console.error(`NATS refuses this subscriber: ${err?.message}`);
  process.exit(1);
});
for (;;) {
  await follow(nc).catch((err) => console.error(`trying again: ${err.message}`));
  await new Promise((resolve) => setTimeout(resolve, 1000));
}
