// GraphQL over HTTP: every MUST and SHOULD of its specification, on both endpoints.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { serverAudits } from 'graphql-http';
import { authorized, control, records } from './server.js';

const AUDITS = 61;

for (const url of [records, control]) {
  const audits = serverAudits({ url, fetchFn: authorized });

  test(`${new URL(url).pathname}: all audits are there`, () => {
    assert.equal(audits.length, AUDITS);
  });

  for (const audit of audits) {
    test(`${new URL(url).pathname}: ${audit.name}`, async () => {
      const { status, reason } = await audit.fn();
      assert.equal(status, 'ok', reason);
    });
  }
}
