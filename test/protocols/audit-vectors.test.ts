import { describe, expect, test } from 'vitest'
import type { AuditBase, AuditRecord } from '../../protocols/audit/v1/record.ts'
import { AuditChain, decodeAuditRecord, sealAuditRecord } from '../../protocols/audit/v1/record.ts'
import type { AuditGap } from '../../protocols/audit/v1/syslog.ts'
import { gapMessage, syslogFrame, syslogMessage } from '../../protocols/audit/v1/syslog.ts'
import { PROTOCOLS } from './make-vectors.ts'
import { readJson } from './third-party.ts'

function vectorsOf(name: string): readonly unknown[] {
  return (readJson(PROTOCOLS, `audit/v1/vectors/${name}.json`) as { vectors: readonly unknown[] }).vectors
}

describe('records', () => {
  type Valid = { content: Omit<AuditRecord, 'hash'>; bytes: string; hash: string }
  test.each(vectorsOf('records') as readonly Valid[])('$description', ({ content, bytes, hash }) => {
    const { record, line } = sealAuditRecord(content)
    expect(record).toEqual({ ...content, hash })
    expect(Buffer.from(line).toString('hex')).toBe(bytes)
    expect(decodeAuditRecord(Buffer.from(bytes, 'hex'))).toEqual({ ok: true, record })
  })

  type Invalid = { code: string; bytes: string }
  test.each(vectorsOf('records-invalid') as readonly Invalid[])('$description: $code ($rule)', ({ code, bytes }) => {
    expect(decodeAuditRecord(Buffer.from(bytes, 'hex'))).toMatchObject({ ok: false, code })
  })
})

describe('chains', () => {
  type Chain = {
    base: AuditBase
    records: readonly { seq: number; bytes: string }[]
    brokenAt: number | null
  }
  test.each(vectorsOf('chains') as readonly Chain[])('$description', ({ base, records, brokenAt }) => {
    const chain = new AuditChain(base)
    const problems = records.map(({ seq, bytes }) => chain.take(seq, Buffer.from(bytes, 'hex')))
    expect(problems.find((problem) => problem !== null)?.seq ?? null).toBe(brokenAt)
  })
})

describe('syslog', () => {
  type Message = { hostname: string; record?: AuditRecord; gap?: AuditGap; frame: string }
  test.each(vectorsOf('syslog') as readonly Message[])('$description', ({ hostname, record, gap, frame }) => {
    const message = record === undefined ? gapMessage(gap as AuditGap, hostname) : syslogMessage(record, hostname)
    expect(Buffer.from(syslogFrame(message)).toString('hex')).toBe(frame)
  })
})
