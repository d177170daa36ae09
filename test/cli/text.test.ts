import { PassThrough } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { failureOf, failureText } from '../../src/cli/failure.ts'
import { createProgress } from '../../src/cli/progress.ts'
import { rowTable, rowTableInParts } from '../../src/cli/row-table.ts'
import { bytes, cellText, duration, facts, shortDid, table } from '../../src/cli/table.ts'
import { statusText } from '../../src/cli/status-text.ts'
import { AnchormeshError } from '../../src/platform/errors.ts'
import type { Clock } from '../../src/platform/clock.ts'
import { memoryNode } from '../http/support/memory-operations.ts'

describe('tables', () => {
  test('columns are aligned, figures to the right, and empty columns left out', () => {
    const columns = [
      { heading: 'NAME', cell: ({ name }: { name: string; size: number }) => name },
      { heading: 'SIZE', cell: ({ size }: { name: string; size: number }) => size, align: 'right' },
      { heading: 'NOTE', cell: () => '' }
    ] as const
    expect(
      table(columns, [
        { name: 'öl', size: 5 },
        { name: 'longer', size: 12_345 }
      ])
    ).toBe(['NAME     SIZE', 'öl          5', 'longer  12345'].join('\n'))
  })

  test('a table that comes in parts has its headings again only where there is more to say', () => {
    const part = rowTableInParts()
    expect(part([{ name: 'a', size: 1 }])).toBe('NAME  SIZE\na        1')
    expect(part([{ name: 'longer' }, { size: 22 }])).toBe('longer\n          22')
    expect(part([{ name: 'b', note: 'new' }])).toBe('NAME  NOTE\nb     new')
  })

  test('text of others can neither move the cursor nor turn the line', () => {
    expect(cellText('a\x1b[2Jb\rc\u202ed')).toBe('a\\u001b[2Jb\\u000dc\\u202ed')
    expect(facts([['name', 'x\ny']])).toBe('name  x\\u000ay')
  })

  test('rows of any projection: hashes and DIDs short, times as times, lists by their length', () => {
    const did = 'did:key:z6MkmLgQGYC1uanZdZuzroBaTW4dC7PZP7n3RiBEoymagRo7'
    const row = {
      batchRoot: 'ab'.repeat(32),
      signer: did,
      updatedAt: 0,
      receiptCount: 7,
      announcements: [1, 2],
      winner: null
    }
    expect(
      rowTable([row])
        .split('\n')
        .map((line) => line.split(/ {2,}/))
    ).toEqual([
      ['BATCH ROOT', 'SIGNER', 'UPDATED AT', 'RECEIPT COUNT', 'ANNOUNCEMENTS'],
      ['abababababababab', shortDid(did), '1970-01-01T00:00:00Z', '7', '2']
    ])
  })

  test('a winner, the strongest loser and a quorum say in a cell what they are about', () => {
    const winner = { chainId: 'btc:mainnet', provenTime: 1_725_000_000_000, evidenceHash: 'a'.repeat(64) }
    const loser = { chainId: 'eip155:1', provenTime: 1_724_990_000_000, supersededBy: 'a'.repeat(64), rule: 'rail' }
    const dids = ['did:key:a', 'did:key:b']
    const quorum = { k: 2, of: 3, attested: dids, contradicting: [], missing: ['did:key:c'] }
    const rows = [
      { batchId: 'one', winner, losers: [loser, { ...loser, rule: 'rail' }], quorum },
      { batchId: 'two', winner, losers: [loser], quorum: { ...quorum, attested: [], contradicting: dids } },
      { batchId: 'three', winner: null, losers: [], quorum: null }
    ]
    const [, one = '', two = '', three = ''] = rowTable(rows).split('\n')
    expect(one).toContain('btc:mainnet 2024-08-30T06:40:00Z  eip155:1 2024-08-30T03:53:20Z lost by rail, 1 more')
    expect(one).toContain('2 attest, 2 of 3 needed')
    expect(two).toMatch(/lost by rail +0 attest, 2 of 3 needed, 2 contradict$/)
    expect(three).toMatch(/^three +0$/)
  })

  test('sizes and durations', () => {
    expect([0, 1023, 1024, 5_000_000].map(bytes)).toEqual(['0 B', '1023 B', '1.0 KiB', '4.8 MiB'])
    expect([1_234, 61_000, 7_260_000].map(duration)).toEqual(['1.2 s', '1 min 1 s', '2 h 1 min'])
  })
})

