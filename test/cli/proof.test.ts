import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fromHex, toBase64url } from '../../protocols/primitives/bytes.ts'
import { loadConfig } from '../../src/cli/data-folder/load-config.ts'
import { openNode } from '../../src/cli/own-node.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { silentLogger } from '../../src/platform/logger.ts'
import { systemRandom } from '../../src/platform/random.ts'
import type { ProofReport } from '../../src/proofs/report.ts'
import { startDevelopmentTsa } from '../../src/timestamps/clients/development-tsa.ts'
import { requestTimestamp } from '../../src/timestamps/clients/rfc3161-client.ts'
import { newFolder, run, runFailing, runJsonLines, runWell } from '../support/cli.ts'
import { LOOPBACK, NAMESPACE, init, startNode } from '../support/nodes.ts'

interface Stamped {
  readonly data: string
  readonly folder: string
  /** The file of the authority's root. */
  readonly root: string
  readonly leaves: readonly string[]
}

/** Made once, because each command takes a second; tests work on copies of it. */
let made: Stamped

beforeAll(async () => {
  made = await stampedBatch(mkdtempSync(join(tmpdir(), 'anchormesh-test-')))
})
afterAll(() => rmSync(made.folder, { recursive: true, force: true }))

/** A data folder with a batch of three receipts that was announced with a token; nobody has verified it yet. */
async function stampedBatch(folder: string): Promise<Stamped> {
  const data = join(folder, 'maker')
  await init(data, 'maker')
  const tsa = await startDevelopmentTsa({ clock: systemClock, random: systemRandom })
  const config = await loadConfig({ folder: data, environment: LOOPBACK })
  const node = await openNode(config, { clock: systemClock, random: systemRandom, logger: silentLogger })
  try {
    const batch = { namespace: NAMESPACE, batchId: 'b-1' }
    const { batchRoot } = await node.seal({ ...batch, receipts: [{ a: 1 }, 'zwölf', 3] })
    const asked = { url: tsa.url, root: fromHex(batchRoot) ?? new Uint8Array(), tsa: 'dev', timeoutMs: 10_000 }
    const result = await requestTimestamp({ ...asked, random: systemRandom, clock: systemClock })
    if (!result.ok) throw new Error(result.detail)
    const timestampAnchors = [{ chainId: 'rfc3161:dev', token: toBase64url(result.token) }]
    await node.announce({ ...batch, timestampAnchors })
    const leaves: string[] = []
    for await (const { leafHash } of node.proofs(NAMESPACE, 'b-1')) leaves.push(leafHash)
    const root = join(folder, 'root.pem')
    writeFileSync(root, tsa.rootCertificatePem)
    return { data, folder, root, leaves }
  } finally {
    await node.close()
    await tsa.close()
  }
}

/** The same in a folder of the test's own, and a proof of its second receipt, as a node writes it. */
async function stamped(): Promise<Stamped & { readonly file: string }> {
  const folder = newFolder()
  cpSync(made.folder, folder, { recursive: true })
  const copy = { ...made, folder, data: join(folder, 'maker'), root: join(folder, 'root.pem') }
  const file = join(folder, 'proof.json')
  const node = await openNode(await loadConfig({ folder: copy.data, environment: LOOPBACK }), {
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger
  })
  const { proof } = await node.proof({ namespace: NAMESPACE, batchId: 'b-1', leafHash: copy.leaves[1] ?? '' })
  await node.close()
  writeFileSync(file, proof)
  return { ...copy, file }
}

const proofOf = ({ data, leaves }: Stamped, file: string, index = 1): string[] => [
  'query',
  'receipts',
  '--batch',
  'b-1',
  '--receipt',
  leaves[index] ?? '',
  '--proof',
  file,
  '--data',
  data
]

interface Checked {
  readonly code: number | null
  readonly report: ProofReport
}

async function verify(...args: readonly string[]): Promise<Checked> {
  const { code, stdout, stderr } = await run(['verify', ...args, '--json'])
  if (stdout === '') throw new Error(stderr)
  return { code, report: JSON.parse(stdout) as ProofReport }
}

