// A client that means harm, or has a mistake: every kind of wrong value in every place that takes
// one. Each answer is an error with a code and a message that a person can act on, or a right
// answer; never a failure of the server.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { authorized, records } from './server.js';

const SOME_ID = '01890000-0000-7000-8000-000000000000';

const VALUES = [
  null, [], {}, [null], [[]], '', 'x', 'NaN', 'Infinity', '-0', '1e400', '0x10', 1, -1, 1.5, 1e300,
  9007199254740993, '9'.repeat(400), true, '10000-01-01', '2024-02-30', '0000-00-00',
  '2024-01-01T00:00:00+99:00', '10000-01-01T00:00:00Z', '\u0000', 'a\u202eb', 'x'.repeat(200_000),
  Array(10_001).fill('x'), Array(1_001).fill(1), SOME_ID,
  { last: 1e9, unit: 'DAY' }, { last: -1, unit: 'DAY' }, { last: 3, unit: 'NO' },
  { next: 1, last: 1, unit: 'DAY' }, { last: 99_999_999, unit: 'YEAR' },
  { amount: '9'.repeat(400), currency: 'EUR' }, { currency: '??' }, { some: {} }, { id: { eq: 'not' } },
  { to: 'nowhere' }, { connect: { id: 'x' } }, { create: {} }, { connect: [{}], create: [{}] },
  { primary: 'x' }, { full: 'x'.repeat(400) }, Array(20).fill({ name: 'ASC' }),
];

// Ours, or too late: neither may come of a wrong value.
const FAILURES = new Set(['INTERNAL', 'TIMEOUT', 'UNAVAILABLE', 'CONFLICT']);

async function send(body) {
  const response = await authorized(records, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/graphql-response+json' },
    body,
  });
  return { status: response.status, answer: await response.json() };
}

async function check(query, variables, place) {
  const { status, answer } = await send(JSON.stringify({ query, variables }));
  const shown = `${place}: ${JSON.stringify(variables).slice(0, 200)}: ${JSON.stringify(answer).slice(0, 500)}`;
  assert.ok(status < 500, shown);
  for (const error of answer.errors ?? []) {
    assert.ok(error.message, shown);
    assert.ok(error.extensions?.code, shown);
    assert.ok(!FAILURES.has(error.extensions.code), shown);
  }
}

const named = (type) => (type.ofType ? named(type.ofType) : type.name);

async function inputs() {
  const type = 'kind name ofType { kind name ofType { kind name ofType { kind name } } }';
  const query = `{ __schema { types { name kind inputFields { name type { ${type} } } } } }`;
  const { answer } = await send(JSON.stringify({ query }));
  return new Map(answer.data.__schema.types.map((found) => [found.name, found]));
}

for (const [object, plural] of [['Person', 'people'], ['Deal', 'deals']]) {
  const many = plural[0].toUpperCase() + plural.slice(1);

  test(`conditions on ${plural}`, async () => {
    const types = await inputs();
    const query = `query($w: ${object}Filter) { ${plural}(where: $w, first: 1) { totalCount } }`;
    for (const field of types.get(`${object}Filter`).inputFields) {
      for (const value of VALUES) await check(query, { w: { [field.name]: value } }, field.name);
      const filter = types.get(named(field.type));
      const isOperators = filter.kind === 'INPUT_OBJECT' && !types.has(filter.name.replace(/(List)?Filter$/, 'Create'));
      for (const operator of isOperators ? filter.inputFields : []) {
        // Every third, another one each time: operators of a type share their coercion.
        const offset = operator.name.length % 3;
        for (const value of VALUES.filter((_, index) => index % 3 === offset)) {
          await check(query, { w: { [field.name]: { [operator.name]: value } } }, `${field.name}.${operator.name}`);
        }
      }
    }
  });

  test(`data of ${plural}`, async () => {
    const types = await inputs();
    const ways = {
      Create: `mutation($d: ${object}Create!) { create${object}(data: $d) { id } }`,
      Update: `mutation($d: ${object}Update!) { update${object}(id: "${SOME_ID}", data: $d) { id } }`,
    };
    for (const [kind, mutation] of Object.entries(ways)) {
      for (const field of types.get(`${object}${kind}`).inputFields) {
        for (const value of VALUES) await check(mutation, { d: { [field.name]: value } }, `${kind}.${field.name}`);
      }
    }
  });

  test(`arguments of ${plural}`, async () => {
    const ask = (type, field) => `query($v: ${type}) { ${plural}${field} }`;
    const groups = (rest) => ` { groups(${rest}, first: 1) { totalCount } }`;
    const documents = [
      ask(`[${object}Order!]`, '(orderBy: $v, first: 1) { totalCount }'),
      ask(`[${object}GroupBy!]!`, groups('by: $v')),
      ask(`${object}Having`, groups('by: [{ owner: true }], having: $v')),
      ask(`[${object}GroupOrder!]`, groups('by: [{ owner: true }], orderBy: $v')),
      `mutation($v: [${object}Create!]!) { create${many}(data: $v) { count } }`,
      `mutation($v: ${object}Filter!) { delete${many}(where: $v) { count } }`,
      ...[['first', 'Int'], ['last', 'Int'], ['offset', 'Int'], ['after', 'String'], ['before', 'String'], ['deleted', 'Deleted']]
        .map(([name, type]) => ask(type, `(${name}: $v) { totalCount nodes { id } }`)),
    ];
    for (const document of documents) {
      for (const value of VALUES) await check(document, { v: value }, document);
    }
  });
}

test('bodies that are no requests', async () => {
  for (const body of [
    '', '{', '[]', '7', '"x"', 'null', '{"query": "\\ud800"}', '{"query": "{a}", "query": "{b}"}',
    '{"query": "{ __typename }", "variables": {"x": "\\udfff"}}', `{"query": ${'['.repeat(100_000)}`,
    JSON.stringify({ query: `{ f(x: ${'['.repeat(50_000)}` }), JSON.stringify({ query: '{'.repeat(50_000) }),
  ]) {
    const { status, answer } = await send(body);
    assert.ok(status >= 400 && status < 500, `${body.slice(0, 80)}: ${status}`);
    assert.ok(answer.errors[0].extensions.code, body.slice(0, 80));
  }
});
