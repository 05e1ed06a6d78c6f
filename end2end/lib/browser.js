// One Chromium per test file, a fresh context per page. Whatever the browser complains about fails the test.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

import { setting } from "./server.js";

const axeSource = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** The widths that every screen must fit, in CSS pixels. */
export const widths = [375, 768, 1280, 1920];
export const themes = ["light", "dark"];

/** Starts the browser; close it with `close()`. */
export function launch() {
  return chromium.launch({
    executablePath: setting("CHROMIUM"),
    // Root has no use for Chromium's sandbox, which refuses it; the rest keeps the browser from calling home.
    chromiumSandbox: process.getuid?.() !== 0,
    args: ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
}

/**
 * Opens a page of its own and gives it to `use`; afterwards fails if anything went wrong in it: a console error, an
 * exception, a CSP violation (a console error too), an answer of 500 or more, a part of a page that was refused.
 *
 * `options` are playwright's for a context (`javaScriptEnabled`, `colorScheme`, `viewport`, ...), and `tolerates`: a
 * pattern for console errors that belong to what is tested, and `refusals`: statuses below 500 that do.
 */
export async function withPage(browser, { tolerates, refusals = [], ...options }, use) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  context.setDefaultTimeout(10_000);
  const complaints = [];
  const heard = (message) => {
    // A page that is a refusal makes Chromium say so; what is refused within a page is noticed below.
    const refused = message.text().startsWith("Failed to load resource: the server responded with a status of");
    if (message.type() === "error" && !refused && !tolerates?.test(message.text())) complaints.push(`console: ${message.text()}`);
  };
  try {
    const page = await context.newPage();
    page.on("console", heard);
    page.on("pageerror", (error) => complaints.push(`exception: ${error.message}`));
    page.on("response", (response) => {
      const expected = response.request().isNavigationRequest() || refusals.includes(response.status());
      const broken = response.status() >= 500 || (response.status() >= 400 && !expected);
      if (broken) complaints.push(`${response.status()} for ${response.url()}`);
    });
    const result = await use(page, context);
    assert.deepEqual(complaints, [], "the browser complained");
    return result;
  } catch (error) {
    if (complaints.length && !error.message.includes("the browser complained")) {
      error.message += `\nThe browser complained too:\n${complaints.join("\n")}`;
    }
    throw error;
  } finally {
    await context.close();
  }
}

/** Fails with axe's findings, one line each, if the page has any. Needs a page with JavaScript. */
export async function assertAccessible(page) {
  // Evaluated through the debugging protocol, which the page's own policy does not forbid.
  await page.evaluate(axeSource);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  const lines = violations.flatMap(({ id, help, nodes }) => nodes.map((node) => `${id}: ${help}: ${node.target.join(" ")}`));
  assert.deepEqual(lines, [], `axe found something at ${page.url()}`);
}

/** Fails if the page scrolls sideways. */
export async function assertFits(page) {
  const { content, window } = await page.evaluate(() => ({
    content: document.documentElement.scrollWidth,
    window: document.documentElement.clientWidth,
  }));
  assert.ok(content <= window, `${page.url()} is ${content} px wide in a window of ${window} px`);
}
