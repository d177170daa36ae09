import type { StoreReader } from '../log/store.ts'
import { prefixRange } from '../log/store.ts'
import type { ProjectionState } from './state.ts'

// Each is a seek of some 20 µs, and organisations of a namespace are tens: 256 take as long as some thousand rows that
// are walked through, and are about 10 KiB.
const PARTS_MAX = 256
// One a namespace that was asked about: some 2.5 MiB at most. Should there be more, all are found out again.
const PREFIXES_MAX = 256

interface Found {
  readonly generation: number
  readonly cursor: number
  readonly parts: readonly string[] | null
}

/**
 * What stands in the part of a projection's keys that follows a prefix, as owners follow a namespace. Found by skipping
 * from one to the next, and remembered until the projection goes on.
 */
export class GapParts {
  readonly #found = new Map<string, Found>()

  /**
   * In order; `null` where there are more than are worth skipping. `reader` is of the moment of `state`, whose rows are
   * a function of its generation and cursor.
   */
  async of(
    prefix: string,
    reader: StoreReader,
    { generation, cursor }: ProjectionState,
    rowsPrefix: string
  ): Promise<readonly string[] | null> {
    const known = this.#found.get(prefix)
    if (known?.generation === generation && known.cursor === cursor) return known.parts
    const parts = await skip(reader, rowsPrefix + prefix)
    if (this.#found.size >= PREFIXES_MAX) this.#found.clear()
    this.#found.set(prefix, { generation, cursor, parts })
    return parts
  }
}

async function skip(reader: StoreReader, prefix: string): Promise<readonly string[] | null> {
  const { gte, lt } = prefixRange(prefix)
  const parts: string[] = []
  for (let from = gte; ;) {
    const key = await firstKey(reader, from, lt)
    if (key === undefined) return parts
    if (parts.length === PARTS_MAX) return null
    const [part = ''] = key.slice(prefix.length).split('!', 1)
    parts.push(part)
    // The character after `!`, which ends the part.
    from = `${prefix}${part}"`
  }
}

async function firstKey(reader: StoreReader, gte: string, lt: string): Promise<string | undefined> {
  for await (const [key] of reader.range({ gte, lt, limit: 1 })) return key
  return undefined
}
