/** The inference operations of the models that are served now, each with its own inputs and outputs. */
import { z } from 'zod';
import { callerInputs, callerOutputs } from '../../../engines/composite.js';
import { formatSpec } from '../../../engines/signature.js';
import type { Content, Operation, Parameter } from '../../../http/routes/operation.js';
import type { Route } from '../../../http/routes/route.js';
import type { Servable } from '../../../serving/servable.js';
import type { Table } from '../../../serving/table.js';
import { exampleInputs } from '../example-request.js';
import { inferOperation } from './infer-operation.js';
import {
  modelAnswerSchema,
  modelFormSchema,
  modelRequestSchema,
  type NamedSignature,
} from './model-schemas.js';

type DescribedRoute = Omit<Route, 'handle'>;

/**
 * The rows of the route table as they are now. Each is made when it is asked for. `/infer` describes the default model.
 * Each served model has a row with its name in the path, beside the row for any model.
 */
export function* withModels(
  routes: readonly DescribedRoute[],
  table: Table,
): Generator<DescribedRoute, void, void> {
  const served = Array.from(table.models.values(), ({ serving }) => serving).filter(
    (each) => each !== undefined,
  );
  const isDefault = ({ id }: Servable) => id.model === table.defaultModel;
  for (const route of routes) {
    if (route.path === '/infer') {
      yield { ...route, operation: operationOf(served.find(isDefault), route.operation) };
      continue;
    }
    if (route.path === '/models/:model/infer') for (const servable of served) yield routeOf(servable, route);
    yield route;
  }
}

function routeOf(servable: Servable, route: DescribedRoute): DescribedRoute {
  const { model } = servable.id;
  const operation = operationOf(servable, {
    ...inferOperation('/infer'),
    id: `infer_${model}`,
    summary: `One prediction by \`${model}\``,
  });
  return { ...route, path: `/models/${encodeURIComponent(model)}/infer`, operation };
}

/** The operation with the schemas of a model, if the model is served. */
function operationOf(servable: Servable | undefined, operation: Operation): Operation {
  const { body, answers } = operation;
  const { 200: answer } = answers;
  const signatures = servable ? signaturesOf(servable) : [];
  if (!servable || !body || !answer || signatures.length === 0) return operation;
  const { defaultSignature } = servable;
  const request = {
    schema: modelRequestSchema(signatures),
    example: defaultSignature && exampleInputs(defaultSignature),
  };
  const form = defaultSignature && { schema: modelFormSchema(defaultSignature) };
  const answered = { schema: modelAnswerSchema(servable.id.model, signatures) };
  return {
    ...operation,
    parameters: operation.parameters?.map((each) => ofModel(each, signatures)) ?? [],
    body: {
      ...body,
      description: describeSignatures(servable),
      content: formFirst(
        replace(body.content, { 'application/json': request, 'multipart/form-data': form }),
        request.example === undefined,
      ),
    },
    answers: {
      ...answers,
      200: {
        ...answer,
        content: replace(answer.content, { 'application/json': answered }),
      },
    },
  };
}

/** Lists the names there are, in place of any name. */
function ofModel(parameter: Parameter, named: readonly NamedSignature[]): Parameter {
  const signatures = named.map(({ signature }) => signature);
  const outputs = new Set(signatures.flatMap((signature) => [...callerOutputs(signature).keys()]));
  switch (parameter.name) {
    case 'signature':
      return { ...parameter, schema: z.enum(signatures.map(({ name }) => name)) };
    case 'outputs':
      return { ...parameter, schema: z.array(z.enum([...outputs])).min(1) };
    default:
      return parameter;
  }
}

function signaturesOf({ model, defaultSignature }: Servable): NamedSignature[] {
  return Array.from(model.signatures.values(), (signature) => ({
    signature,
    isDefault: signature === defaultSignature,
  }));
}

/** Describes the signatures for people, as `GET /models/{model}` does. */
function describeSignatures({ model, defaultSignature }: Servable): string {
  return Array.from(model.signatures.values(), (signature) => {
    const isDefault = signature === defaultSignature ? ' (the default)' : '';
    const [inputs, outputs] = [callerInputs(signature), callerOutputs(signature)].map((specs) =>
      Array.from(specs.values(), (spec) => `\`${spec.name}\` ${formatSpec(spec)}`).join(', '),
    );
    return `- \`${signature.name}\`${isDefault}: ${inputs || 'no inputs'} → ${outputs || 'no outputs'}`;
  }).join('\n');
}

/** Puts the form first, if an example in JSON would be too long: what a page shows first should work. */
function formFirst(content: readonly Content[], wanted: boolean): Content[] {
  const isForm = ({ mediaTypes }: Content) => mediaTypes.includes('multipart/form-data');
  return wanted ? [...content.filter(isForm), ...content.filter((each) => !isForm(each))] : [...content];
}

type Form = Pick<Content, 'schema' | 'example'>;

/** Replaces the forms of some media types, whatever their parameters. The example before was for another model. */
function replace(content: readonly Content[], forms: Readonly<Record<string, Form | undefined>>): Content[] {
  return content.map(({ mediaTypes, schema }) => {
    const [type = ''] = mediaTypes[0]?.split(';') ?? [];
    return { mediaTypes, ...(schema ? { schema } : {}), ...forms[type] };
  });
}
