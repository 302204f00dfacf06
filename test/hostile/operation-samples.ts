/**
 * Bytes that operations decode: small good ones, which a fuzzer changes.
 */
import type { Feed } from '../../src/engines/tensorflow/native.ts';
import { GraphBuilder, inSavedModel } from '../fixtures/graph.ts';
import type { OperationProcess } from './operation-process.ts';
import type { Random } from './random.ts';

export async function makeSamples(child: OperationProcess, random: Random): Promise<Uint8Array[]> {
  const image: Feed = [4, [6, 5, 3], random.bytes(90)];
  const images = [await encodedBy('EncodeJpeg', image, child), await encodedBy('EncodePng', image, child)];
  return [
    ...images.flat(),
    gif,
    bitmap(),
    sound(),
    ...examples,
    Buffer.from('1,2,3\n'),
    Buffer.from('{"a": 1}'),
  ];
}

/** What TensorFlow itself writes. */
async function encodedBy(op: string, image: Feed, child: OperationProcess): Promise<Uint8Array[]> {
  const graph = new GraphBuilder();
  const x = graph.placeholder('uint8', null);
  const y = graph.first(op, [x]);
  const signature = { inputs: { x: { ref: x, shape: null } }, outputs: { y: { ref: y, shape: null } } };
  return inSavedModel(
    graph.encode(),
    async (directory) => {
      await child.ask({ kind: 'load', directory, feeds: [x.name], fetches: [y.name] });
      const answer = await child.ask({ kind: 'run', feeds: [image], keeps: true });
      const data = 'outputs' in answer ? answer.outputs?.[0]?.[2] : undefined;
      return Array.isArray(data) ? data : [];
    },
    signature,
  );
}

/** One pixel. */
const gif = Buffer.from('R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7', 'base64');

/** `tensorflow.Example`: `a` is three whole numbers; `a` is a float, and `b` is seven whole numbers. */
const examples = [
  '0a120a100a016112 0b1a090a07010203040506 07',
  '0a240a100a016112 0b12090a070000803f000000000a100a016212 0b1a090a07010203040506 07',
].map((hex) => Buffer.from(hex.replaceAll(' ', ''), 'hex'));

/** BMP of 2 × 2 pixels in 24 bits. */
function bitmap(): Buffer {
  const bytes = Buffer.alloc(54 + 16);
  bytes.write('BM');
  for (const [offset, value] of [
    [2, 70],
    [10, 54],
    [14, 40],
    [18, 2],
    [22, 2],
  ] as const)
    bytes.writeUInt32LE(value, offset);
  bytes.writeUInt16LE(1, 26);
  bytes.writeUInt16LE(24, 28);
  return bytes;
}

/** WAV of 8 samples of 16 bits. */
function sound(): Buffer {
  const bytes = Buffer.alloc(44 + 16);
  bytes.write('RIFF');
  bytes.writeUInt32LE(52, 4);
  bytes.write('WAVEfmt ', 8);
  bytes.writeUInt32LE(16, 16);
  bytes.writeUInt32LE(0x10001, 20);
  bytes.writeUInt32LE(8000, 24);
  bytes.writeUInt32LE(16_000, 28);
  bytes.writeUInt32LE(0x100002, 32);
  bytes.write('data', 36);
  bytes.writeUInt32LE(16, 40);
  return bytes;
}
