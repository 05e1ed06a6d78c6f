// A person without a mouse: the Tab key, and a focus that can be seen at every stop.
import assert from "node:assert/strict";

const MOST_STOPS = 80;

/** Presses Tab until `thing` has the focus. Fails if it is never reached, or if any stop on the way is invisible. */
export async function tabTo(page, thing) {
  for (let stop = 0; stop < MOST_STOPS; stop += 1) {
    await page.keyboard.press("Tab");
    const invisible = await page.evaluate(withoutVisibleFocus);
    assert.equal(invisible, null, `the focus cannot be seen on ${invisible}`);
    if (await thing.evaluate((element) => element === document.activeElement)) return;
  }
  assert.fail(`${thing} is not reached with the Tab key`);
}

/** In the page: what has the focus, if nothing shows that it has. */
function withoutVisibleFocus() {
  const focused = document.activeElement;
  if (!focused || focused === document.body) return null;
  const { outlineStyle, outlineWidth } = getComputedStyle(focused);
  const box = focused.getBoundingClientRect();
  const seen = outlineStyle !== "none" && parseFloat(outlineWidth) >= 2 && box.width > 0 && box.height > 0;
  return seen ? null : focused.outerHTML.slice(0, 120);
}
