/** Makes the OpenAPI document from the route table alone, so that it says what the server does. */
import { STATUS_CODES } from 'node:http';
import { type ZodType, z } from 'zod';
import { type ErrorCode, httpStatusOf } from '../../../errors.js';
import { Turns } from '../../../flow/turns.js';
import { isAdministrative, keyScopes, type Scope } from '../../../http/access/api-keys.js';
import { headerComponents, referToHeaders } from '../../../http/answer/answer-headers.js';
import { errorCodeSchema, errorSchema } from '../../../http/answer/error-value.js';
import {
  type Content,
  type DocumentedAnswer,
  type Operation,
  type Parameter,
  valueTypes,
} from '../../../http/routes/operation.js';
import type { Route } from '../../../http/routes/route.js';
import { requestIdParameter } from './parameters.js';

/** A route without its function. */
type DescribedRoute = Omit<Route, 'handle'>;

/** Any JSON object. */
export type JsonObject = { readonly [key: string]: unknown };

export interface ApiFacts {
  /** The version of the server. */
  readonly version: string;
  /** True if keys are configured: then routes ask for them. */
  readonly hasKeys: boolean;
}

const description = `Predictions by TensorFlow SavedModels, and what is to be known of them.

Answers come in the type that \`Accept\` asks for, else in that of the request, else in JSON. Every error has the form of
\`Error\`, but for those below \`/v2\`. A \`GET\` route answers \`HEAD\` too; a method that a path does not take is answered 405, with those it takes in
\`Allow\`.`;

/**
 * Describes the routes one by one, with pauses for the event loop, because there may be thousands of models.
 *
 * @param routes of one server, each of which becomes an operation
 */
export async function describeApi(routes: Iterable<DescribedRoute>, facts: ApiFacts): Promise<JsonObject> {
  const turns = new Turns('in its turn');
  const schemas = new SchemaCollection();
  schemas.add(errorSchema);
  const paths: Record<string, Record<string, JsonObject>> = {};
  const tags = new Set<Operation['tag']>();
  for (const route of routes) {
    await turns.pause();
    tags.add(route.operation.tag);
    const path = route.path.replaceAll(/:(\w+)/g, '{$1}');
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: describeRoute(route, facts, schemas) };
  }
  const codes = errorCodeSchema.options;
  const statuses = new Set(codes.map((code) => httpStatusOf[code]));
  return {
    openapi: '3.1.1',
    info: {
      title: 'tfjs-serving',
      version: facts.version,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      description,
    },
    // The URL is relative to the document, so that it is right wherever the server is mounted.
    servers: [{ url: '.', description: 'This server' }],
    tags: Array.from(tags, (name) => ({ name, description: tagDescriptions[name] })),
    // If there are keys, each route says what it requires.
    ...(facts.hasKeys ? {} : { security: [] }),
    paths,
    components: {
      schemas: schemas.components,
      responses: Object.fromEntries(
        [...statuses].map((status) => [errorName(status), describeError(status, codes, schemas)]),
      ),
      headers: headerComponents,
      parameters: { RequestId: describeParameter(requestIdParameter, schemas) },
      ...(facts.hasKeys ? { securitySchemes } : {}),
    },
  };
}

const tagDescriptions: Readonly<Record<Operation['tag'], string>> = {
  inference: 'Predictions.',
  models: 'Which models and versions there are, and which of them serve.',
  health: 'For supervisors and load balancers.',
  diagnosis: 'What the server does, for monitoring and for finding what takes time.',
  documentation: 'This document, for people and for programs.',
  'open inference protocol':
    'Version 2 over REST, as KServe and Triton speak it. Errors are `{"error": "…"}`.',
};

const securitySchemes: JsonObject = {
  ApiKey: {
    type: 'apiKey',
    in: 'header',
    name: 'X-API-Key',
    description: `A key has scopes: ${keyScopes.join(', ')}. What a route asks for stands beside it.`,
  },
};

function describeRoute(route: DescribedRoute, facts: ApiFacts, schemas: SchemaCollection): JsonObject {
  const { path, scope, operation } = route;
  const { id, tag, summary, parameters = [], body, answers, errors = [], errorContent } = operation;
  for (const [, name] of path.matchAll(/:(\w+)/g)) {
    if (!parameters.some((each) => each.in === 'path' && each.name === name))
      throw new Error(`the path parameter ${name} of ${path} is not described`);
  }
  const statuses = new Set([...errors, ...errorsOf(scope, facts)].map((code) => httpStatusOf[code]));
  return {
    operationId: id,
    tags: [tag],
    summary,
    description: [operation.description, accessTo(scope, facts)].filter(Boolean).join('\n\n') || undefined,
    parameters: [
      ...parameters.map((each) => describeParameter(each, schemas)),
      { $ref: '#/components/parameters/RequestId' },
    ],
    ...(body ? { requestBody: { ...body, content: describeContent(body.content, schemas) } } : {}),
    responses: {
      ...mapValues(answers, (each) => describeAnswer(each, schemas)),
      ...Object.fromEntries(
        [...statuses].map((status) => [
          status,
          errorContent
            ? describeError(status, errorCodeSchema.options, schemas, errorContent)
            : { $ref: `#/components/responses/${errorName(status)}` },
        ]),
      ),
    },
    ...(facts.hasKeys ? { security: scope === 'open' ? [] : [{ ApiKey: [scope] }] } : {}),
  };
}