test('a receipt is proven to somebody with nothing but the file and the root of the authority', async () => {
  const mine = await stamped()
  const rows = await runJsonLines(['query', 'receipts', '--data', mine.data])
  expect(rows).toMatchObject([{ standing: 'unproven', standingReason: 'unverified', provenTime: null }, {}, {}])
  expect(await runWell(['query', 'receipts', '--data', mine.data])).toMatch(/STANDING +STANDING REASON/)

  const file = join(mine.folder, 'written.json')
  const written = await run([...proofOf(mine, file), '--json'])
  // No node verified it yet, so the file is written and the command says so.
  expect(written.code).toBe(3)
  expect(JSON.parse(written.stdout)).toMatchObject({ file, standing: 'unproven', reason: 'unverified', index: 1 })

  const { code, report } = await verify(file, '--tsa-root', mine.root)
  expect(code).toBe(0)
  expect(report).toMatchObject({ overall: 'proven', owner: 'maker', batchId: 'b-1', chainId: 'rfc3161:dev' })
  expect(report.steps.map(({ step, outcome }) => `${step} ${outcome}`)).toEqual([
    'record ok',
    'inclusion ok',
    'owner ok',
    'announcement ok',
    'timestamp-anchor ok'
  ])
  expect(report.claims).toMatchObject({ standing: 'unproven', reason: 'unverified' })
  const text = await run(['verify', '-', '--tsa-root', mine.root], { input: readFileSync(file, 'utf8') })
  expect(text.code).toBe(0)
  expect(text.stdout).toMatch(/^receipt +[0-9a-f]{64}\n/)
  expect(text.stdout).toMatch(/\nSTEP +OF +OUTCOME +DETAIL\nrecord /)
  expect(text.stdout).toMatch(
    /\nproven: the record existed at 20.* at the latest, in a batch that did:key:\w+ announced\n$/
  )
})

test('without the root it is undecided, under another root and changed it fails', async () => {
  const mine = await stamped()
  const { file } = mine
  const undecided = await verify(file)
  expect(undecided).toMatchObject({ code: 3, report: { overall: 'undecided', provenTime: null } })
  expect(undecided.report.steps.at(-1)).toMatchObject({ code: 'ROOTS_MISSING' })

  const tsa = await startDevelopmentTsa({ clock: systemClock, random: systemRandom })
  await tsa.close()
  const other = join(mine.folder, 'other.pem')
  writeFileSync(other, tsa.rootCertificatePem)
  expect(await verify(file, '--tsa-root', other)).toMatchObject({ code: 1, report: { overall: 'failed' } })

  const tampered = join(mine.folder, 'tampered.json')
  writeFileSync(tampered, readFileSync(file, 'utf8').replace('zwölf', 'elf'))
  const failed = await verify(tampered, '--tsa-root', mine.root)
  expect(failed).toMatchObject({ code: 1, report: { overall: 'failed' } })
  expect(failed.report.steps[0]).toMatchObject({ step: 'record', outcome: 'failed', code: 'RECORD' })
})

test('who the owner is comes from the reader: by --owner, or from a data folder that is named', async () => {
  const mine = await stamped()
  const { file } = mine
  const root = ['--tsa-root', mine.root]
  const { report } = await verify(file, ...root)
  const owner = (of: ProofReport) => of.steps.find(({ step }) => step === 'owner')
  expect(owner(report)?.detail).toContain('as it says itself')
  const named = await verify(file, ...root, '--owner', report.ownerDid ?? '')
  expect([named.code, owner(named.report)?.detail]).toEqual([0, expect.stringContaining('as you know it') as string])
  const somebody = 'did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK'
  const other = await verify(file, ...root, '--owner', somebody)
  expect([other.code, owner(other.report)?.outcome]).toEqual([1, 'failed'])

  const known = await verify(file, ...root, '--data', mine.data)
  expect([known.code, owner(known.report)?.detail]).toEqual([0, expect.stringContaining('as you know it') as string])
  const federation = join(mine.data, 'federation.yaml')
  const text = readFileSync(federation, 'utf8')
  writeFileSync(federation, text.replace('      "rfc3161:*": {}\n', ''))
  const refused = await verify(file, ...root, '--data', mine.data)
  expect(refused).toMatchObject({ code: 3, report: { overall: 'undecided' } })
  expect(refused.report.steps.at(-1)).toMatchObject({ code: 'REFUSED_BY_POLICY' })
})

