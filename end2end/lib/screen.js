// What holds for every screen: axe finds nothing in either theme, wide or narrow, and nothing scrolls sideways.
import { assertAccessible, assertFits, themes, widths } from "./browser.js";

/** Contexts for looking at screens: no transition is caught half-way. */
export const still = { reducedMotion: "reduce" };

/** Looks at the page as it stands: wide and narrow, where the frame differs, each in both themes. */
export async function assertScreen(page) {
  for (const width of [1280, 375]) {
    for (const theme of themes) await look(page, theme, width);
  }
  for (const width of widths) {
    await page.setViewportSize({ width, height: 900 });
    await assertFits(page);
  }
  await page.setViewportSize({ width: 1280, height: 900 });
}

async function look(page, colorScheme, width) {
  await page.setViewportSize({ width, height: 900 });
  await page.emulateMedia({ colorScheme });
  await assertAccessible(page);
}

/** The same for each of `paths`, as a test of its own. */
export async function assertScreens(t, page, server, paths) {
  for (const path of paths) {
    await t.test(path, async () => {
      await page.goto(server.url + path);
      await assertScreen(page);
    });
  }
}
