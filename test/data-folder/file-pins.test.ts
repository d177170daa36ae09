import { readFile, writeFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { filePins } from '../../src/cli/data-folder/file-pins.ts'
import { edit, failureOf, initialised, load } from './support.ts'

const HASH = 'a'.repeat(64)
const OTHER = 'b'.repeat(64)

test('a pin is written where there was none; comments and everything else stay', async () => {
  const folder = await initialised({ orgId: 'alpha' })
  await edit(folder.paths.peers, /$/, '\n# what a person wrote\n')
  const before = await readFile(folder.paths.peers, 'utf8')
  const pins = filePins(folder.sources)
  expect(await pins.pin({ orgId: 'beta', packSeq: 3, hash: HASH })).toBe(true)
  const { policy, peers } = await load(folder)
  expect(policy.organisations).toMatchObject([{ orgId: 'beta', threshold: 1, pins: [{ packSeq: 3, hash: HASH }] }])
  expect(peers.organisations).toHaveLength(1)
  const after = await readFile(folder.paths.peers, 'utf8')
  for (const line of before.split('\n').filter((text) => text.trim().startsWith('#'))) expect(after).toContain(line)
})

test('a pin takes the place of one at its number, and stands beside others', async () => {
  const folder = await initialised({ orgId: 'alpha' })
  const pins = filePins(folder.sources)
  await writeFile(
    folder.paths.peers,
    `v: 1\npeers: []\norganisations:\n  # ours\n  - orgId: alpha\n    threshold: 2 # two of three\n    pins:\n      - { packSeq: 2, hash: ${HASH} }\n`
  )
  expect(await pins.pin({ orgId: 'alpha', packSeq: 2, hash: OTHER })).toBe(true)
  expect(await pins.pin({ orgId: 'alpha', packSeq: 5, hash: HASH })).toBe(true)
  const text = await readFile(folder.paths.peers, 'utf8')
  expect(text).toContain('# ours')
  expect(text).toContain('# two of three')
  expect((await load(folder)).policy.organisations).toEqual([
    {
      orgId: 'alpha',
      threshold: 2,
      pins: [
        { packSeq: 2, hash: OTHER },
        { packSeq: 5, hash: HASH }
      ]
    }
  ])
  expect(await pins.pin({ orgId: 'alpha', packSeq: 5, hash: HASH })).toBe(false)
  expect(await readFile(folder.paths.peers, 'utf8')).toBe(text)
})

test('nothing is written while the configuration is not valid', async () => {
  const folder = await initialised({ orgId: 'alpha' })
  await edit(folder.paths.federation, /^v: 1/m, 'v: 1\ncolour: red')
  const before = await readFile(folder.paths.peers, 'utf8')
  const failure = await failureOf(filePins(folder.sources).pin({ orgId: 'beta', packSeq: 1, hash: HASH }))
  expect(failure.code).toBe('CONFIG_INVALID')
  expect(await readFile(folder.paths.peers, 'utf8')).toBe(before)
})
