/**
 * The gateway's own OpenAPI 3.1 document, made from the routes and schemas that serve the API. What is not JSON (intake,
 * STOW-RS, metrics) is described by hand here, since those routes stream and have no schema to be made from.
 */
import Type, { type TSchema } from 'typebox';
import { VERSION } from '../core/version.ts';
import { Intake, Problem } from './api-schemas.ts';
import type { Access } from './auth.ts';

/** A route as the document needs it. */
export interface DescribedRoute {
  readonly method: 'get' | 'post';
  /** With `:name` for what varies. */
  readonly path: string;
  readonly operationId: string;
  readonly access: Access;
  readonly summary: string;
  /** An object schema: one property a parameter. */
  readonly query?: TSchema;
  /** The body of a 200: a schema for JSON, or the media types of what is streamed. */
  readonly answer: TSchema | readonly string[];
  readonly requestTypes?: readonly string[];
  /** Further statuses with their meaning; a problem is understood. */
  readonly refusals?: Readonly<Record<number, string>>;
}

const BYTES = { type: 'string', format: 'binary' };
const Customer = Type.Object({
  customer: Type.Optional(Type.String({ pattern: '^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,63}$', default: 'default' })),
});
const REFUSALS = {
  400: 'Not DICOM, or a body that is broken or incomplete.',
  413: 'An instance is larger than limits.maxHttpBodyBytes.',
  503: 'Out of space, or the store does not answer; see Retry-After.',
};

const STREAMED: readonly DescribedRoute[] = [
  {
    method: 'post',
    path: '/receive_dicom',
    operationId: 'receiveDicom',
    access: 'send',
    summary: 'Takes custody of one Part 10 file (the body, whatever its type) or of the files of a form.',
    query: Customer,
    requestTypes: ['application/dicom', 'multipart/form-data', '*/*'],
    answer: Intake,
    refusals: REFUSALS,
  },
  ...['/dicom-web/studies', '/dicom-web/studies/:study'].map(
    (path): DescribedRoute => ({
      method: 'post',
      path,
      operationId: path.endsWith(':study') ? 'storeInstancesOfStudy' : 'storeInstances',
      access: 'send',
      summary: 'STOW-RS (PS3.18 §10.5); answers the Store Instances Response Module.',
      query: Customer,
      requestTypes: ['multipart/related; type="application/dicom"'],
      answer: ['application/dicom+json'],
      refusals: { ...REFUSALS, 202: 'Some are in custody.', 409: 'None is.', 415: 'Not whole instances.' },
    }),
  ),
  {
    method: 'get',
    path: '/healthz',
    operationId: 'liveness',
    access: 'public',
    summary: 'The process answers.',
    answer: Type.Object({ status: Type.String() }),
  },
  {
    method: 'get',
    path: '/readyz',
    operationId: 'readiness',
    access: 'public',
    summary: 'Custody can be taken: the spool has room and the store answers.',
    answer: Type.Object({ status: Type.String(), reasons: Type.Array(Type.String()) }),
    refusals: { 503: 'Not ready; the reasons are named.' },
  },
  {
    method: 'get',
    path: '/metrics',
    operationId: 'metrics',
    access: 'view',
    summary: 'Prometheus text.',
    answer: ['text/plain; version=0.0.4'],
  },
];

export function openApiOf(routes: readonly DescribedRoute[]): unknown {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of [...routes, ...STREAMED]) {
    const path = route.path.replace(/:(\w+)/g, '{$1}');
    paths[path] = { ...paths[path], [route.method]: operationOf(route) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Lethe',
      version: VERSION,
      description:
        'What the console and scripts ask of a gateway. No answer but those with x-access `identified` shows a value that identifies a person.',
    },
    security: [{ basic: [] }, { bearer: [] }, {}],
    paths,
    components: {
      schemas: { Problem },
      securitySchemes: { basic: { type: 'http', scheme: 'basic' }, bearer: { type: 'http', scheme: 'bearer' } },
    },
  };
}

function operationOf(route: DescribedRoute): unknown {
  const refusals = Object.entries(route.refusals ?? {});
  return {
    operationId: route.operationId,
    summary: route.summary,
    'x-access': route.access,
    ...(route.access === 'public' && { security: [] }),
    parameters: parametersOf(route),
    ...(route.requestTypes !== undefined && {
      requestBody: { required: true, content: contentOf(route.requestTypes) },
    }),
    responses: {
      200: { description: 'As asked.', content: contentOf(route.answer) },
      ...Object.fromEntries(refusals.map(([status, description]) => [status, { description }])),
      default: {
        description: 'What went wrong.',
        content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
      },
    },
  };
}

function contentOf(body: TSchema | readonly string[]): Record<string, unknown> {
  if (!isTypes(body)) return { 'application/json': { schema: body } };
  return Object.fromEntries(body.map((type) => [type, { schema: BYTES }]));
}

function isTypes(body: TSchema | readonly string[]): body is readonly string[] {
  return Array.isArray(body);
}

function parametersOf(route: DescribedRoute): unknown[] {
  const inPath = [...route.path.matchAll(/:(\w+)/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
  const properties = (route.query as { properties?: Record<string, unknown> } | undefined)?.properties ?? {};
  const inQuery = Object.entries(properties).map(([name, schema]) => ({ name, in: 'query', schema }));
  return [...inPath, ...inQuery];
}
