/**
 * `NODE scripts/test/smoke.js` checks under the Node.js that runs it that the server starts, answers one request and
 * ends.
 */
import assert from 'node:assert/strict';
import path from 'node:path';
import { decode, encode } from 'cbor-x';

import { withServer } from './server-process.js';

const demoModels = path.join(import.meta.dirname, '..', '..', 'saved_models');

await withServer(demoModels, async (url) => {
  const response = await fetch(`${url}/models/half_plus_two/infer`, {
    method: 'POST',
    headers: { 'content-type': 'application/cbor' },
    body: new Uint8Array(encode({ x: [1, 2, 5] })),
  });
  assert.equal(response.status, 200);
  const { status, outputs } = decode(new Uint8Array(await response.arrayBuffer()));
  assert.equal(status, 'ok');
  // RFC 8746, tag 40: the shape and the values, which are a typed array with a tag of its own.
  const [shape, values] = outputs.y.value;
  assert.deepEqual([[...shape], [...values]], [[3], [2.5, 3, 4.5]]);
});
console.log(`Node.js ${process.versions.node}: the server starts, answers and ends`);