test('a running node writes the same file', async () => {
  const mine = await stamped()
  const node = await startNode(mine.data)
  const file = join(mine.folder, 'written.json')
  const written = await run([...proofOf(mine, file, 2), '--json'])
  expect(JSON.parse(written.stdout)).toMatchObject({ leafHash: mine.leaves[2], index: 2 })
  expect(await verify(file, '--tsa-root', mine.root)).toMatchObject({ code: 0, report: { overall: 'proven' } })
  node.process.kill('SIGTERM')
  await node.ended
})

describe('what is refused', () => {
  test('filters that leave several receipts or none, another projection, a file that is there, an erased receipt', async () => {
    const mine = await stamped()
    const file = join(mine.folder, 'new.json')
    const data = ['--data', mine.data]
    const several = await runFailing(['query', 'receipts', '--proof', file, ...data])
    expect(several).toMatchObject({ exitCode: 2, error: { code: 'USAGE' } })
    expect(several.error.hint).toContain('--receipt')
    const none = await runFailing(['query', 'receipts', '--receipt', 'ab'.repeat(32), '--proof', file, ...data])
    expect(none).toMatchObject({ exitCode: 1, error: { code: 'RECEIPT_UNKNOWN' } })
    const batches = await runFailing(['query', 'batches', '--proof', file, ...data])
    expect(batches).toMatchObject({ exitCode: 2, error: { code: 'USAGE' } })
    const earlier = await runFailing([...proofOf(mine, file), '--at', '1'])
    expect(earlier).toMatchObject({ exitCode: 2, error: { code: 'USAGE' } })
    const alone = await runFailing(['query', 'receipts', '--receipt', mine.leaves[0] ?? '', ...data])
    expect(alone).toMatchObject({ exitCode: 2, error: { code: 'USAGE' } })

    await runWell(['forget', mine.leaves[0] ?? '', '--reason', 'asked for', ...data])
    const erased = await runFailing(proofOf(mine, file, 0))
    expect(erased).toMatchObject({ exitCode: 1, error: { code: 'RECEIPT_UNKNOWN' } })
    expect(erased.error.message).toContain('erased')
    expect(existsSync(file)).toBe(false)

    const before = readFileSync(mine.file, 'utf8')
    expect(await runFailing(proofOf(mine, mine.file, 2))).toMatchObject({ exitCode: 2, error: { code: 'USAGE' } })
    expect(readFileSync(mine.file, 'utf8')).toBe(before)
  })

  test('a file that is none, no proof, or no root; a key or an owner that is none', async () => {
    const folder = newFolder()
    const text = join(folder, 'text.json')
    writeFileSync(text, '{"type":"anchormesh-proof","v":2}')
    const usage = { exitCode: 2, stdout: '', error: { code: 'USAGE' } }
    expect(await runFailing(['verify', join(folder, 'missing.json')])).toMatchObject(usage)
    expect(await runFailing(['verify', folder])).toMatchObject(usage)
    const newer = await runFailing(['verify', text])
    expect(newer).toMatchObject({ ...usage, error: { code: 'USAGE', detail: { code: 'UNKNOWN_VERSION' } } })
    expect(await runFailing(['verify', text, '--key', 'did:web:a=b'])).toMatchObject(usage)
    expect(await runFailing(['verify', text, '--owner', 'maker'])).toMatchObject(usage)

    const mine = await stamped()
    const { file } = mine
    expect(await runFailing(['verify', file, '--tsa-root', text])).toMatchObject(usage)
    expect(await runFailing(['verify', file, '--headers', text])).toMatchObject(usage)
  })
})
