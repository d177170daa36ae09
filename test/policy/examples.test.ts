import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { settingsWithoutEffect } from '../../src/cli/data-folder/without-effect.ts'
import { federationSchema, peersSchema } from '../../src/policy/config-schema.ts'
import { effectivePolicy } from '../../src/policy/policy.ts'
import { parseConfig } from '../../src/policy/yaml.ts'
import { person, problemsOf } from './support.ts'

const read = (name: string): Promise<string> => readFile(new URL(`../../config/${name}`, import.meta.url), 'utf8')

/** The names of all keys with fixed names, at whatever depth. */
function keysOf(schema: unknown): string[] {
  if (typeof schema !== 'object' || schema === null) return []
  const {
    properties = {},
    items,
    additionalProperties
  } = schema as {
    properties?: Record<string, unknown>
    items?: unknown
    additionalProperties?: unknown
  }
  return [
    ...Object.entries(properties).flatMap(([key, inner]) => [key, ...keysOf(inner)]),
    ...keysOf(items),
    ...keysOf(additionalProperties)
  ]
}

test.each([
  ['federation.yaml', federationSchema],
  ['peers.yaml', peersSchema]
] as const)('config/%s is valid and shows every key', async (name, schema) => {
  const text = await read(name)
  const parsed = parseConfig<unknown>(text, name, schema)
  expect(parsed.ok ? [] : parsed.problems).toEqual([])
  for (const key of keysOf(z.toJSONSchema(schema, { io: 'input' }))) {
    expect(text, key).toMatch(new RegExp(`^[ #-]*${key}:`, 'm'))
  }
})

test('the examples have every setting that has no effect without TLS', async () => {
  const peers = parseConfig(await read('peers.yaml'), 'peers.yaml', peersSchema)
  if (!peers.ok) throw new Error('the example is not valid')
  expect(settingsWithoutEffect(peers, false).map(({ key }) => key)).toEqual(['peers[0].certificatePins'])
  expect(settingsWithoutEffect(peers, true)).toEqual([])
})

test('the examples make a policy together', async () => {
  const federation = parseConfig(await read('federation.yaml'), 'federation.yaml', federationSchema)
  const peers = parseConfig(await read('peers.yaml'), 'peers.yaml', peersSchema)
  if (!federation.ok || !peers.ok) throw new Error('the examples are not valid')
  const { did, orgId } = federation.value.node
  // Nobody holds the key of the example, so another one stands in; its DID is the example's.
  const { kid, bytes } = person('example')
  expect(problemsOf(effectivePolicy(federation.value, peers.value, { did, orgId, kid, publicKey: bytes }))).toEqual([])
})
