import path from 'node:path';
import { CompileFailure, compile, isCompiled, keyOf } from './compile.js';
import { checkCompiler } from './compiler.js';
import { chooseDevice, resolveDevice } from './device.js';
import { filesBelow } from './digest.js';
import { layoutOf } from './layout.js';
import {
  isLinked,
  isUnpacked,
  libtensorflowOfUser,
  libtensorflowOfWheels,
  linkLibtensorflow,
  unpackLibtensorflow,
} from './libtensorflow.js';
import { withLock } from './lock.js';
import { addonTarget, bindingTarget } from './native-flags.js';
import { installNpmPackages, npmPackagesAreCurrent } from './npm-packages.js';
import { LIBTENSORFLOW, TENSORFLOW_VERSION } from './pins.js';
import { checkCheckoutSpace, checkMachine } from './preflight.js';
import { Progress } from './progress.js';
import { Stamps } from './stamps.js';
import { compileTypeScript, distIsCurrent } from './typescript.js';

const WITHOUT_ADDON =
  'the native addon could not be compiled, so the server runs with --runtime tfjs, which blocks the event loop ' +
  'while a model loads or runs';

/**
 * Prepares a checkout, or an installed package, so that the server can start. A part that is ready costs only a look.
 * npm's packages and libtensorflow are installed side by side, and then the two native parts and dist/.
 *
 * @param {object} options
 * @param {string} options.root
 * @param {import('./host.js').Host} options.host
 * @param {AbortSignal} options.signal
 * @param {readonly import('./pins.js').LibtensorflowPin[]} [options.pins]
 * @param {Progress} [options.progress]
 * @param {boolean} [options.retryAddon] whether to compile again an addon that did not compile from the same sources
 * @returns {Promise<{ done: string[], libtensorflow: string, warning: string | null }>} steps that had something to do
 * @throws {import('./failure.js').InstallFailure}
 */
export async function install({
  root,
  host,
  signal,
  pins = LIBTENSORFLOW,
  progress = new Progress(),
  retryAddon = true,
}) {
  const layout = layoutOf(root, host.env);
  const stamps = new Stamps(layout.stamps);
  /** @type {import('./context.js').Context} */
  const context = { host, layout, pins, stamps, progress, signal };
  const choice = chooseDevice(host.env, stamps.choice);
  const plan = planFor(choice, context);

  if (!isInstalled(plan, retryAddon, context)) {
    await underLock(context, () => bringUpToDate(plan, retryAddon, context));
  }
  stamps.setChoice(choice);
  return {
    done: progress.done,
    libtensorflow: plan.name,
    warning: addonState(plan, context) === 'failed' ? WITHOUT_ADDON : null,
  };
}

/**
 * Compiles dist/ if src/ or something that it needs has changed, and does nothing else. A package is made from dist/.
 *
 * @param {object} options
 * @param {string} options.root
 * @param {import('./host.js').Host} options.host
 * @param {AbortSignal} options.signal
 * @param {Progress} [options.progress]
 * @returns {Promise<string[]>} steps that had something to do
 * @throws {import('./failure.js').InstallFailure}
 */
export async function installDist({ root, host, signal, progress = new Progress() }) {
  const layout = layoutOf(root, host.env);
  const stamps = new Stamps(layout.stamps);
  /** @type {import('./context.js').Context} */
  const context = { host, layout, pins: [], stamps, progress, signal };
  if (npmPackagesAreCurrent(context) && distIsCurrent(context)) return [];
  await underLock(context, async () => {
    if (!npmPackagesAreCurrent(context)) await installNpmPackages(context);
    if (!distIsCurrent(context)) await compileTypeScript(context);
  });
  return progress.done;
}

/**
 * @param {import('./context.js').Context} context
 * @param {() => Promise<void>} task
 */
async function underLock({ layout, progress, signal, stamps }, task) {
  const onWait = () => progress.say('waiting', 'for another install in this folder');
  await withLock(path.join(layout.build, 'install.lock'), { signal, onWait }, async () => {
    stamps.reload();
    await task();
  });
}

/**
 * @typedef {object} Plan
 * @property {string} name  of the libtensorflow, for people
 * @property {import('./libtensorflow.js').Libtensorflow} library
 * @property {ReturnType<typeof libtensorflowOfWheels> | null} wheels
 */

