// Waiting for something that happens elsewhere: with a deadline, and as short as it can be.
import { setTimeout as pause } from "node:timers/promises";

/** Asks `look` until it answers something, and resolves to that; fails after `deadline` milliseconds. */
export async function until(what, deadline, look) {
  const end = performance.now() + deadline;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (performance.now() > end) throw new Error(`waited ${deadline} ms in vain for ${what}`);
    await pause(20);
  }
}
