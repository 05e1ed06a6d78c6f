// The front end. It knows the two keys that everybody may see; a temp_token passes through it to its own back end, and
// everything that opens data stays there.
import { SessionFlow, TesseraBrowser, TesseraError } from "tessera";

const FIRST = 50;
const LEFT = Symbol("left");
const at = (id) => document.getElementById(id);
const TROUBLE = {
  refused: "You chose not to share anything. Nothing was read and nothing was stored.",
  failed: "Your bank could not finish this. Try again, or come back later.",
  again: "This took too long, or was done before. Connect your bank once more.",
  ended: "Access to this bank has ended. Connect it once more.",
  later: "Your bank or our connection to it does not answer now. Try again later.",
  not_yours: "This connection was not begun here. Connect your bank from this page.",
  broken: "Something went wrong on our side. Try again later.",
};

/** A call to our own back end. */
async function call(path, body) {
  const post = body && { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  const response = await fetch(path, post);
  const answer = await response.json();
  if (!response.ok) throw Object.assign(new Error(answer.error), { word: answer.error });
  return answer;
}

let tessera;
let all = false;

async function start() {
  const me = await call("/api/me");
  const { url, client_id, client_app_key } = me.tessera;
  tessera = { skill: me.tessera.skill, client: new TesseraBrowser({ url, client_id, client_app_key }) };
  show(me);
  // Takes the token out of the address at once; a reload is to begin at the front page, too.
  const returning = SessionFlow.resume(tessera.client);
  if (location.pathname !== "/") history.replaceState(null, "", "/");
  const returned = await returning;
  if (returned?.kind === "last") {
    // `resume` found this tab's own session by the link's `state`; the back end compares it with those this user began.
    await busy("Reading your accounts…", async () => {
      await call("/api/connections/finish", { state: returned.flow.state, temp_token: returned.temp_token });
      await call("/api/refresh", {});
    });
  } else if (returned && returned.kind !== "done") {
    complain(["refused", "failed"].includes(returned.kind) ? returned.kind : "later");
  } else if (me.unread) {
    await busy("Reading your accounts…", () => call("/api/refresh", {}));
  }
}

/** Opens a session, submits its one step, and sends the user to their bank; says that this page is done with. */
async function connect() {
  const fields = await call("/api/connections", {});
  const flow = await SessionFlow.open(tessera.client, { skill: tessera.skill, ...fields });
  const answer = await flow.submit(flow.next_step, { psu_redirect_link: `${location.origin}/return` });
  flow.leave(answer);
  return LEFT;
}

/** Does something that takes a while, saying so; afterwards shows what there is then. */
async function busy(what, work) {
  at("progress").textContent = what;
  at("trouble").hidden = true;
  for (const button of document.querySelectorAll("button")) button.disabled = true;
  try {
    if ((await work()) === LEFT) return;
  } catch (error) {
    complain(wordFor(error));
  }
  for (const button of document.querySelectorAll("button")) button.disabled = false;
  show(await call("/api/me"));
  at("progress").textContent = "";
}

function wordFor(error) {
  if (error instanceof TesseraError) {
    console.info(`Tessera: ${error.code}, id ${error.id}`);
    return error.code === "unknown_return" ? "not_yours" : "later";
  }
  return error.word;
}

function complain(word) {
  at("trouble").textContent = TROUBLE[word] ?? TROUBLE.broken;
  at("trouble").hidden = false;
}

function show({ accounts, transactions }) {
  const none = accounts.length === 0;
  at("empty").hidden = !none;
  for (const id of ["accounts", "transactions", "refresh"]) at(id).hidden = none;
  at("connect").hidden = false;
  at("connect").textContent = none ? "Connect your bank" : "Connect another bank";
  at("accounts").querySelector("ul").replaceChildren(...accounts.map(card));
  const shown = all ? transactions : transactions.slice(0, FIRST);
  at("transactions").querySelector("tbody").replaceChildren(...shown.map(line));
  at("more").hidden = shown.length === transactions.length;
  at("more").textContent = `Show all ${transactions.length}`;
}

function card({ id, bank, name, iban, currency, amount, sign }) {
  const disconnect = element("button", { className: "quiet", textContent: "Disconnect", ariaLabel: `Disconnect ${bank}, with ${name}` });
  disconnect.addEventListener("click", () => busy("Disconnecting…", () => call("/api/disconnect", { asset: id })));
  return element("li", {}, [
    element("h3", { textContent: name }),
    element("p", { className: "faint", textContent: bank }),
    element("p", { className: "faint number", textContent: iban.replace(/(.{4})(?=.)/g, "$1 ") }),
    element("p", { className: "balance", textContent: amount ? money(amount, currency, sign) : "" }),
    disconnect,
  ]);
}

function line({ booked, info, amount, currency, sign, status }) {
  const day = booked.slice(0, 10);
  const pending = status === "pending" ? [" ", element("span", { className: "tag", textContent: "pending" })] : [];
  return element("tr", {}, [
    element("td", {}, [element("time", { dateTime: day, textContent: day })]),
    element("td", {}, [info, ...pending]),
    element("td", { className: `amount ${sign}`, textContent: money(amount, currency, sign) }),
  ]);
}

/** Amounts are decimal strings without sign, and stay strings: binary floating point would bend them. */
function money(amount, currency, sign) {
  const digits = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 6 });
  return `${digits.format(sign === "debit" ? `-${amount}` : amount)} ${currency}`;
}

function element(name, fields, children = []) {
  const made = Object.assign(document.createElement(name), fields);
  made.append(...children);
  return made;
}

at("connect").addEventListener("click", () => busy("Going to your bank…", connect));
at("refresh").addEventListener("click", () => busy("Reading your accounts…", () => call("/api/refresh", {})));
at("more").addEventListener("click", async () => {
  all = true;
  show(await call("/api/me"));
});
// Back from the bank by the browser's own button: the page as it was left is of no use.
addEventListener("pageshow", ({ persisted }) => persisted && location.reload());
start().catch((error) => complain(wordFor(error)));
