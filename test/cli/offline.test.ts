import { existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { verifyInclusion } from '../../protocols/batch/v1/merkle.ts'
import { decodeReceipt } from '../../protocols/batch/v1/receipt.ts'
import { fromHex, utf8 } from '../../protocols/primitives/bytes.ts'
import type {
  Digest,
  ImportResult,
  LoggedEvent,
  LogVerification,
  NodeStatus,
  Published,
  PublishedPack,
  RebuiltProjection,
  ReceiptProof,
  SealedBatch
} from '../../src/operations.ts'
import { PAGE_ENTRIES_MAX } from '../../src/projections/page.ts'
import { launch, newFolder, run, runFailing, runJson, runJsonLines, runWell } from '../support/cli.ts'
import { NAMESPACE, init, introduce } from '../support/nodes.ts'
import { until } from '../support/until.ts'

const RECEIPTS = [{ name: 'left-pad', version: '1.3.0' }, { name: 'ä', size: 3 }, 'a text', null]
const asLines = (values: readonly unknown[]): string => values.map((value) => `${JSON.stringify(value)}\n`).join('')

/** A data folder, and receipts to seal. */
async function oneFolder(): Promise<{ readonly maker: string; readonly receipts: string }> {
  const folder = newFolder()
  const maker = join(folder, 'maker')
  await init(maker, 'maker')
  const receipts = join(folder, 'receipts.jsonl')
  writeFileSync(receipts, asLines(RECEIPTS))
  return { maker, receipts }
}

/** A second data folder; both know each other. */
async function otherFolder(maker: string): Promise<string> {
  const other = join(newFolder(), 'other')
  await init(other, 'other')
  await introduce([maker, other])
  return other
}

const hash = (hex: string): Uint8Array => {
  const bytes = fromHex(hex)
  if (bytes === null) throw new Error(`${hex} is no hash`)
  return bytes
}

describe('without a running node, a verb opens the store itself', () => {
  test('from init to a second folder that holds the same', async () => {
    const { maker, receipts } = await oneFolder()
    const other = await otherFolder(maker)
    const batch = ['--namespace', NAMESPACE, '--batch', 'b-1', '--data', maker]
    const proofsFile = join(maker, 'proofs.jsonl')

    const sealed = await runJson<SealedBatch>(['seal', ...batch, '--proofs', proofsFile, receipts])
    expect(sealed).toMatchObject({
      namespace: NAMESPACE,
      owner: 'maker',
      batchId: 'b-1',
      receiptCount: RECEIPTS.length
    })
    const proofs = readFileSync(proofsFile, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as ReceiptProof)
    expect(proofs.map(({ index, treeSize, batchRoot }) => ({ index, treeSize, batchRoot }))).toEqual(
      RECEIPTS.map((_, index) => ({ index, treeSize: RECEIPTS.length, batchRoot: sealed.batchRoot }))
    )
    for (const [index, { leafHash, treeSize, path, record }] of proofs.entries()) {
      expect(decodeReceipt(utf8(record ?? ''))).toMatchObject({ ok: true, receipt: RECEIPTS[index] })
      expect(
        verifyInclusion({
          leafHash: hash(leafHash),
          index,
          treeSize,
          path: path.map(hash),
          root: hash(sealed.batchRoot)
        })
      ).toBe(true)
    }

    const published = await runJson<Published>(['announce', ...batch])
    expect(published).toMatchObject({ recipients: 0 })
    const pack = await runJson<PublishedPack>(['pack', 'publish', '--data', maker])
    expect(pack).toMatchObject({ orgId: 'maker', packSeq: 1 })

    const events = await runJsonLines<LoggedEvent>(['events', '--data', maker])
    expect(events.map(({ id }) => id)).toEqual([published.id, pack.id])
    const all = await runJsonLines<LoggedEvent>(['events', '--scope', 'all', '--data', maker])
    // After these the node may log what it has learned of them.
    expect(all.slice(0, 4).map(({ event }) => event['type'])).toEqual([
      'policy',
      'batch-sealed',
      'announce',
      'anchor-pack'
    ])
    const some = ['events', '--scope', 'all', '--after', '1', '--limit', '2', '--data', maker]
    expect(await runJsonLines<LoggedEvent>(some)).toEqual(all.slice(1, 3))

    const batches = await runJsonLines([
      'query',
      'batches',
      '--namespace',
      NAMESPACE,
      '--batch',
      'b-1',
      '--data',
      maker
    ])
    expect(batches).toMatchObject([{ batchRoot: sealed.batchRoot, receiptCount: RECEIPTS.length, effect: null }])
    expect(await runJsonLines(['query', 'receipts', '--data', maker])).toHaveLength(RECEIPTS.length)
    const digest = await runJson<Digest>(['digest', '--namespace', NAMESPACE, '--data', maker])

    const verification = await runJson<LogVerification>(['log', 'verify', '--data', maker])
    expect(verification).toMatchObject({ ok: true, problemCount: 0 })
    expect(verification.records).toBeGreaterThanOrEqual(all.length)
    const rebuilt = await runJsonLines<RebuiltProjection>(['log', 'rebuild', '--data', maker])
    expect(rebuilt.length).toBeGreaterThan(5)
    expect(rebuilt.filter(({ identical }) => !identical)).toEqual([])

    const exported = join(maker, 'export.jsonl')
    expect(await runJson(['log', 'export', exported, '--data', maker])).toEqual({ file: exported, events: 2 })
    const imported = await runJson<ImportResult>(['log', 'import', exported, '--data', other])
    expect(imported).toEqual({ read: 2, accepted: 2, duplicate: 0, pending: 0, refused: {} })
    const again = await runJson<ImportResult>(['log', 'import', '-', '--data', other], {
      input: readFileSync(exported, 'utf8')
    })
    expect(again).toEqual({ read: 2, accepted: 0, duplicate: 2, pending: 0, refused: {} })
    const there = await runJson<Digest>(['digest', '--namespace', NAMESPACE, '--data', other])
    expect({ ...there, logSeq: digest.logSeq }).toEqual(digest)
  })

  test('a person reads tables and facts', async () => {
    const { maker, receipts } = await oneFolder()
    await otherFolder(maker)
    const batch = ['--namespace', NAMESPACE, '--batch', 'b-1', '--data', maker]
    const sealed = await runWell(['seal', ...batch, receipts])
    expect(sealed).toMatch(/^batch +b-1\nnamespace +test:mesh\nowner +maker\nreceipts +4\nroot +[0-9a-f]{64}\n$/)
    const announced = await run(['announce', ...batch])
    expect(announced.stdout).toMatch(/sent to +0 peers/)
    expect(announced.stderr).toMatch(/^No peer got it now\. Sync brings it to .*`anchormesh log export`/s)
    expect((await run(['pack', 'publish', '--data', maker])).stderr).toMatch(/^No peer got it now\. /)
    expect(await runWell(['query', 'batches', '--data', maker])).toMatch(/^NAMESPACE +OWNER +BATCH ID/)
    expect(await runWell(['events', '--data', maker])).toMatch(
      /^LOGSEQ +TIME .*\n3 +20[0-9T:Z-]+ +announce +test:mesh +did:key:z6Mk/
    )
    expect(await runWell(['status', '--data', maker])).toMatch(
      /^node +not running; opened for this command\nhealth +ok\n/
    )
    expect(await runWell(['peers', 'list', '--data', maker])).toMatch(/^ORGANISATION .*\nother +did:key:z6Mk/)
    expect(await runWell(['log', 'verify', '--data', maker])).toMatch(/^log +intact\n/)
  })

  test('query goes on where a page ends before the first row that fits', async () => {
    const { maker } = await oneFolder()
    const seal = ['seal', '--namespace', NAMESPACE, '--data', maker, '-', '--batch']
    await runWell([...seal, 'b-1'], { input: '0\n'.repeat(PAGE_ENTRIES_MAX + 1) })
    await runWell([...seal, 'b-2'], { input: '1\n2\n' })
    const query = ['query', 'receipts', '--batch', 'b-2', '--data', maker]
    expect(await runJsonLines(query)).toMatchObject([
      { batchId: 'b-2', index: 0 },
      { batchId: 'b-2', index: 1 }
    ])
    expect(await runJsonLines([...query, '--limit', '1'])).toMatchObject([{ batchId: 'b-2', index: 0 }])
  })

  test('a list has its headings once, on top; a list of nothing is a note and no line', async () => {
    const { maker } = await oneFolder()
    const other = await otherFolder(maker)
    const input = asLines(Array.from({ length: 1_100 }, (_, index) => index))
    await runWell(['seal', '--namespace', NAMESPACE, '--batch', 'b-1', '--data', maker, '-'], { input })
    await runWell(['announce', '--namespace', NAMESPACE, '--batch', 'b-1', '--data', maker])
    const lists = [
      [['events'], /^LOGSEQ +TIME /, 1],
      [['query', 'receipts'], /^NAMESPACE +/, 1_100],
      [['peers', 'list'], /^ORGANISATION +DID /, 1]
    ] as const
    for (const [verb, headings, count] of lists) {
      const lines = (await runWell([...verb, '--data', maker])).trimEnd().split('\n')
      expect(lines, verb.join(' ')).toHaveLength(count + 1)
      expect(
        lines.findIndex((line) => headings.test(line)),
        verb.join(' ')
      ).toBe(0)
      expect(
        lines.findLastIndex((line) => headings.test(line)),
        verb.join(' ')
      ).toBe(0)
    }
    for (const [verb, note] of [
      [['events'], 'No events.'],
      [['query', 'receipts'], 'No rows in receipts.']
    ] as const) {
      expect(await run([...verb, '--data', other])).toMatchObject({ code: 0, stdout: '', stderr: `${note}\n` })
    }
    const alone = join(newFolder(), 'alone')
    await init(alone, 'alone')
    expect(await run(['peers', 'list', '--data', alone])).toMatchObject({
      code: 0,
      stdout: '',
      stderr: 'No peers yet: anchormesh peers add FILE\n'
    })
  })
})

describe('what is refused', () => {
  test('an export that was changed: which line, and what became of those before it', async () => {
    const { maker, receipts } = await oneFolder()
    const other = await otherFolder(maker)
    const batch = ['--namespace', NAMESPACE, '--batch', 'b-1', '--data', maker]
    await runWell(['seal', ...batch, receipts])
    await runWell(['announce', ...batch])
    await runWell(['pack', 'publish', '--data', maker])
    const [header, first, second = '', end] = (await runWell(['log', 'export', '-', '--data', maker])).split('\n')
    const bytes = Buffer.from((JSON.parse(second) as { bytes: string }).bytes, 'base64url').toString()
    const changed = JSON.stringify({ bytes: Buffer.from(bytes.replace('"ts":1', '"ts":2')).toString('base64url') })
    const importing = (lines: readonly unknown[]) =>
      runFailing(['log', 'import', '-', '--data', other], { input: lines.join('\n') })

    const cut = await importing([header, first, '{"bytes":'])
    expect(cut).toMatchObject({ exitCode: 2, stdout: '', error: { code: 'USAGE' } })
    expect(cut.error.message).toMatch(/line 3: .*\nbefore it: 1 events read, 1 new, 0 already there$/)
    const tampered = await importing([header, first, changed, end])
    expect(tampered.error.message).toMatch(
      /line 4: .*\nbefore it: 2 events read, 0 new, 1 already there, 1 refused [A-Z_]+$/
    )
    expect(tampered.error.detail).toMatchObject({ line: 4, result: { read: 2, accepted: 0, duplicate: 1 } })
  })

  test('a filter or a cursor that the query can not have', async () => {
    const { maker } = await oneFolder()
    const data = ['--data', maker]
    const refused = { exitCode: 2, stdout: '', error: { code: 'QUERY_INVALID' } }
    const filtered = await runFailing(['query', 'trust-anchors', '--namespace', NAMESPACE, ...data])
    expect(filtered).toMatchObject(refused)
    expect(filtered.error.hint).toBe('leave --namespace out')
    const misplaced = await runFailing(['query', 'batches', '--cursor', 'abc', ...data])
    expect(misplaced).toMatchObject(refused)
    expect(misplaced.error.message).toBe('abc is no cursor of this query')
  })

  test('a batch that was sealed before, or never', async () => {
    const { maker, receipts } = await oneFolder()
    const batch = ['--namespace', NAMESPACE, '--batch', 'b-1', '--data', maker]
    await runWell(['seal', ...batch, receipts])
    expect(await runFailing(['seal', ...batch, receipts])).toMatchObject({
      exitCode: 1,
      error: { code: 'BATCH_EXISTS' }
    })
    const unknown = ['announce', '--namespace', NAMESPACE, '--batch', 'b-2', '--data', maker]
    expect(await runFailing(unknown)).toMatchObject({ exitCode: 1, error: { code: 'BATCH_UNKNOWN' } })
  })

  test('a namespace that is not carried, by every verb in the same way', async () => {
    const { maker, receipts } = await oneFolder()
    const out = join(maker, 'export.jsonl')
    const verbs = [
      ['seal', '--batch', 'b-1', receipts],
      ['announce', '--batch', 'b-1'],
      ['events'],
      ['query', 'batches'],
      ['digest'],
      ['log', 'export', out]
    ]
    for (const verb of verbs) {
      const failed = await runFailing([...verb, '--namespace', 'test:other', '--data', maker])
      expect(failed, verb.join(' ')).toMatchObject({
        exitCode: 1,
        stdout: '',
        error: { code: 'NOT_FOUND', message: 'this node does not carry test:other' }
      })
      expect(failed.error.hint, verb.join(' ')).toContain(NAMESPACE)
    }
    expect(existsSync(out)).toBe(false)
    expect(await runJsonLines(['query', 'batches', '--namespace', NAMESPACE, '--data', maker])).toEqual([])
    expect(await runJsonLines(['events', '--namespace', '_trust', '--data', maker])).toEqual([])
  })

  test('a namespace that is carried no more is still answered for from the log', async () => {
    const { maker, receipts } = await oneFolder()
    const batch = ['--namespace', NAMESPACE, '--batch', 'b-1', '--data', maker]
    await runWell(['seal', ...batch, receipts])
    await runWell(['announce', ...batch])
    const file = join(maker, 'federation.yaml')
    writeFileSync(file, readFileSync(file, 'utf8').replaceAll(NAMESPACE, 'test:another'))
    expect(await runJsonLines(['query', 'batches', '--namespace', NAMESPACE, '--data', maker])).toHaveLength(1)
    expect(
      await runJsonLines(['query', 'winners', '--status', 'settled', '--namespace', NAMESPACE, '--data', maker])
    ).toEqual([])
    expect(await runJsonLines(['events', '--namespace', NAMESPACE, '--data', maker])).toHaveLength(1)
  })

  test('receipts that are none: nothing of them is sealed', async () => {
    const { maker } = await oneFolder()
    const inputs = [
      ['{"a":1}\n{"b":1,"b":2}\n', /line 2: DUPLICATE_KEY/],
      ['{"id":12345678901234567890}\n', /line 1: NUMBER_NOT_IJSON/],
      ['{"a":1}\n{"b":', /line 2: is not JSON/],
      ['\n\n', /no receipts/]
    ] as const
    for (const [input, message] of inputs) {
      const failed = await runFailing(['seal', '--namespace', NAMESPACE, '--batch', 'b-1', '--data', maker, '-'], {
        input
      })
      expect(failed).toMatchObject({ exitCode: 1, error: { code: 'RECEIPTS_INVALID' } })
      expect(failed.error.message).toMatch(message)
    }
    expect(await runJsonLines(['query', 'receipts', '--data', maker])).toEqual([])
  })

  test('an input that can not be read: wrong usage, and which path', async () => {
    const { maker } = await oneFolder()
    const circle = join(maker, 'circle')
    symlinkSync(circle, circle)
    const batch = ['--namespace', NAMESPACE, '--batch', 'b-1', '--data', maker]
    const paths = [
      [join(maker, 'none.jsonl'), 'there is no such file or folder'],
      [join(maker, 'keystore.json', 'none'), 'a part of the path is no folder'],
      [maker, 'it is a folder'],
      [circle, 'its links lead in a circle']
    ] as const
    const verbs = (path: string): string[][] => [
      ['seal', ...batch, path],
      ['log', 'import', '--data', maker, path],
      ['announce', ...batch, '--timestamp-anchor', path],
      ['peers', 'add', '--data', maker, path]
    ]
    for (const [index, [path, reason]] of paths.entries()) {
      // Every verb on the first path, every path with one verb.
      for (const verb of index === 0 ? verbs(path) : verbs(path).slice(2, 3)) {
        const failed = await runFailing(verb)
        expect(failed, verb.join(' ')).toMatchObject({
          exitCode: 2,
          stdout: '',
          error: { code: 'USAGE', message: `${path} can't be read: ${reason}` }
        })
      }
    }
  })

  test('an output that can not be written: wrong usage, and nothing was done', async () => {
    const { maker, receipts } = await oneFolder()
    const out = join(maker, 'none', 'out.jsonl')
    const error = { code: 'USAGE', message: `${out} can't be written: there is no such file or folder` }
    const seal = ['seal', '--namespace', NAMESPACE, '--batch', 'b-1', '--data', maker, '--proofs', out, receipts]
    for (const verb of [['log', 'export', '--data', maker, out], seal]) {
      expect(await runFailing(verb)).toMatchObject({ exitCode: 2, stdout: '', error })
    }
    expect(await runJsonLines(['query', 'receipts', '--data', maker])).toEqual([])
  })

  test('a file that would be overwritten', async () => {
    const { maker, receipts } = await oneFolder()
    const seal = ['seal', '--namespace', NAMESPACE, '--batch', 'b-1', '--data', maker]
    const before = readFileSync(receipts, 'utf8')
    const refused = { exitCode: 2, error: { code: 'USAGE' } }
    expect(await runFailing([...seal, '--proofs', receipts, receipts])).toMatchObject(refused)
    expect(await runFailing(['log', 'export', receipts, '--data', maker])).toMatchObject(refused)
    expect(readFileSync(receipts, 'utf8')).toBe(before)
    expect(await runJsonLines(['query', 'receipts', '--data', maker])).toEqual([])
  })

  test('events --follow has nothing to follow, and status --watch goes on asking', async () => {
    const { maker } = await oneFolder()
    expect(await runFailing(['events', '--follow', '--data', maker])).toMatchObject({
      exitCode: 1,
      error: { code: 'NODE_NOT_RUNNING' }
    })
    const watching = launch(['status', '--watch', '--json', '--data', maker])
    await until('two answers', () => watching.stdout().split('\n').length > 2)
    watching.process.kill('SIGINT')
    expect((await watching.ended).code).toBe(130)
  })

  test('a projection that there is not; a position that is not reached is undecided', async () => {
    const { maker } = await oneFolder()
    const unknown = await runFailing(['query', 'winner', '--data', maker])
    expect(unknown).toMatchObject({ exitCode: 2, error: { code: 'UNKNOWN_PROJECTION' } })
    const later = await runFailing(['query', 'winners', '--at', '999', '--data', maker])
    expect(later).toMatchObject({ exitCode: 3, error: { code: 'NOT_YET' } })
  })

  test('a file that is no timestamp anchor', async () => {
    const { maker, receipts } = await oneFolder()
    const anchor = [
      'announce',
      '--namespace',
      NAMESPACE,
      '--batch',
      'b-1',
      '--data',
      maker,
      '--timestamp-anchor',
      receipts
    ]
    expect(await runFailing(anchor)).toMatchObject({ exitCode: 2, error: { code: 'USAGE' } })
  })

  test('an export that was cut, changed, or is none', async () => {
    const { maker, receipts } = await oneFolder()
    const other = await otherFolder(maker)
    const batch = ['--namespace', NAMESPACE, '--batch', 'b-1', '--data', maker]
    await runWell(['seal', ...batch, receipts])
    await runWell(['announce', ...batch])
    const text = await runWell(['log', 'export', '-', '--data', maker])
    const lines = text.trimEnd().split('\n')
    const inputs = [
      [asLines(RECEIPTS), 'line 1: '],
      [lines.slice(0, -1).join('\n'), 'ends before its last line'],
      [[lines[0], lines[1], ...lines.slice(1)].join('\n'), 'does not belong']
    ] as const
    for (const [input, message] of inputs) {
      const refused = await runFailing(['log', 'import', '-', '--data', other], { input })
      expect(refused).toMatchObject({ exitCode: 2, error: { code: 'USAGE' } })
      expect(refused.error.message).toContain(message)
    }
  })

  test('events of a stranger are refused, with the count by code', async () => {
    const { maker, receipts } = await oneFolder()
    const stranger = join(newFolder(), 'stranger')
    await init(stranger, 'stranger')
    const batch = ['--namespace', NAMESPACE, '--batch', 'b-1', '--data', stranger]
    await runWell(['seal', ...batch, receipts])
    await runWell(['announce', ...batch])
    const text = await runWell(['log', 'export', '-', '--data', stranger])
    const { code, stdout } = await run(['log', 'import', '-', '--data', maker, '--json'], { input: text })
    expect({ code, result: JSON.parse(stdout) as unknown }).toEqual({
      code: 1,
      result: { read: 1, accepted: 0, duplicate: 0, pending: 0, refused: { SIGNER_NOT_MEMBER: 1 } }
    })
  })
})

describe('the data folder', () => {
  test('init never overwrites', async () => {
    const folder = join(newFolder(), 'node')
    await init(folder, 'maker')
    const files = ['federation.yaml', 'peers.yaml', 'keystore.json'].map((name) => join(folder, name))
    const before = files.map((file) => readFileSync(file, 'utf8'))
    expect(await runFailing(['init', '--data', folder, '--org', 'other'])).toMatchObject({
      exitCode: 2,
      error: { code: 'USAGE' }
    })
    expect(files.map((file) => readFileSync(file, 'utf8'))).toEqual(before)
  })

  test('a store that is shorter than store.json says, or gone, is corrupt and never a new one', async () => {
    const { maker, receipts } = await oneFolder()
    await runWell(['seal', '--namespace', NAMESPACE, '--batch', 'b-1', '--data', maker, receipts])
    const file = join(maker, 'store.json')
    const written = readFileSync(file, 'utf8')
    const kept = JSON.parse(written) as { readonly head: { readonly logSeq: number } }
    writeFileSync(file, JSON.stringify({ ...kept, head: { ...kept.head, logSeq: kept.head.logSeq + 5 } }))
    expect(await runFailing(['log', 'verify', '--data', maker])).toMatchObject({
      exitCode: 1,
      error: { code: 'STORE_CORRUPT' }
    })
    writeFileSync(file, 'not JSON')
    expect(await runFailing(['log', 'verify', '--data', maker])).toMatchObject({
      exitCode: 1,
      error: { code: 'STORE_CORRUPT' }
    })
    writeFileSync(file, JSON.stringify({ ...kept, formatVersion: 99 }))
    expect(await runFailing(['log', 'verify', '--data', maker])).toMatchObject({
      exitCode: 1,
      error: { code: 'STORE_NEWER' }
    })
    writeFileSync(file, written)
    expect(await runJson(['log', 'verify', '--data', maker])).toMatchObject({ ok: true })
    rmSync(join(maker, 'store'), { recursive: true })
    expect(await runFailing(['log', 'verify', '--data', maker])).toMatchObject({
      exitCode: 1,
      error: { code: 'STORE_CORRUPT' }
    })
    expect(existsSync(join(maker, 'store', 'CURRENT'))).toBe(false)
  })

  test('an error in federation.yaml names file, line and key', async () => {
    const folder = join(newFolder(), 'node')
    await init(folder, 'maker')
    const file = join(folder, 'federation.yaml')
    writeFileSync(file, readFileSync(file, 'utf8').replace('orgId:', 'orgID:'))
    const { code, stderr } = await run(['status', '--data', folder])
    expect(code).toBe(2)
    expect(stderr).toMatch(/^error CONFIG_INVALID: .*federation\.yaml:[0-9]+:[0-9]+ node\.orgId: is required\n/)
    expect(stderr).toMatch(/\n.*federation\.yaml:[0-9]+:[0-9]+ node\.orgID: .*did you mean orgId/)
  })

  test('--config puts another file in the place of federation.yaml', async () => {
    const folder = newFolder()
    const [data, config] = [join(folder, 'node'), join(folder, 'other.yaml')]
    await init(data, 'maker')
    writeFileSync(config, readFileSync(join(data, 'federation.yaml'), 'utf8').replaceAll(NAMESPACE, 'test:another'))
    const status = await runJson<NodeStatus>(['status', '--data', data, '--config', config])
    expect(status.namespaces.map(({ namespace }) => namespace).toSorted()).toEqual(['_trust', 'test:another'])
  })
})
