// Servers for tests: each has a folder and a port of its own and goes when the test goes.
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import { until } from "./until.js";

/** An environment variable that `cargo xtask test` sets. */
export function setting(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run the browser tests with \`cargo xtask test --only browser\``);
  return value;
}

/**
 * Starts `server serve --demo` on a free port and waits until it is ready.
 *
 * Resolves to
 * - `url`: the base URL without a slash at the end;
 * - `output()`: everything printed so far;
 * - `operate(...words)`: an operator's command on the same data, its JSON parsed;
 * - `letter(to, subject)`: the newest mail to an address whose subject matches, waited for;
 * - `stop()`: fails if the server did not end well.
 */
export async function startServer({ database, args = [], env = {} } = {}) {
  const folder = await mkdtemp(join(tmpdir(), "tessera-end2end-"));
  const data = ["--data-dir", folder, ...(database ? ["--database", database] : [])];
  const surroundings = { ...process.env, TESSERA_HTTP__SITE_DIR: setting("TESSERA_SITE_DIR"), ...env };
  const child = spawn(setting("TESSERA_SERVER_BIN"), ["serve", "--demo", "--listen", "127.0.0.1:0", ...data, ...args], {
    cwd: folder,
    env: surroundings,
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
    const operate = (...words) => operator([...words, ...data, "--public-url", url, "--json"], { cwd: folder, env: surroundings });
    const letter = (to, subject) => newestLetter(join(folder, "mail"), to, subject);
    return { url, stop, operate, letter, output: () => printed };
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

async function operator(words, options) {
  const { stdout } = await promisify(execFile)(setting("TESSERA_SERVER_BIN"), words, options);
  return JSON.parse(stdout);
}

/** The text of the newest mail to `to` with a subject like `subject`. */
function newestLetter(folder, to, subject) {
  return until(`a letter to ${to} about ${subject}`, 10_000, async () => {
    const names = await readdir(folder).catch(() => []);
    for (const name of names.sort().reverse()) {
      const { headers, body } = parsed(await readFile(join(folder, name), "utf8"));
      if (headers.to?.includes(to) && subject.test(headers.subject ?? "")) return body;
    }
  });
}

/** Headers (unfolded, by lower-case name) and text of a plain internet message. */
function parsed(message) {
  const [head, ...rest] = message.split("\r\n\r\n");
  const lines = head.replace(/\r\n[ \t]+/g, " ").split("\r\n");
  const headers = Object.fromEntries(lines.map((line) => [line.split(":", 1)[0].toLowerCase(), line.slice(line.indexOf(":") + 1).trim()]));
  return { headers, body: decoded(rest.join("\r\n\r\n"), headers["content-transfer-encoding"]) };
}

function decoded(body, encoding) {
  if (encoding === "base64") return Buffer.from(body, "base64").toString("utf8");
  if (encoding !== "quoted-printable") return body;
  const bytes = body.replace(/=\r\n/g, "").replace(/=([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
  return Buffer.from(bytes, "latin1").toString("utf8");
}
