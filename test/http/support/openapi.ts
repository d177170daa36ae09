import type { PackServing } from '../../../src/pack-sync/server.ts'

/** A JSON Schema as the document has it. */
export interface Schema {
  readonly [name: string]: unknown
}

export interface Parameter {
  readonly name: string
  readonly in: 'query' | 'path'
  readonly required?: boolean
  readonly description?: string
  readonly example?: unknown
  readonly schema: Schema
}

type Content = Readonly<Record<string, { readonly schema: Schema }>>

export interface Response {
  readonly description: string
  readonly content?: Content
}

/** One operation of the document. */
export interface Operation {
  readonly method: string
  readonly path: string
  readonly operation: {
    readonly operationId?: string
    readonly summary?: string
    readonly description?: string
    readonly tags?: readonly string[]
    readonly security?: readonly object[]
    readonly parameters?: readonly Parameter[]
    readonly requestBody?: { readonly content: Content }
    readonly responses?: Readonly<Record<string, Response>>
  }
}

export interface Document {
  readonly openapi: string
  readonly info: object
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation['operation']>>>>
  readonly components: {
    readonly schemas: Readonly<Record<string, Schema>>
    readonly securitySchemes: object
  }
}

export function operationsIn({ paths }: Document): readonly Operation[] {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method, path, operation }))
  )
}

/** The names of the schemas that the document refers to. */
export function refsIn(document: Document): ReadonlySet<string> {
  const text = JSON.stringify(document)
  return new Set([...text.matchAll(/"#\/components\/schemas\/([^"]+)"/g)].map(([, name]) => name ?? ''))
}

/** Serves no packs; its routes are there. */
export const somePacks: PackServing = {
  packPage: () => Promise.resolve({ ok: false, reason: 'refused', code: 'unknown-organisation', detail: 'none' }),
  takePack: () => Promise.resolve({ ok: false, reason: 'refused', code: 'denied', detail: 'none' })
}
