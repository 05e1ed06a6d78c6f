// The example app as its README starts it: a process of its own, on an origin of its own.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { freePort, newTenant } from "./tenant.js";
import { Store } from "../example-app/lib/store.js";

/**
 * Starts the example app for a tenant of its own. Resolves to its `url`, the tenant's `keys`, `tables()` as they are in its
 * sealed file, and `stop()`, which fails if the app did not end well.
 */
export async function startExample(server) {
  const url = `http://127.0.0.1:${await freePort()}`;
  const keys = await newTenant(server, { links: [`${url}/return`], origins: [url] });
  const folder = await mkdtemp(join(tmpdir(), "tessera-example-"));
  const [file, secret] = [join(folder, "store.sealed"), "a secret of the test's"];
  const env = {
    PATH: process.env.PATH,
    TESSERA_URL: server.url,
    TESSERA_CLIENT_ID: keys.client_id,
    TESSERA_CLIENT_APP_KEY: keys.client_app_key,
    TESSERA_CLIENT_SECRET: keys.client_secret,
    APP_SECRET: secret,
    APP_URL: url,
    APP_STORE: file,
  };
  const child = spawn(process.execPath, [new URL("../example-app/server.js", import.meta.url).pathname], { env, stdio: ["ignore", "pipe", "pipe"] });
  const kill = () => child.kill("SIGKILL");
  process.once("exit", kill);
  let printed = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (printed += text));
  const ended = once(child, "exit");
  await Promise.race([once(child.stdout, "data"), ended.then(() => assertRuns(printed))]);
  return {
    url,
    keys,
    output: () => printed,
    tables: async () => (await Store.open(file, secret)).tables,
    stop: async () => {
      child.kill("SIGTERM");
      const [code] = await ended;
      process.off("exit", kill);
      await rm(folder, { recursive: true, force: true });
      if (code !== 0) throw new Error(`the example app ended with ${code}. It said:\n${printed}`);
    },
  };
}

function assertRuns(printed) {
  throw new Error(`the example app ended before it was ready. It said:\n${printed}`);
}
