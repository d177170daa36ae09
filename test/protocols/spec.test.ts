import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { PROTOCOLS } from './make-vectors.ts'
import { jsonFiles, readJson } from './third-party.ts'

type Vector = Readonly<Record<string, unknown>>

const PATHS = [
  'canonical-json/v1',
  'signature/v1',
  'batch/v1',
  'event/v1',
  'checkpoint/v1',
  'negentropy/v1',
  'range-sync/v1',
  'bundle/v1',
  'pack-sync/v1',
  'proof/v1',
  'evm-evidence/v1',
  'bitcoin-evidence/v1',
  'bitcoin-headers/v1',
  'tsa-evidence/v1',
  'winner/v1',
  'audit/v1',
  'keystore/v1',
  'signer/v1',
  'subscription/v1',
  'delivery/v1',
  'telemetry/v1',
  'feedback/v1',
  'drill-report/v1'
] as const

/** Whose codes a SPEC can name by reference. */
const BUILT_ON = ['canonical-json/v1', 'batch/v1', 'event/v1'] as const

const specOf = (path: string): string => readFileSync(join(PROTOCOLS, path, 'SPEC.md'), 'utf8')
/** Long values are broken into lines in the SPECs. */
const withoutSpace = (text: string): string => text.replaceAll(/\s/g, '')
const firstOf = (...path: readonly string[]): Vector =>
  (readJson(PROTOCOLS, ...path) as { vectors: readonly Vector[] }).vectors[0] ?? {}

/** Every folder of `protocols` that holds versions. */
const folders = readdirSync(PROTOCOLS, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && entry.name !== 'primitives')
  .flatMap(({ name }) => readdirSync(join(PROTOCOLS, name)).map((version) => `${name}/${version}`))
  .sort()

describe('the SPECs', () => {
  test('each folder is checked here, and listed in protocols/README.md and in the README', () => {
    expect([...PATHS].sort()).toEqual(folders)
    for (const [readme, prefix] of [
      [join(PROTOCOLS, 'README.md'), ''],
      [join(PROTOCOLS, '..', 'README.md'), 'protocols/']
    ] as const) {
      const listed = readFileSync(readme, 'utf8')
        .split('\n')
        .filter((line) => line.startsWith('| ['))
        .join('\n')
      expect(folders.filter((path) => !listed.includes(`(${prefix}${path}/SPEC.md)`))).toEqual([])
    }
  })

  test.each(PATHS)(
    '%s: each rule has one name, a tag where it is a check, and the vectors name only rules that are there',
    (path) => {
      const spec = specOf(path)
      const rules = [
        ...spec.matchAll(/^\*\*([A-Z]+-\d+)\*\*( \[(?:REJECT|IGNORE|PENDING|NO EFFECT|INVALID|WRITE)\])?/gm)
      ].map(([, name]) => name)
      expect(rules.length).toBeGreaterThan(5)
      expect(new Set(rules).size).toBe(rules.length)
      for (const file of jsonFiles(join(PROTOCOLS, path, 'vectors'))) {
        const { vectors } = readJson(file) as { vectors: readonly Vector[] }
        for (const { rule, code } of vectors) {
          if (typeof rule === 'string') expect(rules, file).toContain(rule)
          if (typeof code === 'string' && path !== 'canonical-json/v1')
            expect(spec + BUILT_ON.map(specOf).join('')).toContain(`\`${code}\``)
        }
      }
    }
  )

  test.each(PATHS)('%s: its tags are those that protocols/README.md explains, and evidence is [INVALID]', (path) => {
    const readme = readFileSync(join(PROTOCOLS, 'README.md'), 'utf8')
    const explained = [...readme.matchAll(/^\| (\[[A-Z ]+\]) \|/gm)].map(([, tag]) => tag)
    const evidence = path.includes('-evidence/')
    const refusing = ['[REJECT]', '[IGNORE]', '[NO EFFECT]']
    for (const [, tag] of specOf(path).matchAll(/^\*\*[A-Z]+-\d+\*\* (\[[A-Z ]+\])/gm)) {
      expect(explained).toContain(tag)
      if (evidence) expect(refusing).not.toContain(tag)
      else expect(tag).not.toBe('[INVALID]')
    }
  })

  test.each(PATHS)('%s: every file of vectors is named', (path) => {
    const spec = specOf(path)
    for (const file of jsonFiles(join(PROTOCOLS, path, 'vectors'))) {
      expect(spec).toContain(`vectors/${file.split(/[\\/]/).at(-1)}`)
    }
  })

  test('the worked examples are the first vectors', () => {
    const jws = firstOf('signature', 'v1', 'vectors', 'jws.json')
    const signature = withoutSpace(specOf('signature/v1'))
    for (const name of ['kid', 'protected', 'signingInput', 'publicKey', 'signature'])
      expect(signature).toContain(jws[name])

    const receipt = firstOf('batch', 'v1', 'vectors', 'receipts.json')
    const batch = withoutSpace(specOf('batch/v1'))
    for (const name of ['salt', 'record', 'leafHash']) expect(batch).toContain(receipt[name])

    const valid = firstOf('event', 'v1', 'vectors', 'valid.json')
    const event = withoutSpace(specOf('event/v1'))
    const [{ protected: header, signature: signed, publicKey } = {}] = valid['signatures'] as readonly Vector[]
    const canonical = Buffer.from(String(valid['canonical']), 'hex').toString()
    for (const value of [valid['id'], valid['wire'], canonical, header, signed, publicKey])
      expect(event).toContain(value)

    const negentropy = withoutSpace(specOf('negentropy/v1'))
    expect(negentropy).toContain(firstOf('negentropy', 'v1', 'vectors', 'messages.json')['message'])
    expect(negentropy).toContain(firstOf('negentropy', 'v1', 'vectors', 'fingerprints.json')['fingerprint'])

    const proof = firstOf('proof', 'v1', 'vectors', 'proofs.json')
    expect(withoutSpace(specOf('proof/v1'))).toContain(String(proof['file']))

    const rangeSync = withoutSpace(specOf('range-sync/v1'))
    const hello = firstOf('range-sync', 'v1', 'vectors', 'frames.json')
    expect(rangeSync).toContain(`${String(hello['length'])}${String(hello['bytes'])}`)
    const { chains, root } = firstOf('range-sync', 'v1', 'vectors', 'tips-roots.json')
    for (const { chain } of chains as readonly Vector[]) expect(rangeSync).toContain(chain)
    expect(rangeSync).toContain(root)

    const carrier = firstOf('bitcoin-evidence', 'v1', 'vectors', 'transactions.json')
    const bitcoin = withoutSpace(specOf('bitcoin-evidence/v1'))
    for (const name of ['transaction', 'txid']) expect(bitcoin).toContain(carrier[name])
  })

  test('the example of canonical JSON', () => {
    const spec = specOf('canonical-json/v1')
    expect(spec).toContain(Buffer.from('{"a":null,"b":[1.5,"€"]}').toString('hex'))
  })
})
