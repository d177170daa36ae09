import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import * as anchoringSchemas from '../../src/http/anchoring-schemas.ts'
import { problemSchema } from '../../src/http/errors.ts'
import * as schemas from '../../src/http/schemas.ts'

describe('schemas', () => {
  it.each([...Object.entries(schemas), ...Object.entries(anchoringSchemas), ['problem', problemSchema] as const])(
    '%s can be written as JSON Schema, for OpenAPI',
    (_name, schema) => {
      const written = z.toJSONSchema(schema, { target: 'openapi-3.0', io: 'input' })
      const isWritten = ['type', 'anyOf', 'allOf', '$ref'].some((keyword) => Object.hasOwn(written, keyword))
      expect(isWritten, JSON.stringify(written)).toBe(true)
    }
  )
})
