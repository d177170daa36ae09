import { appendFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { AuditRecord, AuditVerification } from '../../src/audit/operations.ts'
import { auditRecordKey } from '../../src/log/keys.ts'
import { openLevelStore } from '../../src/log/level-store.ts'
import type { NodeStatus } from '../../src/operations.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { makeCertificates, startCollector } from '../audit/collector.ts'
import { eventually } from '../audit/support.ts'
import { launch, newFolder, run, runFailing, runJson, runJsonLines, runWell } from '../support/cli.ts'
import { NAMESPACE, init, startNode } from '../support/nodes.ts'

const certificates = makeCertificates()

async function dataFolder(): Promise<string> {
  const folder = join(newFolder(), 'node')
  await init(folder, 'maker')
  return folder
}

describe('without a node running', () => {
  test('records are listed and the chain is checked; a record that is altered is named', async () => {
    const data = await dataFolder()
    const records = await runJsonLines<AuditRecord>(['audit', '--json', '--data', data])
    expect(records).toMatchObject([{ seq: 1, action: 'POLICY_CHANGED', outcome: 'ok' }])
    const shown = await runWell(['audit', '--since', '1h', '--data', data])
    expect(shown.split('\n')[0]).toMatch(/^SEQ +TIME +ACTION +OUTCOME +ACTOR +SUBJECT +CODE +DETAIL$/)
    expect(shown).toContain('POLICY_CHANGED')
    expect(await runWell(['audit', '--action', 'KEY_ADDED', '--data', data])).toBe('')
    expect(await runWell(['audit', '--verify', '--data', data])).toMatch(/audit log +intact/)
    const store = await openLevelStore(join(data, 'store'), { create: false })
    const altered = JSON.stringify({ ...records[0], actor: 'nobody' })
    await store.write([{ type: 'put', key: auditRecordKey(1), value: altered }], { sync: true })
    await store.close()
    const found = await run(['audit', '--verify', '--json', '--data', data])
    expect(found.code).toBe(1)
    expect(JSON.parse(found.stdout)).toMatchObject({ ok: false, problems: [{ seq: 1 }] })
    expect((await runJson<NodeStatus>(['status', '--json', '--data', data])).warnings.join()).not.toContain('can’t')
  })

  test.each([
    [['--since', 'yesterday'], '--since'],
    [['--action', 'key'], '--action'],
    [['--outcome', 'maybe'], '--outcome'],
    [['--verify', '--follow'], '--verify']
  ])('%j is wrong usage', async (args, named) => {
    const { exitCode: code, error } = await runFailing(['audit', ...args, '--json'])
    expect([code, error.code]).toEqual([2, 'USAGE'])
    expect(error.message).toContain(named)
  })

  test('there is nothing to follow', async () => {
    const { exitCode: code, error } = await runFailing(['audit', '--follow', '--json', '--data', await dataFolder()])
    expect([code, error.code]).toEqual([1, 'NODE_NOT_RUNNING'])
  })

  test.each([
    ['syslogCa: nowhere.pem', 'audit.syslogCa'],
    ['syslogCa: federation.yaml', 'audit.syslogCa'],
    ['syslogCert: server.pem\n  syslogKey: other.key', 'audit.syslogCert']
  ])('a collector by %s is refused', async (setting, key) => {
    const data = await dataFolder()
    for (const name of ['server.pem', 'other.key']) writeFileSync(join(data, name), certificates.read(name))
    appendFileSync(join(data, 'federation.yaml'), `audit:\n  syslog: localhost:6514\n  ${setting}\n`)
    const { exitCode: code, error } = await runFailing(['status', '--json', '--data', data])
    expect([code, error.code]).toEqual([2, 'CONFIG_INVALID'])
    expect(error.message).toContain(key)
  })
})

describe('with a node running', () => {
  test('calls are recorded, followed, forwarded, and forwarded again after a kill', async () => {
    const collector = await startCollector(certificates)
    const data = await dataFolder()
    writeFileSync(join(data, 'ca.pem'), certificates.ca)
    const settings = `audit:\n  syslog: localhost:${collector.port}\n  syslogCa: ca.pem\n`
    appendFileSync(join(data, 'federation.yaml'), settings)
    const node = await startNode(data)
    const following = launch(['audit', '--follow', '--action', 'ADMIN_CALL', '--limit', '1', '--json', '--data', data])
    const receipts = join(data, 'receipts.jsonl')
    writeFileSync(receipts, '{"invoice":1}\n')
    await runWell(['seal', '--namespace', NAMESPACE, '--batch', 'b1', receipts, '--data', data])
    const { stdout } = await following.ended
    const followed = JSON.parse(stdout) as AuditRecord
    expect(followed).toMatchObject({
      actor: 'operator',
      subject: 'POST /v1/admin/batches',
      outcome: 'ok',
      detail: { namespace: NAMESPACE, batchId: 'b1' }
    })
    const hasCall = (): boolean => collector.records().some(({ hash }) => hash === followed.hash)
    await eventually(hasCall, systemClock)
    await runWell(['pack', 'publish', '--data', data])
    node.process.kill('SIGKILL')
    await node.ended
    const again = await startNode(data)
    const stored = await runJsonLines<AuditRecord>(['audit', '--json', '--data', data])
    const isThere = (): boolean =>
      stored.every(({ hash }) => collector.records().some((record) => record.hash === hash))
    await eventually(isThere, systemClock)
    expect(stored.map(({ subject }) => subject)).toContain('POST /v1/admin/batches')
    expect(await runJson<AuditVerification>(['audit', '--verify', '--json', '--data', data])).toMatchObject({
      ok: true
    })
    const { audit } = await runJson<NodeStatus>(['status', '--json', '--data', data])
    expect(audit?.syslog?.collector).toBe(`localhost:${collector.port}`)
    expect(await runWell(['status', '--data', data])).toMatch(/syslog +localhost:/)
    again.process.kill('SIGTERM')
    await again.ended
  })
})
