import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { encodeOtsProof } from '../../protocols/bitcoin-evidence/v1/open-timestamps.ts'
import { loadConfig } from '../../src/cli/data-folder/load-config.ts'
import { openNode } from '../../src/cli/own-node.ts'
import type { OnlineVerification } from '../../src/operations.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { silentLogger } from '../../src/platform/logger.ts'
import { systemRandom } from '../../src/platform/random.ts'
import type { AnchoringResult } from '../../src/anchoring/anchoring.ts'
import type { ProofReport } from '../../src/proofs/report.ts'
import { OpenTimestampsCalendars } from '../../src/timestamps/clients/open-timestamps-calendars.ts'
import { describeBitcoind, startBitcoind } from '../support/bitcoind.ts'
import type { Bitcoind } from '../support/bitcoind.ts'
import { newFolder, run } from '../support/cli.ts'
import { collect } from '../support/collect.ts'
import type { Ended } from '../support/cli.ts'
import { LOOPBACK, NAMESPACE, init } from '../support/nodes.ts'
import { DEPTH, configureFolder, startRails } from '../support/real-rails.ts'
import { startCalendar } from '../timestamps/support/calendar.ts'

/** What a proof's reader asks for who knows nothing of the node's policy. */
const CUSTOM_DEPTH = 6

/** A dozen commands, each a process: half a minute on a busy machine. */
const COMMANDS_MS = 600_000

