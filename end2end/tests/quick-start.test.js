// The shell samples of the quick start and of the README, as they are written, in the three shells that people have.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { copyFile, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { launch, withPage } from "../lib/browser.js";
import { register } from "../lib/portal.js";
import { startServer } from "../lib/server.js";

let server, browser, folder;

/** The shells, started without anybody's own settings. `dash` is Debian's `sh`. */
const shells = { bash: ["bash", "--norc"], zsh: ["zsh", "-f"], sh: ["dash"] };

before(async () => {
  [server, browser, folder] = await Promise.all([startServer(), launch(), mkdtemp(join(tmpdir(), "tessera-shells-"))]);
  await withPage(browser, {}, async (page) => {
    await register(page, server);
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Download .env" }).click()]);
    await copyFile(await download.path(), join(folder, "tessera.env"));
  });
});

after(async () => {
  await browser?.close();
  await server?.stop();
  if (folder) await rm(folder, { recursive: true, force: true });
});

/** What a shell prints that is given a script to read, as when it is pasted. */
async function pasted(shell, script) {
  const [program, ...options] = shells[shell];
  const child = spawn(program, [...options, "-s"], { cwd: folder, env: { PATH: process.env.PATH, HOME: folder } });
  const ended = new Promise((resolve, reject) => {
    child.once("error", (error) => reject(new Error(`${program} cannot be run: ${error.message}. Install it, or let \`cargo xtask test --install\` do it.`)));
    child.once("close", resolve);
  });
  let [printed, complained] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text) => (printed += text));
  child.stderr.setEncoding("utf8").on("data", (text) => (complained += text));
  child.stdin.end(script);
  const code = await ended;
  assert.equal(complained, "", `${shell} complained; it printed:\n${printed}`);
  assert.equal(code, 0, printed);
  return printed;
}

/** The shell samples of a Markdown text, one after the other. */
function samples(markdown) {
  const blocks = [...markdown.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map((found) => found[1]);
  assert.ok(blocks.length > 0, "there is no shell sample");
  return blocks.join("");
}

const ibans = (text) => new Set(text.match(/RO\d{2}XYZB[0-9A-Z]{16}/g)).size;

for (const shell of Object.keys(shells)) {
  test(`the quick start runs as written in ${shell}`, async () => {
    const guide = await (await fetch(`${server.url}/docs/quick-start.md`)).text();
    const printed = await pasted(shell, samples(guide));
    assert.match(printed, /"status": "SESSION_CREATED"/);
    assert.ok(ibans(printed) >= 4, printed);
    assert.equal(printed.match(/"utx_id"/g)?.length, 20);
  });

  test(`the README's ten lines run as written in ${shell}`, async () => {
    const readme = await readFile(new URL("../../README.md", import.meta.url), "utf8");
    const section = readme.split("## The first request, in ten lines")[1].split("\n## ")[0];
    const printed = await pasted(shell, samples(section));
    assert.equal(JSON.parse(printed).items.length, 4);
  });
}

test("the quick start is a script of its own", async () => {
  const printed = await pasted("sh", `curl -sS ${server.url}/docs/quick-start.sh | sh\n`);
  assert.ok(ibans(printed) >= 4, printed);
});

test("the guide shows whoever is signed in their own keys, and nobody a secret", () =>
  withPage(browser, {}, async (page) => {
    const { client_id, client_app_key, client_secret } = await register(page, server);
    await page.goto(`${server.url}/docs/quick-start`);
    await page.getByText(`TESSERA_CLIENT_ID=${client_id}`).waitFor();
    await page.getByText(`TESSERA_CLIENT_APP_KEY=${client_app_key}`).waitFor();
    assert.ok(!(await page.content()).includes(client_secret));
  }));
