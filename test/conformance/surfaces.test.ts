/**
 * The checks of a surface, for the server's own and for one of an application. Then surfaces that break the contract.
 */

import { decode, encode } from 'cbor-x';
import { describe, expect, it } from 'vitest';
import { type SurfaceExample, surfaceChecks } from '#dist/conformance/index.js';
import type { InferRoute, Surface } from '#dist/index.js';
import { oipRest } from '#dist/surfaces/oip-rest/surface.js';
import { own } from '#dist/surfaces/own/surface.js';
import { textSurface } from '../../examples/text-surface.ts';

const text: SurfaceExample = {
  request: (model, x) => ({
    path: `/text/${model}`,
    headers: { 'content-type': 'text/plain' },
    body: x.join(' '),
  }),
  damaged: 'one',
  unknownPath: '/text/doubling/more',
  numbersOf: (body) => String(body).trim().split(' ').map(Number),
  messageOf: (body) => /^error [A-Z_]+: (.+)\n$/s.exec(String(body))?.[1] ?? '',
  streamedOf: (body) =>
    String(body)
      .trim()
      .split('\n')
      .map((line) => line.split(' ').map(Number)),
};

const oip: SurfaceExample = {
  request: (model, x) => ({
    path: `/v2/models/${model}/infer`,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 2], data: x }] }),
  }),
  damaged: '{"inputs"',
  unknownPath: '/v2/nothing',
  numbersOf: (body) => JSON.parse(String(body)).outputs[0].data,
  messageOf: (body) => JSON.parse(String(body)).error,
};

const json: SurfaceExample = {
  request: (model, x) => ({
    path: `/models/${model}/infer`,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ x: [x] }),
  }),
  damaged: '{"x"',
  unknownPath: '/models/doubling/nothing',
  numbersOf: (body) => JSON.parse(String(body)).outputs.y[0],
  messageOf: (body) => JSON.parse(String(body)).error.message,
  streamedOf: (body) =>
    Array.from(String(body).matchAll(/^data: (.*)$/gm), ([, data = '']) => JSON.parse(data).outputs.y[0]),
};

/** Common requests of our own protocol: those that need not pass Koa. */
const cbor: SurfaceExample = {
  ...json,
  request: (model, x) => ({
    path: `/models/${model}/infer`,
    headers: { 'content-type': 'application/cbor' },
    body: Uint8Array.from(encode({ x: [x] })),
  }),
  // Tag 40: the shape, and the values as a typed array.
  numbersOf: (body) => [...decode(body).outputs.y.value[1]],
  // An error is JSON for a head that names no type.
  messageOf: (body) => (body[0] === 0x7b ? JSON.parse(String(body)) : decode(body)).error.message,
};

it.each([...surfaceChecks(textSurface, text)])("an application's: $name", ({ run }) => run());

it.each([...surfaceChecks(oipRest, oip)])('oip-rest: $name', ({ run }) => run());

it.each([...surfaceChecks(own, json)])('own, JSON: $name', ({ run }) => run());

it.each([...surfaceChecks(own, cbor)])('own, CBOR: $name', ({ run }) => run());

describe('a surface that does not keep to it', () => {
  /** The checks that it does not pass. */
  async function unmetBy(surface: Surface, example = text): Promise<string[]> {
    const unmet: string[] = [];
    for (const { name, run } of surfaceChecks(surface, example)) await run().catch(() => unmet.push(name));
    return unmet;
  }

  it('is told what its errors lack', async () => {
    const errorAnswer: Surface['errorAnswer'] = (head, error) => ({
      ...textSurface.errorAnswer(head, error),
      headers: [],
    });
    expect(await unmetBy({ ...textSurface, errorAnswer })).toEqual(['has a form for every error']);
  });

  it('is told that its streams are none that its clients read', async () => {
    const [route] = textSurface.routes({} as never) as [InferRoute];
    const { protocol } = route;
    const streamCodec: typeof protocol.streamCodec = (head, request) => ({
      ...(protocol.streamCodec?.(head, request) as NonNullable<
        ReturnType<NonNullable<typeof protocol.streamCodec>>
      >),
      encodeAnswer: () => ({ parts: [], byteLength: 0 }),
    });
    const surface: Surface = {
      ...textSurface,
      routes: () => [{ ...route, protocol: { ...protocol, streamCodec } }],
    };
    expect(await unmetBy(surface)).toEqual(['streams, or refuses a model that does']);
  });
});
