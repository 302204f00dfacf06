/**
 * The folders of tests that run a part of src/ without having its name. Many of their tests start a server from dist/
 * and import nothing of it.
 */
export const SEEN_IN = {
  'src/config': ['test/cli/', 'test/http/'],
  'src/control': ['test/reload/'],
  'src/conformance': ['test/conformance/'],
  'src/inference': ['test/http/', 'test/library/'],
  'src/server.ts': ['test/http/', 'test/library/'],
  'src/server-parts.ts': ['test/http/', 'test/library/'],
  'src/stores': ['test/reload/', 'test/library/'],
  'src/surfaces': ['test/http/'],
  native: ['test/engines/runtime/', 'test/native/'],
  proto: ['test/engines/runtime/', 'test/engines/saved-model/', 'test/install/'],
  'scripts/install': ['test/install/'],
};

/**
 * The folders of tests that run a file: the one with the name of its part of src/, and those of the table above.
 *
 * @param {string} file relative to the checkout
 * @param {(folder: string) => boolean} exists
 * @returns {string[]} each with a slash at its end, so that test/cli/ is not test/client/, too
 */
export function foldersThatSee(file, exists) {
  const [top = '', part = ''] = file.split('/');
  const sameName = top === 'src' ? [`test/${part}/`] : [];
  const others = Object.entries(SEEN_IN).flatMap(([what, folders]) =>
    file === what || file.startsWith(`${what}/`) ? folders : [],
  );
  return [...new Set([...sameName, ...others])].filter(exists);
}
