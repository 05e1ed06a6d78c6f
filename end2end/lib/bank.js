// The sandbox bank's pages, as an end-user walks them.

/** Signs in at the bank; the page must show its sign-in form. */
export async function signInAtBank(page, username, password = "sandbox") {
  await page.getByLabel("User name").fill(username);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
}

/** Ticks the first `count` accounts and agrees. */
export async function approve(page, count) {
  const boxes = page.getByRole("group", { name: "Your accounts" }).getByRole("checkbox");
  for (let at = 0; at < count; at += 1) await boxes.nth(at).check();
  await page.getByRole("button", { name: "Agree and share" }).click();
}

export function refuse(page) {
  return page.getByRole("button", { name: "Refuse" }).click();
}