/**
 * @param {import('./stamps.js').Choice} choice
 * @param {import('./context.js').Context} context
 * @returns {Plan}
 */
function planFor({ device, tensorflowDir }, context) {
  if (tensorflowDir !== '') {
    return {
      name: `the libtensorflow in ${tensorflowDir}`,
      library: libtensorflowOfUser(tensorflowDir),
      wheels: null,
    };
  }
  const resolved = resolveDevice(device, context.host);
  const wheels = libtensorflowOfWheels(resolved, context);
  return { name: `TensorFlow ${TENSORFLOW_VERSION} (${resolved})`, library: wheels, wheels };
}

/**
 * @param {Plan} plan
 * @param {boolean} retryAddon
 * @param {import('./context.js').Context} context
 */
function isInstalled(plan, retryAddon, context) {
  if (!npmPackagesAreCurrent(context)) return false;
  const { library, wheels } = plan;
  const addon = addonState(plan, context);
  return (
    (wheels === null || isUnpacked(wheels)) &&
    isLinked(library, context.layout) &&
    isCompiled(bindingTarget(context.layout), library, context) &&
    (addon === 'current' || (addon === 'failed' && !retryAddon)) &&
    distIsCurrent(context)
  );
}

/**
 * @param {Plan} plan
 * @param {boolean} retryAddon
 * @param {import('./context.js').Context} context
 */
async function bringUpToDate(plan, retryAddon, context) {
  const { host, layout, progress } = context;
  const { library, wheels } = plan;
  checkCheckoutSpace(host, layout.root);
  if (wheels !== null) checkMachine(host);
  const compiler = await checkCompiler(context);

  await together(context, [
    async (context) => {
      if (!npmPackagesAreCurrent(context)) await installNpmPackages(context);
    },
    async (context) => {
      if (wheels === null || isUnpacked(wheels)) return;
      await progress.step('libtensorflow', () => unpackLibtensorflow(wheels, context));
    },
  ]);
  if (!isLinked(library, layout)) {
    await progress.step('links to libtensorflow', async () => linkLibtensorflow(library, layout));
  }
  await together(context, [
    async (context) => {
      const target = bindingTarget(layout);
      if (!isCompiled(target, library, context)) await compile(target, library, compiler, context);
    },
    async (context) => {
      const state = addonState(plan, context);
      if (state === 'missing' || (state === 'failed' && retryAddon))
        await compileAddon(plan, compiler, context);
    },
    async (context) => {
      if (!distIsCurrent(context)) await compileTypeScript(context);
    },
  ]);
}

/**
 * Compiles our addon. A failure is remembered and not fatal, because the server can run on upstream's binding alone.
 *
 * @param {Plan} plan
 * @param {import('./compiler.js').Compiler} compiler
 * @param {import('./context.js').Context} context
 */
async function compileAddon({ library }, compiler, context) {
  const target = addonTarget(context.layout);
  try {
    await compile(target, library, compiler, context);
  } catch (error) {
    if (!(error instanceof CompileFailure)) throw error;
    context.progress.say(target.name, error.message);
    context.stamps.setKey(`${target.name} failed`, keyOf(target, library, context));
  }
}

/**
 * @param {Plan} plan
 * @param {import('./context.js').Context} context
 * @returns {'current' | 'failed' | 'missing'}
 */
function addonState({ library }, context) {
  const target = addonTarget(context.layout);
  if (filesBelow(target.sources, ['.cc']).length === 0 || isCompiled(target, library, context))
    return 'current';
  return context.stamps.key(`${target.name} failed`) === keyOf(target, library, context)
    ? 'failed'
    : 'missing';
}

/**
 * Runs tasks side by side. The first that fails stops the others, and its error is thrown when all have ended.
 *
 * @param {import('./context.js').Context} context
 * @param {readonly ((context: import('./context.js').Context) => Promise<void>)[]} tasks
 */
async function together(context, tasks) {
  const failed = new AbortController();
  const signal = AbortSignal.any([context.signal, failed.signal]);
  const outcomes = await Promise.allSettled(
    tasks.map(async (task) => {
      try {
        await task({ ...context, signal });
      } catch (error) {
        if (!failed.signal.aborted) failed.abort(error);
        throw error;
      }
    }),
  );
  if (outcomes.some(({ status }) => status === 'rejected')) throw failed.signal.reason;
}
