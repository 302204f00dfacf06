/**
 * `node scripts/check-layers.js [FOLDER]` checks the imports of src/: they point downwards only, no two files need each
 * other, only a few files know what is behind a seam, and each outside package is used in one place. It prints one line
 * for each violation, and then exits with 1.
 */
import fs from 'node:fs';
import path from 'node:path';

import { filesBelow } from './install/digest.js';

/**
 * The layers, top to bottom. A name is a folder of src/ or a file in it. A file may import its own layer and those
 * below.
 */
const LAYERS = [
  ['main', 'index', 'conformance', 'programs', 'cli'],
  ['server', 'server-parts', 'workers'],
  ['config', 'surfaces'],
  ['http'],
  ['handlers'],
  ['inference'],
  ['client'],
  ['codec'],
  ['profiling'],
  ['control'],
  ['serving'],
  ['stores'],
  ['engines'],
  ['files'],
  ['tfjs'],
  ['tensors'],
  ['telemetry'],
  ['flow'],
  ['handwritten'],
  ['errors', 'time'],
];

/** What is behind a seam, and who may import it. Imports of types count, because the seam has types of its own. */
const SEAMS = [
  {
    behind: 'stores/folder/',
    seam: 'stores/source.ts',
    home: /^(stores\/folder\/|handlers\/|config\/model-path\.ts$|cli\/inspect\.ts$|server(-parts)?\.ts$)/,
  },
  {
    behind: 'engines/tensorflow/',
    seam: 'engines/engine.ts and engines/inference-model.ts',
    // These open TensorFlow, read SavedModels without a server, or use its kernels directly.
    home: /^(engines\/tensorflow\/|(index|server|server-parts)\.ts$|workers\/|conformance\/engine-checks\.ts$|programs\/|control\/load\/rehearsal\.ts$|config\/model-path\.ts$|cli\/(inspect|install)\.ts$|codec\/image\/|handlers\/tf-model\.ts$)/,
  },
];

/** The files that may import each package. Imports of types are free, because they are gone when the code runs. */
const PACKAGES = [
  {
    name: /^@tensorflow\//,
    home: /^(tfjs|engines\/tensorflow)\//,
    where: 'in tfjs/ and engines/tensorflow/',
  },
  { name: /^esbuild$/, home: /^handlers\/bundle\.ts$/, where: 'in handlers/bundle.ts' },
  { name: /^chokidar$/, home: /^stores\/folder\/watch\.ts$/, where: 'in stores/folder/watch.ts' },
  {
    name: /^(koa|koa-.*|@koa\/.*)$/,
    home: /^(http\/|handlers\/loader\.ts$|server(-parts)?\.ts$)/,
    where: 'in http/, handlers/loader.ts and server.ts',
  },
  { name: /^protobufjs(?!\/minimal\.js$)/, home: /^$/, where: 'as protobufjs/minimal.js' },
  {
    name: /^yaml$/,
    home: /^(config\/config-file|http\/access\/key-entries)\.ts$/,
    where: 'in config/config-file.ts and http/access/key-entries.ts',
  },
  { name: /^cbor-x(\/.*)?$/, home: /^(codec|surfaces)\//, where: 'in codec/ and surfaces/' },
];

/**
 * @typedef {object} Import
 * @property {string} specifier
 * @property {boolean} typeOnly
 */

/**
 * The imports of a TypeScript file whose statements begin at the start of a line.
 *
 * @param {string} source
 * @returns {Import[]}
 */
export function importsOf(source) {
  const statement = /^(?:import|export)\s+(type\s+)?(?:[\w$*{},\s]+?\sfrom\s+)?['"]([^'"]+)['"]/gm;
  const call = /(typeof\s+)?\b(?:import|require)\(\s*['"]([^'"]+)['"]/g;
  const withoutComments = source.replace(/^\s*(\*|\/\/|\/\*).*$/gm, '');
  return [...source.matchAll(statement), ...withoutComments.matchAll(call)].map(
    ([, type, specifier = '']) => ({
      specifier,
      typeOnly: type !== undefined,
    }),
  );
}

/**
 * @param {string} folder src/ or another tree of its shape
 * @returns {string[]} violations
 */
export function checkLayers(folder) {
  const files = filesBelow(folder, ['.ts']);
  /** @type {Map<string, string[]>} */
  const graph = new Map();
  const violations = [];
  for (const file of files) {
    const imports = importsOf(fs.readFileSync(path.join(folder, file), 'utf8'));
    const targets = imports.filter(isRelative).map(({ specifier }) => resolve(file, specifier));
    graph.set(
      file,
      targets.filter((target) => files.includes(target)),
    );
    violations.push(...targets.flatMap((target) => checkArrow(file, target)));
    violations.push(...imports.flatMap((imported) => checkPackage(file, imported)));
  }
  return [...violations, ...findCycles(graph)];
}

/** @param {Import} imported */
function isRelative({ specifier }) {
  return specifier.startsWith('.');
}

/**
 * @param {string} file
 * @param {string} specifier with the .js of the compiled file
 */
function resolve(file, specifier) {
  return path.posix.join(path.posix.dirname(file), specifier).replace(/\.js$/, '.ts');
}

/** @param {string} file */
function layerOf(file) {
  const name = (file.split('/')[0] ?? '').replace(/\.ts$/, '');
  return LAYERS.findIndex((names) => names.includes(name));
}

/**
 * @param {string} file
 * @param {string} target
 */
function checkArrow(file, target) {
  if (target.startsWith('../')) return []; // package.json and the addon, which have no layer
  for (const end of [file, target]) {
    if (layerOf(end) < 0) return [`src/${end}: belongs to no layer (see LAYERS in scripts/check-layers.js)`];
  }
  if (layerOf(target) < layerOf(file))
    return [`src/${file}: imports src/${target}, which is in a layer above`];
  return SEAMS.filter(({ behind, home }) => target.startsWith(behind) && !home.test(file)).map(
    ({ seam }) => `src/${file}: imports src/${target}, which is behind src/${seam}`,
  );
}

/**
 * @param {string} file
 * @param {Import} imported
 */
function checkPackage(file, { specifier, typeOnly }) {
  if (typeOnly) return [];
  return PACKAGES.filter(({ name, home }) => name.test(specifier) && !home.test(file)).map(
    ({ where }) => `src/${file}: imports ${specifier}, which is used only ${where}`,
  );
}

/**
 * Finds groups of files that need each other. Each gives one line that names one way round.
 *
 * @param {Map<string, string[]>} graph
 * @returns {string[]}
 */
function findCycles(graph) {
  /** @type {string[]} */
  const cycles = [];
  const finished = new Set();
  /** @type {string[]} */
  const trail = [];

  /** @param {string} file */
  const visit = (file) => {
    const start = trail.indexOf(file);
    if (start >= 0) {
      cycles.push(`cycle: ${[...trail.slice(start), file].map((name) => `src/${name}`).join(' → ')}`);
      return;
    }
    if (finished.has(file)) return;
    trail.push(file);
    for (const target of graph.get(file) ?? []) visit(target);
    trail.pop();
    finished.add(file);
  };

  for (const file of graph.keys()) visit(file);
  return cycles;
}

if (process.argv[1] === import.meta.filename) {
  const violations = checkLayers(process.argv[2] ?? path.join(import.meta.dirname, '..', 'src'));
  for (const violation of violations) console.error(violation);
  process.exitCode = violations.length === 0 ? 0 : 1;
}
