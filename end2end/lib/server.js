// Servers for tests: each has a folder and a port of its own and goes when the test goes.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** An environment variable that `cargo xtask test` sets. */
export function setting(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run the browser tests with \`cargo xtask test --only browser\``);
  return value;
}

/**
 * Starts `server serve --demo` on a free port and waits until it is ready.
 *
 * Resolves to `{ url, output(), stop() }`: the base URL without a slash at the end, everything printed so far, and a
 * stop that fails if the server did not end well.
 */
export async function startServer({ database, args = [], env = {} } = {}) {
  const folder = await mkdtemp(join(tmpdir(), "tessera-end2end-"));
  const command = ["serve", "--demo", "--listen", "127.0.0.1:0", "--data-dir", folder];
  if (database) command.push("--database", database);
  const child = spawn(setting("TESSERA_SERVER_BIN"), [...command, ...args], {
    cwd: folder,
    env: { ...process.env, TESSERA_HTTP__SITE_DIR: setting("TESSERA_SITE_DIR"), ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  // However this process ends, except by SIGKILL, the server does not stay behind.
  const kill = () => child.kill("SIGKILL");
  process.once("exit", kill);

  let printed = "";
  const ended = once(child, "exit");
  const said = (text) => (printed += text);
  child.stdout.setEncoding("utf8").on("data", said);
  child.stderr.setEncoding("utf8").on("data", said);

  const stop = async () => {
    child.kill("SIGTERM");
    const [code] = await ended;
    process.off("exit", kill);
    await rm(folder, { recursive: true, force: true });
    if (code !== 0) throw new Error(`the server ended with ${code} after SIGTERM. It said:\n${printed}`);
  };
  try {
    const url = await Promise.race([announced(child, () => printed), ended.then(() => endedEarly(printed))]);
    return { url, stop, output: () => printed };
  } catch (error) {
    child.kill("SIGKILL");
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

/** The first loopback URL the server prints. */
function announced(child, printed) {
  return new Promise((resolve) => {
    const look = () => {
      const url = /http:\/\/127\.0\.0\.1:\d+/.exec(printed());
      if (url) resolve(url[0]);
    };
    child.stdout.on("data", look);
    child.stderr.on("data", look);
  });
}

function endedEarly(printed) {
  throw new Error(`the server ended before it was ready. It said:\n${printed}`);
}
