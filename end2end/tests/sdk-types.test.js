// The SDK's types: they compile under the strictest settings, refuse what must be refused, and name what the modules have.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { promisify } from "node:util";

const folder = new URL("../", import.meta.url);
const sdk = new URL("../../public/sdk/", import.meta.url);

test("what callers write compiles, and what they must not write does not", async () => {
  const tsc = new URL("node_modules/.bin/tsc", folder).pathname;
  const { stdout } = await promisify(execFile)(tsc, ["--project", "types"], { cwd: folder }).catch((error) => error);
  assert.equal(stdout, "");
});

for (const half of ["browser", "server"]) {
  test(`the types of the ${half}'s half name just what it exports, and every member`, async () => {
    const module = await import(new URL(`${half}.js`, sdk).href);
    const types = await readFile(new URL(`${half}.d.ts`, sdk), "utf8");
    const declared = [...types.matchAll(/^export (?:class|function) (\w+)/gm)].map(([, name]) => name);
    assert.deepEqual([...declared, "TesseraError", "pkce"].sort(), Object.keys(module).sort());
    for (const name of declared.filter((name) => /^[A-Z]/.test(name))) {
      const [, body] = new RegExp(`^export class ${name} \\{\n(.*?)^\\}`, "ms").exec(types);
      const members = [...body.matchAll(/^ {2}(?:static |readonly |private )*(\w+)[(:]/gm)].map(([, member]) => member);
      const own = Object.getOwnPropertyNames(module[name].prototype);
      const statics = Object.getOwnPropertyNames(module[name]).filter((member) => typeof module[name][member] === "function" && member !== "prototype");
      const missing = [...own, ...statics].filter((member) => !members.includes(member));
      assert.deepEqual(missing, [], `${name} has members without types`);
    }
  });
}
