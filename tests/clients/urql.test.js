// urql: queries, errors, persisted operations.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, cacheExchange, fetchExchange, gql } from '@urql/core';
import { persistedExchange } from '@urql/exchange-persisted';
import { authorized, records } from './server.js';

const sent = [];

function client(...exchanges) {
  return new Client({
    url: records,
    preferGetMethod: false,
    fetch: (input, init) => {
      sent.push(init.body ?? input);
      return authorized(input, init);
    },
    exchanges: [cacheExchange, ...exchanges, fetchExchange],
  });
}

test('a query with variables', async () => {
  const QUERY = gql`
    query Deals($name: String!) {
      companies(where: { name: { iContains: $name } }, first: 3) { nodes { id name } totalCount }
    }
  `;
  const { data, error } = await client().query(QUERY, { name: 'a' });
  assert.equal(error, undefined);
  assert.ok(data.companies.totalCount > 0);
});

test('an error comes with its code', async () => {
  const { error } = await client().query(gql`{ company(id: 7) { nothing } }`, {});
  assert.equal(error.graphQLErrors[0].extensions.code, 'BAD_INPUT');
});

test('a mutation', async () => {
  const CREATE = gql`mutation($name: String!) { createCompany(data: { name: $name }) { id name } }`;
  const { data, error } = await client().mutation(CREATE, { name: 'Made by urql' });
  assert.equal(error, undefined);
  assert.equal(data.createCompany.name, 'Made by urql');
});

test('a persisted query is sent once', async () => {
  const QUERY = gql`query PersistedUrql { people(first: 2) { nodes { id } } }`;
  for (const requests of [2, 1]) {
    const before = sent.length;
    const { data, error } = await client(persistedExchange()).query(QUERY, {});
    assert.equal(error, undefined);
    assert.equal(data.people.nodes.length, 2);
    assert.equal(sent.length - before, requests);
  }
});
