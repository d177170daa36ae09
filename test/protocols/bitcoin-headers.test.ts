import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readKnownHeaders } from '../../protocols/bitcoin-headers/v1/known-headers.ts'
import { BITCOIN_NETWORKS } from '../../src/timestamps/clients/bitcoin-networks.ts'
import { PROTOCOLS } from './make-vectors.ts'
import { readJson } from './third-party.ts'

function vectorsOf(name: string): readonly unknown[] {
  return (readJson(PROTOCOLS, `bitcoin-headers/v1/vectors/${name}.json`) as { vectors: readonly unknown[] }).vectors
}

describe('files of known headers', () => {
  type Valid = { text: string; hashes: Readonly<Record<string, string>>; tip: number }
  test.each(vectorsOf('files') as readonly Valid[])('$description', ({ text, hashes, tip }) => {
    const read = readKnownHeaders(text)
    if (!read.ok) throw new Error(read.detail)
    const { byHeight, byHash, tipHeight } = read.headers
    expect(Object.fromEntries([...byHeight].map(([height, { hash }]) => [height, hash]))).toEqual(hashes)
    expect(Object.fromEntries([...byHash].map(([hash, { height }]) => [height, hash]))).toEqual(hashes)
    expect(tipHeight).toBe(tip)
  })

  type Invalid = { text: string; line: number }
  test.each(vectorsOf('files-invalid') as readonly Invalid[])('$description: refused ($rule)', ({ text, line }) => {
    expect(readKnownHeaders(text)).toMatchObject({ ok: false, line })
  })

  const spec = readFileSync(join(PROTOCOLS, 'bitcoin-headers', 'v1', 'SPEC.md'), 'utf8')

  test('the example of the SPEC is the first vector', () => {
    const [first] = vectorsOf('files') as readonly Valid[]
    expect(spec.replaceAll(/\s/g, '')).toContain(first?.text.replaceAll(/\s/g, ''))
  })

  test('the SPEC names the first block of each network that is known', () => {
    const named = [...spec.matchAll(/^\| `([a-z0-9]+)` \| `([0-9a-f]{64})` \|$/gm)].map(([, name, hash]) => [
      name,
      hash
    ])
    expect(named).toEqual([...BITCOIN_NETWORKS].map(([name, { genesisHash }]) => [name, genesisHash]))
  })
})
