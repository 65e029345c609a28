// The server that is tested: `cargo xtask test` starts it and says where it is.
export const url = process.env.RELATA_URL;
export const token = process.env.RELATA_TOKEN;

if (!url || !token) {
  throw new Error('RELATA_URL and RELATA_TOKEN name a running server: cargo xtask clients starts one');
}

export const records = `${url}/graphql`;
export const control = `${url}/metadata`;
export const authorization = `Bearer ${token}`;

/** fetch with the token. */
export function authorized(input, init = {}) {
  const headers = new Headers(init.headers);
  headers.set('authorization', authorization);
  return fetch(input, { ...init, headers });
}

/** The data of an answer without errors. */
export async function ask(query, variables = {}) {
  const response = await authorized(records, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = await response.json();
  if (errors) throw new Error(JSON.stringify(errors));
  return data;
}