/** The errors that every route of a scope may return as well. */
function errorsOf(scope: Scope, { hasKeys }: ApiFacts): ErrorCode[] {
  const keyErrors: ErrorCode[] = hasKeys && scope !== 'open' ? ['UNAUTHENTICATED', 'RESOURCE_EXHAUSTED'] : [];
  // PERMISSION_DENIED is for a name that is not this server's, or a page that may not ask.
  return [...keyErrors, 'PERMISSION_DENIED', 'INTERNAL'];
}

/** Says who may call it. */
function accessTo(scope: Scope, { hasKeys }: ApiFacts): string {
  if (scope === 'open') return '';
  if (hasKeys) return `Needs a key with the scope \`${scope}\`.`;
  return isAdministrative(scope) ? 'Answers loopback only, as no API keys are configured.' : '';
}

function describeParameter(parameter: Parameter, schemas: SchemaCollection): JsonObject {
  const { name, in: place, description, schema } = parameter;
  const required = place === 'path' || undefined;
  // The items of a list are separated by commas.
  const style = schema instanceof z.ZodArray ? { style: 'form', explode: false } : {};
  return { name, in: place, required, description, ...style, schema: schemas.add(schema) };
}

function describeAnswer(
  { description, content, headers = [] }: DocumentedAnswer,
  schemas: SchemaCollection,
): JsonObject {
  return {
    description,
    headers: referToHeaders(['X-Request-Id', ...headers]),
    ...(content.length === 0 ? {} : { content: describeContent(content, schemas) }),
  };
}

function describeContent(content: readonly Content[], schemas: SchemaCollection): JsonObject {
  const described = content.flatMap(({ mediaTypes, schema, example }) =>
    mediaTypes.map((type) => [
      type,
      { ...(schema ? { schema: schemas.add(schema) } : {}), ...(example === undefined ? {} : { example }) },
    ]),
  );
  return Object.fromEntries(described);
}

function errorName(status: number): string {
  return `Error${status}`;
}

/** @param content describes errors in another form than that of our own protocol */
function describeError(
  status: number,
  all: readonly ErrorCode[],
  schemas: SchemaCollection,
  content?: Content,
): JsonObject {
  const codes = all.filter((code) => httpStatusOf[code] === status);
  const reason = STATUS_CODES[status] ?? 'Client Closed Request';
  const schema = errorSchema.extend({ error: errorSchema.shape.error.extend({ code: z.enum(codes) }) });
  const own = { mediaTypes: valueTypes, schema: schema.meta({ id: errorName(status) }) };
  return {
    description: `${reason}: ${codes.join(' or ')}`,
    headers: referToHeaders([
      'X-Request-Id',
      ...(codes.some(isWorthWaiting) ? (['Retry-After'] as const) : []),
      ...(codes.includes('METHOD_NOT_ALLOWED') ? (['Allow'] as const) : []),
    ]),
    content: describeContent([content ?? own], schemas),
  };
}

function isWorthWaiting(code: ErrorCode): boolean {
  return code === 'UNAVAILABLE' || code === 'RESOURCE_EXHAUSTED';
}

/** Collects the JSON Schemas of zod's. A schema with an id is written once and referred to elsewhere. */
class SchemaCollection {
  readonly components: Record<string, unknown> = {};
  private readonly added = new Map<ZodType, JsonObject>();

  /** @returns the schema, or a reference to it */
  add(schema: ZodType): JsonObject {
    const added = this.added.get(schema) ?? this.convert(schema);
    this.added.set(schema, added);
    return added;
  }

  private convert(schema: ZodType): JsonObject {
    const {
      $schema: _,
      $defs,
      ...own
    } = toReferences(
      z.toJSONSchema(schema, { io: 'input', override: ({ jsonSchema }) => simplify(jsonSchema) }),
    ) as JsonObject;
    Object.assign(this.components, $defs);
    return own;
  }
}

/** Removes what is obvious: that keys are texts, and zod's own bounds of integers. */
function simplify(jsonSchema: { minimum?: number; maximum?: number; propertyNames?: unknown }): void {
  delete jsonSchema.propertyNames;
  if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
}

/** Turns the definitions beside a schema into components of the document. */
function toReferences(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(toReferences);
  if (typeof value === 'string') return value.replace(/^#\/\$defs\//, '#/components/schemas/');
  if (typeof value !== 'object' || value === null) return value;
  return mapValues(value as JsonObject, toReferences);
}

function mapValues<Value, Result>(
  object: { readonly [key: string]: Value },
  map: (value: Value) => Result,
): Record<string, Result> {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, map(value)]));
}
