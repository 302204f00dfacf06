/**
 * What to tell a Node that is too old, or null. Any Node can read this file.
 *
 * @param {string} version e.g. "20.19.0"
 */
export function refusalOfNode(version) {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return null;
  return `Node.js ${version} is too old: tfjs-serving needs 20.19 or newer, from your package manager or with nvm.`;
}
