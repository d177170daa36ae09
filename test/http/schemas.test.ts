import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { problemSchema } from '../../src/http/errors.ts'
import * as schemas from '../../src/http/schemas.ts'

describe('schemas', () => {
  it.each([...Object.entries(schemas), ['problem', problemSchema] as const])(
    '%s can be written as JSON Schema, for OpenAPI',
    (_name, schema) => {
      const written = z.toJSONSchema(schema, { target: 'openapi-3.0', io: 'input' })
      expect(written).toHaveProperty(schema === schemas.submitOutcome ? 'anyOf' : 'type')
    }
  )
})
