/**
 * Compares a document with its twin in another language, `GUIDE.md` with `GUIDE_CN.md`. Both must have the same
 * headings by number, level and order, and in each section the same code blocks, tables of the same size, and the same
 * links.
 *
 * The blocks of a twin are not run, because they are those of the original. So a twin has no markers.
 */
import fs from 'node:fs';
import path from 'node:path';
import MarkdownIt from 'markdown-it';

import { anchorOf } from './anchor.js';

const TWIN = /_CN\.md$/;

const markdown = new MarkdownIt('default', { html: true });

/**
 * @typedef {{ line: number }} Place lines are counted from 1
 * @typedef {Place & { level: number, title: string, links: string[] }} Section what stands below a heading; the first
 *   section stands above all headings, at level 0
 * @typedef {Place & { section: number, language: string, text: string }} Block
 * @typedef {Place & { section: number, rows: number, columns: number }} Table
 * @typedef {{ sections: Section[], blocks: Block[], tables: Table[], comments: Place[] }} Shape
 */

/**
 * @param {string} file
 * @param {readonly string[]} files all there are
 * @returns {string | null} the document whose twin this is
 */
export function originalOf(file, files) {
  if (!TWIN.test(file)) return null;
  const original = file.replace(TWIN, '.md');
  return files.includes(original) ? original : null;
}

/**
 * @param {string} root
 * @param {readonly string[]} files
 * @returns {string[]} where twins have drifted apart
 */
export function checkTwins(root, files) {
  return files.flatMap((file) => {
    const original = originalOf(file, files);
    if (original === null) return [];
    const [one, other] = [original, file].map((each) => fs.readFileSync(path.join(root, each), 'utf8'));
    return differences(one ?? '', other ?? '').map(
      ({ line, message }) => `${file}:${line}: ${message} ${original}`,
    );
  });
}

/**
 * @param {string} original
 * @param {string} twin
 * @returns {{ line: number, message: string }[]} each message ends where the original's name belongs
 */
function differences(original, twin) {
  const [one, other] = [shapeOf(original), shapeOf(twin)];
  return [
    ...compare('heading', one.sections, other.sections, ({ level }) => `level ${level}`),
    ...compare(
      'code block',
      one.blocks,
      other.blocks,
      (block) => `${block.section} ${block.language}\n${block.text}`,
    ),
    ...compare(
      'table',
      one.tables,
      other.tables,
      (table) => `${table.section} ${table.rows} ${table.columns}`,
    ),
    ...compareLinks(one.sections, other.sections),
    ...other.comments.map(({ line }) => ({
      line,
      message: 'a comment in a document whose blocks are not run; markers belong into',
    })),
  ];
}

/**
 * @template {Place} T
 * @param {string} what
 * @param {readonly T[]} one
 * @param {readonly T[]} other
 * @param {(each: T) => string} told what must be the same
 */
function compare(what, one, other, told) {
  const different = other.findIndex((each, i) => i >= one.length || told(each) !== told(one[i] ?? each));
  if (different >= 0) {
    const line = other[different]?.line ?? 1;
    const there = one[different];
    const message =
      there === undefined ? `a ${what} more than in` : `this ${what} is not that of line ${there.line} of`;
    return [{ line, message }];
  }
  const missing = one[other.length];
  if (missing === undefined) return [];
  return [
    { line: other.at(-1)?.line ?? 1, message: `a ${what} is missing, that of line ${missing.line} of` },
  ];
}

/**
 * Compares links. Their order within a section depends on the language.
 * @param {readonly Section[]} one
 * @param {readonly Section[]} other
 */
function compareLinks(one, other) {
  return other.flatMap(({ line, links }, i) => {
    const section = one[i];
    if (section === undefined) return [];
    const here = told(links, other);
    const there = told(section.links, one);
    const only = [...without(here, there), ...without(there, here)];
    if (only.length === 0) return [];
    return [
      {
        line,
        message: `the links below this heading (${only.join(', ')}) are not those of line ${section.line} of`,
      },
    ];
  });
}

/**
 * Names a link for the comparison. A link within a document is named by the place of its heading.
 * @param {readonly string[]} links
 * @param {readonly Section[]} sections
 */
function told(links, sections) {
  return links.map((link) => {
    if (!link.startsWith('#')) return link;
    return `#${sections.findIndex(({ title }) => anchorOf(title) === link.slice(1))}`;
  });
}

/**
 * @param {readonly string[]} list
 * @param {readonly string[]} taken
 */
function without(list, taken) {
  const left = [...taken];
  return list.filter((each) => {
    const found = left.indexOf(each);
    if (found < 0) return true;
    left.splice(found, 1);
    return false;
  });
}

/**
 * @param {string} text
 * @returns {Shape}
 */
function shapeOf(text) {
  /** @type {Section} */
  let section = { level: 0, title: '', line: 1, links: [] };
  /** @type {Shape} */
  const shape = { sections: [section], blocks: [], tables: [], comments: [] };
  const tokens = markdown.parse(text, {});
  for (const [i, { type, tag, map, info, content, children }] of tokens.entries()) {
    const line = (map?.[0] ?? 0) + 1;
    if (type === 'heading_open') {
      section = { level: Number(tag.slice(1)), title: tokens[i + 1]?.content ?? '', line, links: [] };
      shape.sections.push(section);
    } else if (type === 'fence' || type === 'code_block')
      shape.blocks.push({ line, section: shape.sections.length, language: info.trim(), text: content });
    else if (type === 'table_open')
      shape.tables.push({ line, section: shape.sections.length, rows: 0, columns: 0 });
    else if (type === 'html_block' && content.includes('<!--')) shape.comments.push({ line });
    const table = shape.tables.at(-1);
    if (table !== undefined && type === 'tr_open') table.rows += 1;
    if (table !== undefined && type === 'th_open') table.columns += 1;
    for (const child of children ?? []) {
      const target = child.attrGet('href') ?? child.attrGet('src');
      if (typeof target === 'string') section.links.push(decodeURIComponent(target));
    }
  }
  return shape;
}
