// Files in a bucket: a server of its own keeps its files with an S3 server that this process
// starts. s3rver knows keys by their ids; it does not work out the signatures of today's protocol.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, test } from 'node:test';
import S3rver from 's3rver';

const program = process.env.RELATA_PROGRAM;
if (!program) throw new Error('RELATA_PROGRAM names the program: cargo xtask clients sets it');

const MIB = 1 << 20;
const SECRET = 'S3RVER';
// Longest that a bucket that is away is tried again (20 s), and a little.
const PATIENCE_MS = 60_000;

const folder = mkdtempSync(join(tmpdir(), 'relata-s3-'));
const processes = [];
let bucket;

async function startBucket(port = 0) {
  bucket = new S3rver({
    port,
    address: '127.0.0.1',
    silent: true,
    directory: join(folder, 's3'),
    configureBuckets: [{ name: 'crm' }],
  });
  return (await bucket.run()).port;
}

after(async () => {
  for (const child of processes) child.kill('SIGKILL');
  await bucket.close().catch(() => {});
  rmSync(folder, { recursive: true, force: true });
});

/** A server whose files lie in the bucket, and a token for it. */
async function serve(name, port, key) {
  const env = {
    PATH: process.env.PATH,
    RELATA_DATABASE_URL: `sqlite://${join(folder, name)}.db?mode=rwc`,
    RELATA_DATA_DIR: join(folder, name),
    RELATA_FILE_STORE: 's3://crm/files',
    RELATA_FILE_STORE_ENDPOINT: `http://127.0.0.1:${port}`,
    RELATA_RETENTION__FILES: '1s',
    RELATA_RETENTION__LOOK_EVERY: '1s',
    RELATA_ADMIN_PASSWORD: 'correct horse battery staple',
    AWS_ACCESS_KEY_ID: key,
    AWS_SECRET_ACCESS_KEY: SECRET,
  };
  const relata = (...args) => execFileSync(program, args, { env, encoding: 'utf8' });
  relata('user', 'create', '--email', 'a@example.com', '--name', 'Ada', '--admin');
  const { token } = JSON.parse(relata('token', 'create', '--user', 'a@example.com', '--json'));
  // What the settings hold can be shown to anybody.
  assert(!relata('settings').includes(SECRET));
  const child = spawn(program, ['serve', '--listen', '127.0.0.1:0'], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  processes.push(child);
  let log = '';
  child.stderr.on('data', (text) => (log += text));
  const [line] = await createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    .next().then(({ value }) => [value]);
  const url = line.replace('listening on ', '').trim();
  const headers = { authorization: `Bearer ${token}` };
  return {
    log: () => log,
    send: async (fileName, body, options = {}) => {
      const response = await fetch(`${url}/files?name=${fileName}`, { method: 'POST', headers, body, ...options });
      return { status: response.status, body: await response.json() };
    },
    get: (id, more = {}) => fetch(`${url}/files/${id}`, { headers: { ...headers, ...more } }),
    keep: async (id) => {
      const ask = async (route, query) => {
        const response = await fetch(url + route, {
          method: 'POST',
          headers: { ...headers, 'content-type': 'application/json' },
          body: JSON.stringify({ query }),
        });
        const { data, errors } = await response.json();
        assert.equal(errors, undefined, JSON.stringify(errors));
        return data;
      };
      await ask('/metadata', `mutation { createField(object: "company", data: { key: "file${id.slice(-4)}", kind: "file" }) { name } }`);
      await ask('/graphql', `mutation { createCompany(data: { name: "A", file${id.slice(-4)}: "${id}" }) { id } }`);
    },
  };
}

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');
/** What lies in the bucket, as s3rver keeps it. */
const objects = () => {
  try {
    return readdirSync(join(folder, 's3', 'crm', 'files')).filter((name) => name.endsWith('_object'));
  } catch {
    return [];
  }
};

async function until(what, condition) {
  const end = Date.now() + PATIENCE_MS;
  while (!(await condition())) {
    assert(Date.now() < end, `still not so: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

test('files go into a bucket and come out of it', async () => {
  const port = await startBucket();
  const server = await serve('good', port, 'S3RVER');
  for (const size of [1_000, 20 * MIB + 7]) {
    const content = randomBytes(size);
    // No text, and no format that has a name.
    content[0] = 0;
    content[1] = 1;
    const sent = await server.send('a.bin', content);
    assert.equal(sent.status, 201, JSON.stringify(sent.body));
    assert.equal(sent.body.sha256, sha256(content));
    assert.equal(sent.body.size, size);
    await server.keep(sent.body.id);
    const got = await server.get(sent.body.id);
    assert.equal(got.headers.get('content-length'), String(size));
    assert.equal(sha256(Buffer.from(await got.arrayBuffer())), sha256(content));
    const part = await server.get(sent.body.id, { range: `bytes=${size - 10}-` });
    assert.equal(part.status, 206);
    assert.deepEqual(Buffer.from(await part.arrayBuffer()), content.subarray(size - 10));
  }
  const loose = await server.send('b.bin', Buffer.from([0, 1, 2]));
  assert.equal(objects().length, 3);
  await until('what nothing holds is removed', () => objects().length === 2);
  assert.equal((await server.get(loose.body.id)).status, 404);

  // The bucket's server goes away in the middle of a file.
  const pieces = async function* () {
    for (let sent = 0; sent < 40; sent += 1) {
      if (sent === 20) await bucket.close();
      yield randomBytes(MIB).fill(0, 0, 2);
    }
  };
  const broken = await server.send('c.bin', ReadableStream.from(pieces()), { duplex: 'half' });
  assert.equal(broken.status, 503, JSON.stringify(broken.body));
  assert.equal(broken.body.errors[0].extensions.code, 'UNAVAILABLE');
  assert.match(broken.body.errors[0].message, /under [0-9a-f]{32}$/);

  await startBucket(port);
  const again = await server.send('d.bin', Buffer.from([0, 1, 2]));
  assert.equal(again.status, 201, JSON.stringify(again.body));
  await until('only what is held is left', () => objects().length === 2);
});

test('who has the wrong keys is told where to look, and the log says why', async () => {
  const server = await serve('bad', bucket.httpServer.address().port, 'nobody');
  const refused = await server.send('a.bin', Buffer.from([0, 1, 2]));
  assert.equal(refused.status, 503);
  const { message, extensions } = refused.body.errors[0];
  assert.equal(extensions.code, 'UNAVAILABLE');
  const reference = message.match(/[0-9a-f]{32}$/)[0];
  await until('the log has it', () => server.log().includes(reference));
  const line = server.log().split('\n').find((text) => text.includes(reference));
  assert.match(line, /InvalidAccessKeyId/);
  assert(!server.log().includes(SECRET));
});