describe('status', () => {
  test('has what the operator should look at: warnings, and a note on a peer', async () => {
    const status = await memoryNode().status()
    expect(statusText(status)).not.toMatch(/warning|NOTE/)
    const peers = status.network?.peers.map((peer) => ({ ...peer, note: 'closes at once' })) ?? []
    const network = status.network === null ? null : { ...status.network, peers }
    const text = statusText({ ...status, warnings: ['first', 'second'], network })
    expect(text).toMatch(/\nhealth +ok\nwarning +first\nwarning +second\n/)
    expect(text).toMatch(/ NOTE *\n.* closes at once *\n/)
  })

  test('has the timestamp anchors in hand, and who is asked about them', async () => {
    const status = await memoryNode().status()
    const text = statusText(status)
    expect(text).toMatch(/timestamp anchors +2 undecided, 1 of them put off, 1 asked about\n/)
    expect(text).toMatch(/to be looked at again +3, 1 of them overdue\n/)
    expect(text).toMatch(/esplora\.example +bitcoin +9 +2 +PROVIDER_TIMEOUT +2023-11-14T22:13:20Z/)
    const { verification } = status
    const idle = { ...verification, undecided: 0, waiting: 0, running: 0, rechecks: 0, unconfirmed: 0, providers: [] }
    expect(statusText({ ...status, verification: idle })).not.toMatch(/timestamp anchors|PROVIDER/)
  })

  test('has the last sync session with each peer, where there is a mesh', async () => {
    const status = await memoryNode().status()
    const lines = (text: string): string[][] => text.split('\n').map((line) => line.split(/ {2,}/))
    const shown = lines(statusText(status))
    expect(shown).toContainEqual([
      'SYNC WITH',
      'NAMESPACE',
      'LAST',
      'END',
      'ROUNDS',
      'BYTES',
      'SENT',
      'RECEIVED',
      'NEXT'
    ])
    expect(shown.at(-1)).toEqual([
      'did:key:z6MkOther',
      'dao:test',
      '2023-11-14T22:13:20Z',
      'equal',
      '1',
      '90 B',
      '0',
      '0',
      '2023-11-14T22:14:20Z'
    ])
    expect(statusText({ ...status, network: null })).not.toContain('SYNC WITH')
    const [peer] = status.sync
    if (peer === undefined) throw new Error('the status has no peer')
    const before = statusText({ ...status, sync: [{ ...peer, last: null, nextAt: null, isRunning: true }] })
    expect(lines(before).at(-1)).toEqual(['did:key:z6MkOther', 'dao:test', 'none yet; under way'])
  })
})

describe('failures', () => {
  test('one has its exit code by its code, and always a hint', () => {
    const exitCodes = (['USAGE', 'CONFIG_INVALID', 'NOT_YET', 'STORE_LOCKED', 'PUBLISH_REFUSED'] as const).map(
      (code) => failureOf(new AnchormeshError(code, 'x')).exitCode
    )
    expect(exitCodes).toEqual([2, 2, 3, 1, 1])
    expect(failureOf(new AnchormeshError('STORE_LOCKED', 'x')).hint).not.toBe('')
    expect(failureOf(new AnchormeshError('STORE_CORRUPT', 'x')).hint).toMatch(/BEFORE you announce/)
    const denied = new AnchormeshError('PUBLISH_REFUSED', 'x', { detail: { code: 'CROSS_ORG_DENIED' } })
    expect(failureOf(denied)).toMatchObject({
      code: 'CROSS_ORG_DENIED',
      hint: expect.stringMatching(/^crossOrg in/) as string
    })
  })

  test('what the operating system refuses keeps its own code; anything else is a defect with its stack', () => {
    const refused = Object.assign(new Error('ENOENT: no such file'), { code: 'ENOENT', syscall: 'open' })
    expect(failureOf(refused)).toMatchObject({ code: 'ENOENT', exitCode: 1 })
    expect(failureOf(new TypeError('oops'))).toMatchObject({ code: 'INTERNAL', exitCode: 1 })
  })

  test('as JSON it is one line, for a person several', () => {
    const failure = failureOf(
      new AnchormeshError('CONFIG_INVALID', 'first\nsecond', { hint: 'look', detail: { a: 1 } })
    )
    expect(JSON.parse(failureText(failure, true))).toEqual({
      error: { code: 'CONFIG_INVALID', message: 'first\nsecond', hint: 'look', detail: { a: 1 } }
    })
    expect(failureText(failure, false)).toBe('error CONFIG_INVALID: first\n  second\nhint: look')
  })
})

describe('progress', () => {
  const clockAt = (times: number[]): Clock => ({
    now: () => 0,
    monotonicMs: () => times.shift() ?? 0,
    after: () => () => {},
    sleep: () => Promise.resolve()
  })

  test('is drawn on a terminal, not more often than ten times a second, and taken away', () => {
    const stream = Object.assign(new PassThrough({ encoding: 'utf8' }), { isTTY: true, columns: 80 })
    const progress = createProgress('sealing', stream, clockAt([0, 0, 50, 1_000]), true)
    progress.report({ done: 1, total: null, unit: 'receipts' })
    progress.report({ done: 2, total: null, unit: 'receipts' })
    progress.report({ done: 3_000, total: 4_000, unit: 'receipts' })
    progress.end()
    expect(stream.read()).toBe(
      '\r\x1b[2Ksealing: 1 receipts, 0 s\r\x1b[2Ksealing: 3,000 of 4,000 (75 %) receipts, 1 s\r\x1b[2K'
    )
  })

  test.each([
    ['elsewhere', false, true],
    ['with --quiet', true, false]
  ])('is silent %s', (_where, isTTY, shown) => {
    const stream = Object.assign(new PassThrough({ encoding: 'utf8' }), { isTTY })
    const progress = createProgress('sealing', stream, clockAt([]), shown)
    progress.report({ done: 1, total: null, unit: 'receipts' })
    progress.end()
    expect(stream.read()).toBeNull()
  })
})
