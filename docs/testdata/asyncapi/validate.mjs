// Validates an AsyncAPI document with AsyncAPI's own parser, and the examples of its messages
// against their schemas, which that parser leaves out.
// Usage: node validate.mjs asyncapi.yaml
import { fromFile, Parser } from "@asyncapi/parser";
import Ajv from "ajv";
import addFormats from "ajv-formats";

const file = process.argv[2];
const { document, diagnostics } = await fromFile(new Parser(), file).parse();
const faults = diagnostics
  .filter((d) => d.severity <= 1) // errors and warnings
  .map((d) => `${file}:${d.range.start.line + 1} ${d.path.join(".")}: ${d.message}`);

// check compares an example with a schema; both may be absent.
function check(what, schema, value) {
  if (!schema || value === undefined) {
    return;
  }
  const ajv = addFormats(new Ajv({ strict: false, allErrors: true }));
  const plain = JSON.parse(JSON.stringify(schema, (key, v) => (key.startsWith("x-parser-") ? undefined : v)));
  if (!ajv.validate(plain, value)) {
    faults.push(`${what}: ${ajv.errorsText(ajv.errors, { dataVar: "example" })}`);
  }
}

for (const channel of document?.channels().all() ?? []) {
  for (const message of channel.messages().all()) {
    const examples = message.examples().all();
    for (const example of examples) {
      const what = `${channel.address()}, example ${example.name()}`;
      check(what, message.payload()?.json(), example.payload());
      check(`${what}, headers`, message.headers()?.json(), example.headers());
    }
    if (examples.length === 0) {
      faults.push(`${channel.address()}: message ${message.id()} has no example`);
    }
    console.log(`${channel.address()}: ${message.id()}, ${examples.length} examples`);
  }
}
faults.forEach((fault) => console.error(fault));
process.exit(document && faults.length === 0 ? 0 : 1);
