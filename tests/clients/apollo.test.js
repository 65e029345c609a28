// Apollo Client: its cache, its errors, its persisted queries.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { ApolloClient, CombinedGraphQLErrors, HttpLink, InMemoryCache, gql } from '@apollo/client';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries';
import { authorized, records } from './server.js';

const LIST = gql`
  query Companies($first: Int!, $after: String) {
    companies(first: $first, after: $after, orderBy: [{ name: ASC }]) {
      edges { cursor node { id name ...Staff } }
      pageInfo { hasNextPage endCursor }
      totalCount
    }
  }
  fragment Staff on Company { people(first: 3) { nodes { id name { full } } } }
`;

const sent = [];

function client(link) {
  return new ApolloClient({ cache: new InMemoryCache(), link });
}

const http = new HttpLink({
  uri: records,
  fetch: (input, init) => {
    sent.push(init.body ?? input);
    return authorized(input, init);
  },
});

test('a list is asked once, and then comes from the cache', async () => {
  const apollo = client(http);
  const { data } = await apollo.query({ query: LIST, variables: { first: 5 } });
  assert.equal(data.companies.edges.length, 5);
  assert.equal(data.companies.edges[0].node.__typename, 'Company');
  const before = sent.length;
  const again = await apollo.query({ query: LIST, variables: { first: 5 } });
  assert.deepEqual(again.data, data);
  assert.equal(sent.length, before);
});

test('a mutation changes what the cache shows', async () => {
  const apollo = client(http);
  const { data } = await apollo.query({ query: LIST, variables: { first: 1 } });
  const { id } = data.companies.edges[0].node;
  const RENAME = gql`
    mutation Rename($id: ID!, $name: String!) {
      updateCompany(id: $id, data: { name: $name }) { id name version }
    }
  `;
  const name = 'Renamed by Apollo';
  const renamed = await apollo.mutate({ mutation: RENAME, variables: { id, name } });
  assert.equal(renamed.data.updateCompany.name, name);
  const cached = apollo.readQuery({ query: LIST, variables: { first: 1 } });
  assert.equal(cached.companies.edges[0].node.name, name);
});

test('an error comes with its code', async () => {
  const apollo = client(http);
  const CREATE = gql`mutation { createCompany(data: { name: "x", employees: -1 }) { id } }`;
  const failed = await apollo.mutate({ mutation: CREATE }).catch((error) => error);
  assert.ok(CombinedGraphQLErrors.is(failed), `${failed}`);
  assert.ok(failed.errors[0].extensions.code, JSON.stringify(failed.errors));
});

for (const useGETForHashedQueries of [false, true]) {
  const method = useGETForHashedQueries ? 'GET' : 'POST';
  test(`persisted queries by ${method}: the text is sent once`, async () => {
    const sha256 = (text) => createHash('sha256').update(text).digest('hex');
    const QUERY = gql`query Persisted${method} { people(first: 2) { nodes { id } } }`;
    const options = { sha256, useGETForHashedQueries };
    for (const [round, requests] of [[1, 2], [2, 1]]) {
      const apollo = client(new PersistedQueryLink(options).concat(http));
      const before = sent.length;
      const { data } = await apollo.query({ query: QUERY });
      assert.equal(data.people.nodes.length, 2);
      assert.equal(sent.length - before, requests, `round ${round}`);
    }
  });
}
