import fs from 'node:fs';

import { run } from './command.js';
import { InstallFailure } from './failure.js';
import { findExecutable } from './host.js';

/** A program that needs C++17 in the language and in its library. Older compilers fail on it. */
const PROBE = `
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
inline constexpr std::string_view kName = "probe";
int main() {
  auto [a, b] = std::pair(1, std::optional<int>(2));
  if constexpr (kName.size() == 5) return a + *b;
}
`;

const HOW_TO_GET_ONE =
  'install GCC 8, Clang 7 or newer (Debian, Ubuntu: apt-get install g++; Fedora: dnf install gcc-c++; macOS: ' +
  'xcode-select --install), or name yours in CXX';

/**
 * @typedef {object} Compiler
 * @property {string[]} command   the executable and arguments that always come first
 * @property {string} identity    changes when another compiler, or another version of it, takes its place
 */

/**
 * Finds the compiler that `CXX` names, else the system's; null if there is none.
 *
 * @param {NodeJS.ProcessEnv} env
 * @returns {Compiler | null}
 */
export function findCompiler(env) {
  // CXX may have arguments, for example "ccache g++".
  const commands = env['CXX']?.trim() ? [env['CXX'].trim().split(/\s+/)] : [['c++'], ['g++'], ['clang++']];
  for (const command of commands) {
    const executable = findExecutable(command[0] ?? '', env);
    if (executable === null) continue;
    // Asking for the version would cost a process at every start. A new version is a new file.
    const file = fs.realpathSync(executable);
    return { command, identity: `${command.join(' ')} ${file} ${fs.statSync(file).size}` };
  }
  return null;
}

/**
 * Checks before any download that there is a compiler, and that it knows C++17.
 *
 * @param {import('./context.js').Context} context
 * @returns {Promise<Compiler>}
 * @throws {InstallFailure}
 */
export async function checkCompiler({ host, signal }) {
  const compiler = findCompiler(host.env);
  if (compiler === null) {
    const named = host.env['CXX'] ? ` (CXX is ${host.env['CXX']})` : '';
    throw new InstallFailure(`There is no C++ compiler${named}: ${HOW_TO_GET_ONE}.`);
  }
  const [command = '', ...args] = compiler.command;
  const { code, output } = await run(command, [...args, '-std=c++17', '-fsyntax-only', '-x', 'c++', '-'], {
    env: host.env,
    signal,
    input: PROBE,
  });
  if (code === 0) return compiler;
  // The c++ of macOS may only ask the user to install the developer tools.
  const reason = /xcode-select|developer tools/i.test(output)
    ? 'There is no C++ compiler'
    : `The C++ compiler ${compiler.command.join(' ')} does not compile C++17`;
  throw new InstallFailure(`${reason}: ${HOW_TO_GET_ONE}.`);
}
