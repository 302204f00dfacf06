/** Draws answers per second by version over time, as an SVG for light and dark pages. */

/**
 * @typedef {{ seconds: number, milliseconds: number, version: number | null }} Answer when it came, how long it took, and the
 *   version that made it; null for a request that failed
 * @typedef {{
 *   answers: readonly Answer[], changes: readonly { seconds: number, label: string }[], seconds: number,
 *   requests: number, failed: number, p99: number, callers: number, perSecond: number
 * }} Run
 */

/** The seconds of answers that are counted together. */
const SLICE = 0.5;
const WIDTH = 860;
const HEIGHT = 310;
const PLOT = { left: 64, right: 836, top: 92, bottom: 276 };

/** Colours that the colour-blind can tell apart (Okabe and Ito, 2008). */
const STYLE = `
  svg { --page: #ffffff; --text: #24292f; --faint: #57606a; --line: #d0d7de; --first: #0072b2; --second: #e69f00; }
  @media (prefers-color-scheme: dark) {
    svg { --page: #0d1117; --text: #e6edf3; --faint: #9198a1; --line: #30363d; --first: #56b4e9; --second: #f0b429; }
  }
  text { font: 13px system-ui, -apple-system, 'Segoe UI', sans-serif; fill: var(--text); }
  .title { font-size: 16px; font-weight: 600; }
  .faint { fill: var(--faint); }
  .code { font-family: ui-monospace, 'SFMono-Regular', Menlo, Consolas, monospace; font-size: 12px; }
  .grid { stroke: var(--line); }
  .change { stroke: var(--text); stroke-dasharray: 3 3; }
  .v1 { fill: var(--first); }
  .v2 { fill: var(--second); }`;

/** @param {Run} run */
export function drawDrop({ answers, changes, seconds, requests, failed, p99, callers, perSecond }) {
  const slices = Math.floor(seconds / SLICE);
  const first = rates(answers, 1, slices);
  const second = rates(answers, 2, slices);
  const most = niceCeiling(Math.max(...first.map((rate, i) => rate + (second[i] ?? 0))));
  const x = (/** @type {number} */ at) => PLOT.left + ((PLOT.right - PLOT.left) * at) / (slices * SLICE);
  const y = (/** @type {number} */ rate) => PLOT.bottom - ((PLOT.bottom - PLOT.top) * rate) / most;

  const summary = `${callers} callers, ${perSecond} requests a second each: ${count(requests)} requests, ${failed} failed, p99 ${p99.toFixed(0)} ms`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img" aria-labelledby="title">
<title id="title">A version is dropped into the folder of a server under load: ${summary}</title>
<style>${STYLE}
</style>
<rect width="${WIDTH}" height="${HEIGHT}" rx="8" fill="var(--page)"/>
<text class="title" x="24" y="32">A new version under load: ${failed === 0 ? 'no request fails' : `${failed} requests fail`}</text>
<text class="faint" x="24" y="52">${summary}</text>
${legend()}
${gridLines(most, y)}
${bars('v1', first, null, x, y)}
${bars('v2', second, first, x, y)}
${changes.map(({ seconds: at, label }) => mark(x(at), label)).join('\n')}
${timeAxis(slices * SLICE, x)}
</svg>
`;
}

/**
 * @param {readonly Answer[]} answers
 * @param {number} version
 * @param {number} slices
 * @returns {number[]} answers per second in each slice
 */
function rates(answers, version, slices) {
  const counts = new Array(slices).fill(0);
  for (const answer of answers) {
    const slice = Math.floor(answer.seconds / SLICE);
    if (answer.version === version && slice < slices) counts[slice] += 1;
  }
  return counts.map((each) => each / SLICE);
}

/**
 * Draws one bar for each slice in which the version answered.
 * @param {string} name of the class
 * @param {readonly number[]} values
 * @param {readonly number[] | null} below what stands under them
 * @param {(seconds: number) => number} x
 * @param {(rate: number) => number} y
 */
function bars(name, values, below, x, y) {
  const width = x(SLICE) - x(0) - 1;
  const path = values.flatMap((value, i) => {
    const base = below?.[i] ?? 0;
    if (value === 0) return [];
    const [top, bottom] = [y(base + value), y(base)];
    return [`M${round(x(i * SLICE))} ${round(bottom)}V${round(top)}h${round(width)}V${round(bottom)}z`];
  });
  return `<path class="${name}" d="${path.join('')}"/>`;
}

function legend() {
  const entry = (/** @type {number} */ left, /** @type {string} */ name, /** @type {string} */ label) =>
    `<rect class="${name}" x="${left}" y="22" width="12" height="12" rx="2"/><text x="${left + 18}" y="33">${label}</text>`;
  return entry(644, 'v1', 'version 1') + entry(744, 'v2', 'version 2');
}

/**
 * @param {number} most
 * @param {(rate: number) => number} y
 */
function gridLines(most, y) {
  const lines = [0, 0.5, 1].map((part) => {
    const height = round(y(part * most));
    return `<path class="grid" d="M${PLOT.left} ${height}H${PLOT.right}"/><text class="faint" x="${PLOT.left - 8}" y="${height + 4}" text-anchor="end">${count(part * most)}</text>`;
  });
  return `${lines.join('\n')}
<text class="faint" x="24" y="${PLOT.top - 14}">answers/s</text>`;
}

/**
 * @param {number} at
 * @param {string} label
 */
function mark(at, label) {
  return `<path class="change" d="M${round(at)} ${PLOT.top - 8}V${PLOT.bottom}"/>
<text class="code" x="${round(at)}" y="${PLOT.top - 14}" text-anchor="middle">${label}</text>`;
}

/**
 * @param {number} seconds
 * @param {(seconds: number) => number} x
 */
function timeAxis(seconds, x) {
  const step = seconds > 20 ? 5 : 2;
  const ticks = Array.from({ length: Math.floor(seconds / step) + 1 }, (_, i) => i * step);
  return ticks
    .map(
      (at) =>
        `<text class="faint" x="${round(x(at))}" y="${PLOT.bottom + 20}" text-anchor="middle">${at} s</text>`,
    )
    .join('');
}

/** @param {number} value */
function round(value) {
  return Math.round(value * 10) / 10;
}

/** @param {number} value */
function count(value) {
  return value.toLocaleString('en');
}

/**
 * The least of 1, 2, 4, 5, 6, 8 times a power of ten that is not less than the value.
 * @param {number} value
 */
function niceCeiling(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
  return ([1, 2, 4, 5, 6, 8].find((each) => each * power >= value) ?? 10) * power;
}
