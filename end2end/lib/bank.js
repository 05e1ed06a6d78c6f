// The sandbox bank's pages, as an end-user walks them.

/** Signs in at the bank; the page must show its sign-in form. */
export async function signInAtBank(page, username, password = "sandbox") {
  await page.getByLabel("User name").fill(username);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
}

/** Signs in at the bank with the button of a test user. */
export function continueAs(page, username) {
  return page.getByRole("button", { name: `Continue as ${username}` }).click();
}

/** Leaves the first `count` accounts ticked and agrees. */
export async function approve(page, count) {
  const boxes = page.getByRole("group", { name: "Your accounts" }).getByRole("checkbox");
  await boxes.first().waitFor();
  for (const [at, box] of (await boxes.all()).entries()) await box.setChecked(at < count);
  await page.getByRole("button", { name: "Agree and share" }).click();
}

export function refuse(page) {
  return page.getByRole("button", { name: "Refuse" }).click();
}