describeBitcoind('the command line on a real chain', () => {
  let bitcoind: Bitcoind
  let data: string
  const of = (batchId: string): string[] => ['--namespace', NAMESPACE, '--batch', batchId, '--data', data]
  /** Seals in this process: quicker than by command, and the same. The leaf of the first receipt of each, and its root. */
  const seal = async (...batchIds: readonly string[]): Promise<{ leafHash: string; batchRoot: string }[]> => {
    const config = await loadConfig({ folder: data, environment: LOOPBACK })
    const node = await openNode(config, { clock: systemClock, random: systemRandom, logger: silentLogger })
    const sealed: { leafHash: string; batchRoot: string }[] = []
    for (const batchId of batchIds) {
      const { batchRoot } = await node.seal({ namespace: NAMESPACE, batchId, receipts: ['eins', 'zwölf'] })
      const [first] = await collect(node.proofs(NAMESPACE, batchId))
      sealed.push({ leafHash: first?.leafHash ?? '', batchRoot })
    }
    await node.close()
    return sealed
  }
  const upgrade = async (...args: readonly string[]): Promise<{ code: number | null; results: AnchoringResult[] }> => {
    const { code, stdout } = await run(['anchor', 'upgrade', '--data', data, ...args, '--json'])
    const lines = stdout.split('\n').filter(Boolean)
    return { code, results: lines.map((line) => JSON.parse(line) as AnchoringResult) }
  }
  const verifyOnline = (...args: readonly string[]): Promise<Ended> => run(['verify-online', '--data', data, ...args])

  beforeAll(async () => {
    bitcoind = await startBitcoind()
  })
  afterAll(() => bitcoind.stop())
  beforeEach(async () => {
    data = join(newFolder(), 'node')
    await init(data, 'maker')
  })

  /** A file of the headers from the height on. */
  async function headersFrom(height: number): Promise<string> {
    const file = join(data, 'headers.txt')
    const lines: string[] = []
    for (let at = height; at <= (await bitcoind.tip()).height; at += 1) {
      const header = (await bitcoind.rpc('getblockheader', await bitcoind.rpc('getblockhash', at), false)) as string
      lines.push(`${at} ${header}`)
    }
    writeFileSync(file, `${lines.join('\n')}\n`)
    return file
  }

  async function verify(...args: readonly string[]): Promise<{ code: number | null; report: ProofReport }> {
    const { code, stdout, stderr } = await run(['verify', ...args, '--json'])
    if (stdout === '') throw new Error(stderr)
    return { code, report: JSON.parse(stdout) as ProofReport }
  }

  async function proofOf(
    sealed: { leafHash: string } | undefined
  ): Promise<{ code: number | null; file: string; standing: string }> {
    const file = join(newFolder(), 'proof.json')
    const asked = ['query', 'receipts', '--receipt', sealed?.leafHash ?? '', '--proof', file, '--data', data, '--json']
    const { code, stdout } = await run(asked)
    return { code, file, standing: (JSON.parse(stdout) as { standing: string }).standing }
  }

  it(
    'writes proofs that anybody can check against headers or a root, and no others',
    { timeout: COMMANDS_MS },
    async () => {
      const rails = await startRails(systemClock, bitcoind)
      configureFolder(data, NAMESPACE, rails)
      const [stamped, chained, bare] = await seal('stamped', 'chained', 'bare')
      expect((await run(['announce', ...of('bare')])).code).toBe(0)
      expect((await run(['anchor', ...of('stamped'), '--rail', 'tsa'])).code).toBe(0)
      expect((await run(['anchor', ...of('chained'), '--rail', 'btc'])).code).toBe(3)
      const { height } = await bitcoind.tip()
      await bitcoind.mine(1 + CUSTOM_DEPTH)
      expect((await upgrade()).code).toBe(0)
      expect((await verifyOnline()).code).toBe(0)

      const { code, file, standing } = await proofOf(chained)
      expect([code, standing]).toEqual([0, 'proven'])
      const headers = await headersFrom(height)
      expect(await verify(file)).toMatchObject({ code: 3, report: { overall: 'undecided', provenTime: null } })
      expect(await verify(file, '--headers', headers)).toMatchObject({
        code: 0,
        report: { overall: 'proven', chainId: 'btc:regtest' }
      })
      const tampered = join(data, 'tampered.json')
      writeFileSync(tampered, readFileSync(file, 'utf8').replace('eins', 'zwei'))
      expect(await verify(tampered, '--headers', headers)).toMatchObject({ code: 1, report: { overall: 'failed' } })

      const token = await proofOf(stamped)
      expect([token.code, token.standing]).toEqual([0, 'proven'])
      expect(await verify(token.file, '--tsa-root', join(data, 'tsa-roots', 'dev.pem'))).toMatchObject({
        code: 0,
        report: { overall: 'proven', chainId: 'rfc3161:dev' }
      })
      // Headers of another chain prove nothing of it, and nothing proves what was only announced.
      expect(await verify(token.file, '--headers', headers)).toMatchObject({ code: 3 })
      const announced = await proofOf(bare)
      expect([announced.code, announced.standing]).toEqual([3, 'unproven'])
      const nothing = await verify(
        announced.file,
        '--headers',
        headers,
        '--tsa-root',
        join(data, 'tsa-roots', 'dev.pem')
      )
      expect(nothing.report).toMatchObject({ provenTime: null })
      expect(nothing.code).not.toBe(0)
    }
  )

  it(
    'goes on with a promise of a calendar, its own or somebody else’s, until a block keeps it',
    { timeout: COMMANDS_MS },
    async () => {
      await using calendar = await startCalendar(bitcoind)
      const rails = await startRails(systemClock, bitcoind)
      configureFolder(data, NAMESPACE, rails, { calendars: [calendar.url] })
      const [, theirs] = await seal('own', 'theirs')
      expect((await run(['anchor', ...of('own'), '--rail', 'btc'])).code).toBe(3)
      const stamped = await new OpenTimestampsCalendars([calendar.url], systemClock).stamp(
        new Uint8Array(Buffer.from(theirs?.batchRoot ?? '', 'hex')),
        new AbortController().signal
      )
      if (!('proof' in stamped)) throw new Error('not stamped')
      const file = join(data, 'theirs.ots')
      writeFileSync(file, encodeOtsProof(stamped.proof))
      const imported = await run(['anchor', 'upgrade', '--proof', file, ...of('theirs')])
      expect([imported.code, imported.stderr]).toMatchObject([3, expect.any(String)])
      expect(await upgrade()).toMatchObject({ code: 3, results: [{ state: 'under-way' }, { state: 'under-way' }] })

      const txid = await calendar.stamp()
      await bitcoind.mine(1)
      expect((await upgrade()).code).toBe(3)
      await bitcoind.mine(DEPTH)
      expect(await upgrade()).toMatchObject({
        code: 0,
        results: [
          { batchId: 'own', state: 'announced', evidenceId: txid },
          { batchId: 'theirs', state: 'announced', evidenceId: txid }
        ]
      })
      const { code, stdout } = await verifyOnline('--json')
      expect(code).toBe(0)
      expect(JSON.parse(stdout) as OnlineVerification).toMatchObject({
        rails: [{ rail: 'btc', checked: 2, verified: 2 }]
      })
    }
  )

  it(
    'anchors, checks again, loses what a reorganisation takes, and says what can not be asked',
    { timeout: COMMANDS_MS },
    async () => {
      const rails = await startRails(systemClock, bitcoind)
      configureFolder(data, NAMESPACE, rails)
      const [, chained] = await seal('stamped', 'chained')
      expect((await run(['anchor', ...of('stamped'), '--rail', 'tsa'])).code).toBe(0)
      const begun = await run(['anchor', ...of('chained'), '--rail', 'btc'])
      expect(begun).toMatchObject({ code: 3 })
      expect(begun.stdout).toMatch(/state +under-way/)
      expect((await upgrade()).code).toBe(3)
      const [block = ''] = await bitcoind.mine(1 + DEPTH)
      expect(await upgrade()).toMatchObject({ code: 0, results: [{ batchId: 'chained', state: 'announced' }] })

      const before = await proofOf(chained)
      expect([before.code, before.standing]).toEqual([3, 'unproven'])
      const good = await verifyOnline()
      expect([good.code, good.stdout.trimEnd().split('\n')]).toEqual([
        0,
        [
          'RAIL     CHECKED  VERIFIED  CHANGED',
          'btc            1         1        1',
          'rfc3161        1         1        1'
        ]
      ])

      await bitcoind.reorganise(block)
      const lost = await verifyOnline()
      expect(lost.code).toBe(1)
      expect(lost.stdout).toMatch(/^btc +1 +0 +1 +1$/m)
      expect(lost.stdout).toMatch(/1 that counted does not hold any longer:/)
      expect(lost.stdout).toMatch(/chained +btc:regtest +[0-9a-f]{16} +invalid +BTC_NOT_BEST_CHAIN/)
      const after = await proofOf(chained)
      expect([after.code, after.standing]).toEqual([3, 'unproven'])

      await bitcoind.restore(block)
      const back = await verifyOnline()
      expect([back.code, back.stdout]).toEqual([0, expect.stringMatching(/^btc +1 +1 +1$/m)])
      // The last of the tests: it is not needed any more.
      await bitcoind.stop()
      const unasked = await verifyOnline('--json')
      expect(unasked.code).toBe(3)
      expect(JSON.parse(unasked.stdout) as OnlineVerification).toMatchObject({ lostCount: 0, unconfirmed: 1 })
    }
  )
})
