// The site as `cargo xtask build` made it, through the server: names, caching, and that the pages load what they name.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { assertAccessible, assertFits, launch, themes, widths, withPage } from "../lib/browser.js";
import { setting, startServer } from "../lib/server.js";

let server, browser, assets;

before(async () => {
  assets = JSON.parse(await readFile(join(setting("TESSERA_SITE_DIR"), "pkg/assets.json"), "utf8"));
  [server, browser] = await Promise.all([startServer(), launch()]);
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

for (const [kind, type] of [["js", "text/javascript"], ["wasm", "application/wasm"], ["css", "text/css"]]) {
  test(`the built ${kind} has its type and may be kept for ever`, async () => {
    const answer = await fetch(server.url + assets[kind]);
    await answer.arrayBuffer();
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get("content-type")?.split(";")[0], type);
    assert.match(answer.headers.get("cache-control") ?? "", /immutable/);
  });
}

test("files of public/ are at the root", async () => {
  const answer = await fetch(`${server.url}/robots.txt`);
  assert.equal(answer.status, 200);
  assert.match(await answer.text(), /User-agent/);
});

test("the landing page uses the built stylesheet", () =>
  withPage(browser, {}, async (page) => {
    await page.goto(server.url);
    const sheets = await page.locator("link[rel=stylesheet]").evaluateAll((links) => links.map((link) => new URL(link.href).pathname));
    assert.ok(sheets.includes(assets.css), `${assets.css} is not among ${sheets}`);
  }));

for (const colorScheme of themes) {
  test(`the landing page is accessible in the ${colorScheme} theme`, () =>
    withPage(browser, { colorScheme }, async (page) => {
      await page.goto(server.url);
      await assertAccessible(page);
    }));
}

for (const width of widths) {
  test(`the landing page fits ${width} px`, () =>
    withPage(browser, { viewport: { width, height: 900 } }, async (page) => {
      await page.goto(server.url);
      await assertFits(page);
    }));
}
