// What is compiled against the schema before anything runs: the Relay compiler, and a generator of
// TypeScript whose output is type-checked.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, after, test } from 'node:test';
import { promisify } from 'node:util';
import { codegen } from '@graphql-codegen/core';
import * as typedDocumentNode from '@graphql-codegen/typed-document-node';
import * as typescriptOperations from '@graphql-codegen/typescript-operations';
import { buildClientSchema, getIntrospectionQuery, parse, printSchema, validateSchema } from 'graphql';
import relay from 'relay-compiler';
import { ask } from './server.js';

const run = promisify(execFile);
const modules = join(import.meta.dirname ?? new URL('.', import.meta.url).pathname, 'node_modules');

let folder;
let schema;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'relata-clients-'));
  await symlink(modules, join(folder, 'node_modules'));
  const options = { specifiedByUrl: true, inputValueDeprecation: true, oneOf: true };
  schema = buildClientSchema(await ask(getIntrospectionQuery(options)));
});

after(() => rm(folder, { recursive: true, force: true }));

test('the schema is valid', () => {
  assert.deepEqual(validateSchema(schema), []);
  assert.ok(schema.getType('CompanyOrder').isOneOf, 'CompanyOrder is @oneOf');
});

test('the Relay compiler takes connections, refetchable fragments and mutations', async () => {
  const source = join(folder, 'src');
  await mkdir(source);
  await writeFile(join(folder, 'schema.graphql'), printSchema(schema));
  await writeFile(join(source, 'People.js'), `
    graphql\`
      fragment People_company on Company
        @argumentDefinitions(first: { type: "Int", defaultValue: 10 }, after: { type: "String" })
        @refetchable(queryName: "PeoplePaginationQuery") {
        people(first: $first, after: $after) @connection(key: "People_people") {
          edges { node { id name { full } } }
        }
      }
    \`;
    graphql\`
      query PeopleQuery($id: ID!) { company(id: $id) { name ...People_company } }
    \`;
    graphql\`
      mutation PeopleAddMutation($data: PersonCreate!) {
        createPerson(data: $data) { id name { full } }
      }
    \`;
  `);
  await writeFile(join(folder, 'relay.config.json'), JSON.stringify({
    src: './src', schema: './schema.graphql', language: 'typescript', excludes: ['**/node_modules/**'],
  }));
  const { stdout, stderr } = await run(relay, ['relay.config.json'], { cwd: folder });
  const pagination = join(source, '__generated__', 'PeoplePaginationQuery.graphql.ts');
  const generated = await readFile(pagination, 'utf8').catch(() => assert.fail(stdout + stderr));
  // Refetching goes through \`node(id:)\`.
  assert.match(generated, /"node"/);
});

test('generated TypeScript is well typed', async () => {
  const document = parse(`
    query Deals($where: DealFilter, $after: String) {
      deals(where: $where, after: $after, orderBy: [{ name: ASC }]) {
        nodes { id name amount { amount currency } company { name } stage { stage { name } } }
        pageInfo { hasNextPage endCursor }
        totalCount
      }
    }
    mutation NewDeal($data: DealCreate!) { createDeal(data: $data) { id version } }
  `);
  const generated = await codegen({
    filename: 'deals.ts',
    schema: parse(printSchema(schema)),
    schemaAst: schema,
    documents: [{ location: 'deals.graphql', document }],
    config: { scalars: { Decimal: 'string', DateTime: 'string', Date: 'string' }, useTypeImports: true },
    plugins: [{ operations: {} }, { documents: {} }],
    pluginMap: { operations: typescriptOperations, documents: typedDocumentNode },
  });
  await writeFile(join(folder, 'deals.ts'), generated);
  await writeFile(join(folder, 'use.ts'), `
    import type { DealsQuery, DealsQueryVariables } from './deals';
    import { DealsDocument } from './deals';
    const variables: DealsQueryVariables = { where: { name: { iContains: 'a' } } };
    export function names(answer: DealsQuery): string[] {
      return answer.deals.nodes.map((deal) => deal.company?.name ?? deal.id);
    }
    export const used = [DealsDocument, variables];
    // @ts-expect-error a number is no text
    export const wrong: DealsQueryVariables = { where: { name: { iContains: 7 } } };
  `);
  const compile = run(process.execPath, [
    join(modules, 'typescript', 'bin', 'tsc'), '--noEmit', '--strict', '--skipLibCheck',
    '--module', 'esnext', '--moduleResolution', 'bundler', '--target', 'es2022', 'use.ts',
  ], { cwd: folder });
  await compile.catch(({ stdout }) => assert.fail(stdout));
});
