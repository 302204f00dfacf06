/** Describes a value that a schema refuses, in sentences like `expected X at `place`, got Y`. */
import { z } from 'zod';
import { quoted } from '../errors.js';
import { didYouMean } from './nearest.js';

type Issue = z.core.$ZodIssue;

/** The most faults that are listed. Nobody fixes more at once. */
const mostFaults = 3;

/**
 * The first faults, separated by semicolons.
 *
 * @param value was refused
 * @param schema refused it
 */
export function describeFaults(error: z.ZodError, value: unknown, schema: z.ZodType): string {
  const { issues } = error;
  const faults = issues.slice(0, mostFaults).map((issue) => describeIssue(issue, value, schema));
  const more = issues.length > mostFaults ? `; and ${issues.length - mostFaults} more` : '';
  return `${faults.join('; ')}${more}`;
}

function describeIssue(issue: Issue, value: unknown, schema: z.ZodType): string {
  const { path } = issue;
  if (issue.code === 'unrecognized_keys') {
    const known = keysAt(schema, path);
    const [key = ''] = issue.keys;
    return `${quoted(key)} is not known${place(path)}${didYouMean(key, known)}; there are ${known.map(quoted).join(', ')}`;
  }
  if (issue.code === 'custom') return `${issue.message}${place(path)}`;
  if (issue.code === 'invalid_union') {
    const deeper = branchMeant(issue.errors);
    if (deeper) return describeIssue({ ...deeper, path: [...path, ...deeper.path] }, value, schema);
  }
  const found = at(value, path);
  const came = found === undefined ? 'nothing' : describe(found);
  return `expected ${expectationOf(issue)}${place(path)}, got ${came}`;
}

/**
 * The fault within the form that the value has, out of several forms. It is undefined if the value has none of them.
 */
function branchMeant(branches: readonly (readonly Issue[])[]): Issue | undefined {
  const fitting = branches.filter((issues) =>
    issues.every(
      ({ path, code, ...issue }) => path.length > 0 && !('input' in issue && issue.input === undefined),
    ),
  );
  const [only, ...others] = fitting.length > 1 ? fitting.filter(isWithin) : fitting;
  return others.length === 0 ? only?.[0] : undefined;
}

function isWithin(issues: readonly Issue[]): boolean {
  return issues.every(({ path }) => path.length > 1);
}

/** What was expected, for example `a number of at most 3600`. */
export function expectationOf(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return nameOf(issue.expected);
    case 'invalid_value':
      return issue.values.map((each) => describe(each)).join(' or ');
    case 'too_small':
      return `${kindOf(issue.origin)} ${issue.inclusive ? 'of at least' : 'greater than'} ${issue.minimum}`;
    case 'too_big':
      return `${kindOf(issue.origin)} ${issue.inclusive ? 'of at most' : 'less than'} ${issue.maximum}`;
    case 'invalid_union':
      return [...new Set(issue.errors.map(([first]) => (first ? formOf(first) : 'another value')))].join(
        ' or ',
      );
    case 'invalid_key':
      return `a key that is ${issue.issues[0]?.message ?? 'allowed'}`;
    default:
      return issue.message;
  }
}

/** One of several forms, named after the fault that the value has under it. */
function formOf(issue: Issue): string {
  const [key] = issue.path;
  return key === undefined ? expectationOf(issue) : `an object with ${quoted(String(key))}`;
}

function nameOf(expected: string): string {
  switch (expected) {
    case 'int':
      return 'a whole number';
    case 'string':
      return 'a text';
    case 'array':
      return 'a list';
    case 'boolean':
      return 'true or false';
    case 'object':
    case 'record':
      return 'an object';
    default:
      return `a ${expected}`;
  }
}

function kindOf(origin: string): string {
  switch (origin) {
    case 'string':
      return 'a text with a length';
    case 'array':
      return 'a list with a length';
    case 'int':
      return 'a whole number';
    default:
      return 'a number';
  }
}

/** What a value is, in few words. */
function describe(value: unknown): string {
  if (typeof value === 'string') return value === '' ? 'an empty text' : `the text ${quoted(value)}`;
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}

function place(path: readonly PropertyKey[]): string {
  return path.length === 0 ? '' : ` at ${quoted(path.map(String).join('.'))}`;
}

function at(value: unknown, path: readonly PropertyKey[]): unknown {
  let found = value;
  for (const key of path)
    found = typeof found === 'object' && found !== null ? Reflect.get(found, key) : undefined;
  return found;
}

type JsonSchema = z.core.JSONSchema._JSONSchema;

/** The keys that an object at a place may have. */
function keysAt(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  const root = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any', reused: 'inline' });
  const expand = (form: JsonSchema) => alternatives(form, root.$defs ?? {});
  let forms: readonly JsonSchema[] = [root];
  for (const key of path) forms = forms.flatMap(expand).flatMap((form) => propertyOf(form, String(key)));
  return [...new Set(forms.flatMap(expand).flatMap((form) => Object.keys(propertiesOf(form))))];
}

/** @param definitions are schemas with an id, to which others refer */
function alternatives(
  schema: JsonSchema,
  definitions: Readonly<Record<string, JsonSchema>>,
): readonly JsonSchema[] {
  if (typeof schema !== 'object') return [schema];
  const { $ref, anyOf } = schema;
  const named = $ref === undefined ? undefined : definitions[$ref.replace(/^#\/\$defs\//, '')];
  if (named !== undefined) return alternatives(named, definitions);
  return anyOf ? anyOf.flatMap((each) => alternatives(each, definitions)) : [schema];
}

function propertyOf(schema: JsonSchema, key: string): readonly JsonSchema[] {
  const property = propertiesOf(schema)[key];
  return property === undefined ? [] : [property];
}

function propertiesOf(schema: JsonSchema): Readonly<Record<string, JsonSchema>> {
  return typeof schema === 'object' ? (schema.properties ?? {}) : {};
}
