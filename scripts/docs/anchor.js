/**
 * Turns a heading into an anchor as GitHub does.
 *
 * @param {string} heading as it is written
 */
export function anchorOf(heading) {
  return heading
    .replace(/[`*_]|\[|\]\([^)]*\)/g, '')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s-]/gu, '')
    .trim()
    .replaceAll(/\s/g, '-');
}
