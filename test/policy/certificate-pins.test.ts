import { expect, test } from 'vitest'
import { certificatePinProblems, certificatePins } from '../../src/policy/certificate-pins.ts'
import { peersSchema } from '../../src/policy/config-schema.ts'

const [a, b] = ['a'.repeat(64), 'b'.repeat(64)] as const
const peers = (...pins: readonly (readonly string[])[]): ReturnType<typeof peersSchema.parse> =>
  peersSchema.parse({
    v: 1,
    peers: pins.map((certificatePins, index) => ({ did: `did:web:${index}.example`, orgId: 'o', certificatePins }))
  })

test('each pin leads to its DID', () => {
  expect([...certificatePins(peers([a], [b]))]).toEqual([
    [a, 'did:web:0.example'],
    [b, 'did:web:1.example']
  ])
  expect(certificatePinProblems(peers([a, b], []))).toEqual([])
})

test('two DIDs with one pin are a problem, at the second place', () => {
  expect(certificatePinProblems(peers([a], [b, a], [a]))).toEqual([
    { file: 'peers.yaml', path: ['peers', 1, 'certificatePins', 1], message: 'is pinned to did:web:0.example already' },
    { file: 'peers.yaml', path: ['peers', 2, 'certificatePins', 0], message: 'is pinned to did:web:0.example already' }
  ])
})
