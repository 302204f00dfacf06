/**
 * The demo of `examples/digits`: drawn pictures in, digits out.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { black, blank, drawDigit, nothing, type Style, white } from '../fixtures/drawings.ts';
import { type Answer, TestServer } from '../fixtures/server.ts';

const demo = fileURLToPath(new URL('../../examples/digits', import.meta.url));
const digits = Array.from({ length: 10 }, (_, digit) => digit);

/** What a pen of a drawing program is, on canvases of a few sizes. */
const styles: Record<string, Style> = {
  'black on white, 280 × 280': { width: 280, height: 280, pen: 16, ink: black, paper: white },
  'white on black, 64 × 64': { width: 64, height: 64, pen: 5, ink: white, paper: black },
  'thin, black on white, 640 × 480': { width: 640, height: 480, pen: 4, ink: black, paper: white },
  'thick, white on black, 200 × 200': { width: 200, height: 200, pen: 24, ink: white, paper: black },
  'black on nothing, 256 × 256': { width: 256, height: 256, pen: 12, ink: black, paper: nothing },
  'white on nothing, 256 × 256': { width: 256, height: 256, pen: 12, ink: white, paper: nothing },
  'leaning to the right': { width: 280, height: 280, pen: 14, ink: black, paper: white, slant: 0.2 },
  'leaning to the left': { width: 280, height: 280, pen: 14, ink: black, paper: white, slant: -0.1 },
  'blue on yellow, small, in a corner': {
    width: 300,
    height: 200,
    pen: 5,
    ink: [20, 40, 200, 255],
    paper: [250, 240, 150, 255],
    at: [0.25, 0.3, 0.4],
  },
};

let server: TestServer;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'tfjs-serving-digits-'));
  server = await TestServer.start({ args: ['--model-path', path.join(demo, 'models'), '--allow-handlers'] });
}, 120_000);

afterAll(async () => {
  await server?.stop();
  await rm(folder, { recursive: true, force: true });
});

/** Asks as a person does, with curl and a form. */
async function ask(...files: readonly string[]): Promise<Answer['body']> {
  const fields = files.flatMap((file) => ['-F', `image=@${file}`]);
  const url = `${server.url}/models/digits/infer`;
  const { stdout } = await promisify(execFile)('curl', ['-s', ...fields, url]);
  return JSON.parse(stdout);
}

/** Draws, and gives the file's path. */
async function file(name: string, picture: Uint8Array): Promise<string> {
  const target = path.join(folder, name);
  await writeFile(target, picture);
  return target;
}

function drawings(style: Style): Promise<string[]> {
  return Promise.all(digits.map((digit) => file(`${digit}.png`, drawDigit(digit, style))));
}

describe('nine of ten drawn digits or more are known', () => {
  it.each(Object.entries(styles))('%s', async (_, style) => {
    const answers = [];
    for (const drawing of await drawings(style)) answers.push(await ask(drawing));
    const found = answers.map(({ outputs }) => outputs?.digit);
    console.log(`read as ${found.join(' ')}`);
    expect(found.filter((digit, i) => digit === i).length, found.join(' ')).toBeGreaterThanOrEqual(9);
    for (const { outputs } of answers) {
      const { digit, probabilities } = outputs;
      expect(probabilities).toHaveLength(10);
      expect(probabilities.reduce((sum: number, each: number) => sum + each, 0)).toBeCloseTo(1, 4);
      expect(probabilities.indexOf(Math.max(...probabilities))).toBe(digit);
    }
  });
});

it('ten pictures in one form are a batch', async () => {
  const files = await drawings(styles['black on white, 280 × 280'] as Style);
  const { outputs } = await ask(...files);
  const one = await Promise.all(files.map((each) => ask(each)));
  expect(outputs.digit).toEqual(one.map((answer) => answer.outputs.digit));
  expect(outputs.probabilities.map((row: number[]) => row.length)).toEqual(digits.map(() => 10));
});

it.each([
  ['white', white],
  ['black', black],
  ['transparent', nothing],
])('a blank picture is refused: %s', async (_, paper) => {
  expect(await ask(await file('blank.png', blank(40, 30, paper)))).toMatchObject({
    status: 'error',
    error: { code: 'INVALID_ARGUMENT', message: 'picture 0 of the request is blank' },
  });
});

it('a picture of one pixel, and one that is full of ink, end in an answer', async () => {
  const style: Style = { width: 1, height: 1, pen: 9, ink: black, paper: white };
  expect(await ask(await file('one.png', drawDigit(1, style)))).toMatchObject({ status: 'error' });
  const full = await file('full.png', drawDigit(8, { ...style, width: 40, height: 40, pen: 30 }));
  expect(await ask(full)).toMatchObject({ status: 'ok' });
});

it("the demo's own drawings are known", async () => {
  const names = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine'];
  const files = (await readdir(demo)).filter((name) => name.endsWith('.png'));
  expect(files.length).toBeGreaterThan(0);
  for (const name of files) {
    const { outputs } = await ask(path.join(demo, name));
    expect(outputs.digit).toBe(names.indexOf(path.basename(name, '.png')));
  }
});
