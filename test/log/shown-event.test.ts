import { expect, test } from 'vitest'
import { eventIdOfWire } from '../../protocols/event/v1/codec.ts'
import { shownEvent } from '../../src/log/list-events.ts'
import { parseRecord } from '../../src/log/log-reader.ts'
import type { LogRecord } from '../../src/log/record.ts'
import { announceBody, next } from '../support/events.ts'
import { member } from '../support/identities.ts'

const { id, wire } = await next(member('alice', 'org-a'), null, announceBody('batch-1'))
const record: LogRecord = { logSeq: 7, scope: 'shared', recordedAt: 1, hash: new Uint8Array(32), payload: wire }

test('an event is shown as it is read where all of it is checked', () => {
  const shown = shownEvent(id, record)
  expect(shown).toEqual({
    logSeq: 7,
    scope: 'shared',
    id,
    bytes: Buffer.from(wire).toString('base64url'),
    event: (parseRecord(record).event as { readonly envelope: object }).envelope
  })
  expect(eventIdOfWire(Buffer.from(shown.bytes, 'base64url'))).toBe(id)
})

test('what can be read no more is said to be damage', () => {
  const cut = wire.slice(0, 40)
  const scratched = Uint8Array.from(wire)
  scratched[4] = 0
  for (const payload of [new Uint8Array(0), cut, scratched])
    expect(() => shownEvent(id, { ...record, payload })).toThrow(expect.objectContaining({ code: 'STORE_CORRUPT' }))
})
