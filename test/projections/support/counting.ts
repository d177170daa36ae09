import { PLAIN_ROWS } from '../../../src/projections/row-codec.ts'
import type { JsonObject } from '../../../protocols/canonical-json/v1/json.ts'
import type { LocalEvent } from '../../../src/events/local.ts'
import type { LoggedRecord } from '../../../src/log/log-reader.ts'
import type { Projection } from '../../../src/projections/projection.ts'

/** A local event that the counting projection counts under a name. */
export function counted(name: string, options: { readonly remove?: boolean } = {}): LocalEvent {
  return { v: 1, type: 'counted', ts: 1_700_000_000_000, body: { name, remove: options.remove ?? false } }
}

/**
 * A projection for tests of what every projection has in common: one row a name, `<namespace>!<name>`, with the number
 * of records that named it and the last position; a record may also remove the row. `fails` decides at which record the
 * fold throws.
 */
export function countingProjection(
  options: { name?: string; version?: number; fails?: (record: LoggedRecord) => boolean } = {}
): Projection {
  const { name = 'counting', version = 1, fails = () => false } = options
  return {
    name,
    version,
    layout: PLAIN_ROWS,
    dependsOnPolicy: false,
    rowsChangeOften: version % 2 === 1,
    namespacePrefix: (namespace) => `${namespace}!`,
    filters: { status: (row, value) => row['status'] === value, signer: (row, value) => row['name'] === value },
    reads: (record) => countedNames(record).map(keyOf),
    fold(record, { rows }) {
      if (fails(record)) throw new Error(`position ${record.record.logSeq} can't be folded`)
      for (const named of countedNames(record)) {
        const before = rows.at(keyOf(named))
        const count = ((before?.['count'] as number | undefined) ?? 0) + 1
        if (removes(record)) rows.del(keyOf(named))
        else
          rows.put(keyOf(named), {
            name: named,
            count,
            version,
            logSeq: record.record.logSeq,
            status: count % 2 === 0 ? 'even' : 'odd'
          })
      }
    },
    shared: (row) => row
  }
}

const keyOf = (name: string): string => (name.includes('!') ? name : `dao:test!${name}`)

function countedNames(record: LoggedRecord): string[] {
  return record.scope === 'local' && record.event.type === 'counted' ? [record.event.body['name'] as string] : []
}

function removes(record: LoggedRecord): boolean {
  return record.scope === 'local' && record.event.body['remove'] === true
}

/** The rows by name, as the plain sum of the events says. */
export function countedRows(
  events: readonly LocalEvent[],
  firstLogSeq: number,
  version: number = 1
): Map<string, JsonObject> {
  const rows = new Map<string, JsonObject>()
  events.forEach(({ body }, index) => {
    const name = body['name'] as string
    const count = ((rows.get(keyOf(name))?.['count'] as number | undefined) ?? 0) + 1
    if (body['remove'] === true) rows.delete(keyOf(name))
    else
      rows.set(keyOf(name), {
        name,
        count,
        version,
        logSeq: firstLogSeq + index,
        status: count % 2 === 0 ? 'even' : 'odd'
      })
  })
  return new Map([...rows].sort(([left], [right]) => (left < right ? -1 : 1)))
}
