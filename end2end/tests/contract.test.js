// Every example of the API's public documentation, against the running server.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { compare } from "../contract/shapes.js";
import { Replay, chapters, examples, redirectLink } from "../contract/replay.js";
import { startServer } from "../lib/server.js";
import { newTenant } from "../lib/tenant.js";

let server, replay;

before(async () => {
  server = await startServer();
  const skills = await (await fetch(`${server.url}/v1/catalog/skills`)).json();
  const keys = await newTenant(server, { skills: skills.items.map(({ skill }) => skill), links: [redirectLink] });
  replay = new Replay(server.url, keys);
});

after(() => server?.stop());

for (const chapter of chapters) {
  for (const example of await examples(chapter)) {
    test(example.name, async (t) => {
      const { differences, more } = await replay.play(example);
      assert.deepEqual(differences, []);
      if (more.length) t.diagnostic(`beyond the documents: ${more.join(", ")}`);
    });
  }
}

test("whatever differs from a shape is noticed", () => {
  const shape = { id: "uuid", amount: "decimal", note: "string|null", "more?": "integer", rows: ["@row"], maybe: ["any", "@row"], one: { $or: ["null", { a: "'x'" }] } };
  const named = { row: { at: "time" } };
  const good = { id: "7489fe74-a91d-4897-8895-cd5e05c0fc4b", amount: "12.50", note: null, rows: [{ at: "2026-01-05T08:15:00Z" }], maybe: [], one: { a: "x" } };
  const against = (change) => compare({ ...good, ...change }, shape, named).differences;
  assert.deepEqual(against({}), []);
  assert.deepEqual(compare({ ...good, extra: 1 }, shape, named).more, ["answer.extra"]);
  const { amount, ...without } = good;
  assert.match(compare(without, shape, named).differences[0], /amount: expected, and absent/);
  const changes = [{ id: "7489" }, { amount: 12.5 }, { amount: "-1" }, { note: 1 }, { more: 1.5 }, { rows: [] }, { rows: {} }, { rows: [{ at: "yesterday" }] }, { rows: [{ at: null }] }, { maybe: [1] }, { one: { a: "y" } }, { one: [] }];
  for (const change of changes) assert.equal(against(change).length, 1, JSON.stringify(change));
  assert.match(compare([], { a: "text" }, named).differences[0], /expected an object/);
});
