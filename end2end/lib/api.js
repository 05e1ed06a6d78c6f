// The API as a tenant's own program calls it: by fetch, with nothing but what the documents print.

export const skill = "xyz_ro_aisp_sbx_#1.0";

/** `POST {server}/v1{path}`: the status and the parsed answer. */
export async function post(server, path, body) {
  const response = await fetch(`${server.url}/v1${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: await response.json() };
}

/** Opens a session and submits its first step; resolves to the session and the bank's URL. */
export async function walkToBank(server, keys, link) {
  const session = await post(server, "/sessions", { client_id: keys.client_id, client_app_key: keys.client_app_key, skill });
  expect(session, 200);
  const { session_id, nonce } = session.body;
  const step = await post(server, `/sessions/${session_id}/steps`, {
    client_id: keys.client_id,
    nonce,
    skill,
    step: "sca",
    data: { psu_redirect_link: link },
  });
  expect(step, 200);
  return { session_id, bank: step.body.data.url };
}

/** Exchanges a `temp_token`, with its `code_verifier` if it needs one, and reads the accounts of the consent. */
export async function readAccounts(server, keys, temp_token, code_verifier) {
  const proof = { client_id: keys.client_id, client_secret: keys.client_secret };
  const exchanged = await post(server, "/token", { ...proof, temp_token, code_verifier });
  expect(exchanged, 200);
  const { credentials_id, access_token } = exchanged.body;
  const accounts = await post(server, "/accounts/get", { ...proof, credentials_id, access_token });
  expect(accounts, 200);
  return accounts.body;
}

function expect(answer, status) {
  if (answer.status !== status) throw new Error(`the API answered ${answer.status}: ${JSON.stringify(answer.body)}`);
}
