import { hex, sha256 } from './vector-file.ts'

/**
 * Negentropy by its SPEC in the plainest way (hex, big integers, whole lists each time): what the vectors are made by,
 * so that they do not come from the code that they are to test.
 */
export interface Row {
  readonly timestamp: bigint
  /** Hex. */
  readonly id: string
}

export interface Side {
  readonly rows: readonly Row[]
  /** 0 for none. */
  readonly limit: number
  readonly parts: number
}

type Answered = { readonly message: string; readonly have: readonly string[]; readonly need: readonly string[] }
type PlainBound = { readonly timestamp: bigint; readonly prefix: string }

export const INFINITY = 2n ** 64n - 1n
const END: PlainBound = { timestamp: INFINITY, prefix: '' }

export function varint(value: bigint | number): string {
  let rest = BigInt(value)
  let text = byte(rest & 127n)
  for (rest >>= 7n; rest > 0n; rest >>= 7n) text = byte((rest & 127n) | 128n) + text
  return text
}

/** NG-13. */
export function fingerprintOf(ids: readonly string[]): string {
  const sum = ids.reduce((total, id) => total + BigInt(`0x${reversed(id)}`), 0n) % 2n ** 256n
  const input = reversed(sum.toString(16).padStart(64, '0')) + varint(ids.length)
  return hex(sha256(Buffer.from(input, 'hex'))).slice(0, 32)
}

/** Rows in the order of NG-2. */
export function ordered(rows: readonly Row[]): readonly Row[] {
  return rows.toSorted((left, right) => (keyOf(left.timestamp, left.id) < keyOf(right.timestamp, right.id) ? -1 : 1))
}

/** NG-14. */
export function firstMessage({ rows, limit }: Side, parts: number): string {
  return `61${joined(saidOf(rows, END, partsWithin(parts, limit)), { timestamp: 0n })}`
}

/** NG-15 to NG-20. */
export function answerPlainly(side: Side, message: string, isInitiator: boolean): Answered {
  const { rows, limit } = side
  const mark = limit === 0 ? Infinity : limit - 200
  const [have, need]: [string[], string[]] = [[], []]
  const last = { timestamp: 0n }
  let text = '61'
  let written = ''
  let skipped: PlainBound | null = null
  let begin = ''
  const from = (key: string): readonly string[] => rows.filter((row) => keyOfRow(row) >= key).map(({ id }) => id)
  const closed = (key: string): Answered => ({
    message: `${text}000001${fingerprintOf(from(key))}`,
    have,
    need
  })
  for (const { upper, mode, payload } of plainRanges(message)) {
    const end = keyOf(upper.timestamp, upper.prefix)
    const own = rows.filter((row) => keyOfRow(row) >= begin && keyOfRow(row) < end)
    const ids = own.map(({ id }) => id)
    const skip = skipped === null ? [] : [{ upper: skipped, mode: 0, payload: '' }]
    const differs = mode === 1 && payload !== fingerprintOf(ids)
    if (mode === 2 && isInitiator) {
      const theirs = (payload.match(/.{64}/g) ?? []).map(String)
      have.push(...ids.filter((id) => !theirs.includes(id)))
      need.push(...theirs.filter((id) => !ids.includes(id)))
    }
    if (differs) {
      const more = joined([...skip, ...saidOf(own, upper, partsWithin(side.parts, limit))], last)
      if ((text.length + more.length) / 2 > mark) return closed(payload === fingerprintOf([]) ? written : end)
      text += more
    } else if (mode === 2 && !isInitiator) {
      const fitting = own.filter((_, index) => text.length / 2 + index * 32 <= mark)
      const next = own[fitting.length]
      const to = next === undefined ? upper : { timestamp: next.timestamp, prefix: next.id }
      text += joined([...skip, listOf(fitting, to)], last)
      if (text.length / 2 > mark) return closed(keyOf(to.timestamp, to.prefix))
    } else {
      skipped = upper
      begin = end
      continue
    }
    skipped = null
    begin = end
    written = end
  }
  return { message: text, have, need }
}

interface PlainRange {
  readonly upper: PlainBound
  readonly mode: number
  /** The fingerprint, or the ids without their count; hex. */
  readonly payload: string
}

function plainRanges(message: string): PlainRange[] {
  const bytes = Buffer.from(message, 'hex')
  const ranges: PlainRange[] = []
  let at = 1
  let timestamp = 0n
  const number = (): bigint => {
    let value = 0n
    let digit = 128
    while (digit >= 128) {
      digit = bytes[at] ?? 0
      at += 1
      value = value * 128n + BigInt(digit & 127)
    }
    return value
  }
  const take = (length: number): string => {
    at += length
    return hex(bytes.subarray(at - length, at))
  }
  while (at < bytes.length && timestamp !== INFINITY) {
    const difference = number()
    timestamp = difference === 0n ? INFINITY : timestamp + difference - 1n
    const upper = { timestamp, prefix: take(Number(number())) }
    const mode = Number(number())
    ranges.push({ upper, mode, payload: mode === 2 ? take(Number(number()) * 32) : take(mode * 16) })
  }
  return ranges
}

/** NG-17. */
function saidOf(own: readonly Row[], upper: PlainBound, parts: number): PlainRange[] {
  if (own.length < 32) return [listOf(own, upper)]
  const count = Math.min(parts, Math.floor(own.length / 2))
  const ranges: PlainRange[] = []
  let from = 0
  for (let part = 0; part < count; part += 1) {
    const to = from + Math.floor(own.length / count) + (part < own.length % count ? 1 : 0)
    const [before, after] = [own[to - 1], own[to]]
    const bound = before === undefined || after === undefined ? upper : boundOf(before, after)
    const payload = fingerprintOf(own.slice(from, to).map(({ id }) => id))
    ranges.push({ upper: bound, mode: 1, payload })
    from = to
  }
  return ranges
}

/** NG-16. */
function boundOf(before: Row, after: Row): PlainBound {
  if (before.timestamp !== after.timestamp) return { timestamp: after.timestamp, prefix: '' }
  let length = 2
  while (before.id.startsWith(after.id.slice(0, length))) length += 2
  return { timestamp: after.timestamp, prefix: after.id.slice(0, length) }
}

function listOf(own: readonly Row[], upper: PlainBound): PlainRange {
  return { upper, mode: 2, payload: own.map(({ id }) => id).join('') }
}

function joined(ranges: readonly PlainRange[], last: { timestamp: bigint }): string {
  let text = ''
  for (const { upper, mode, payload } of ranges) {
    text += upper.timestamp === INFINITY ? '00' : varint(upper.timestamp - last.timestamp + 1n)
    last.timestamp = upper.timestamp
    text += varint(upper.prefix.length / 2) + upper.prefix + varint(mode)
    if (mode === 2) text += varint(payload.length / 64)
    text += payload
  }
  return text
}

/** NG-18. */
function partsWithin(parts: number, limit: number): number {
  return limit === 0 ? parts : Math.min(parts, Math.floor((limit - 245) / 60))
}

function keyOfRow({ timestamp, id }: Row): string {
  return keyOf(timestamp, id)
}

/** Texts that compare as items and bounds do. */
function keyOf(timestamp: bigint, prefix: string): string {
  return timestamp.toString(16).padStart(16, '0') + prefix.padEnd(64, '0')
}

function reversed(text: string): string {
  return hex(Buffer.from(text, 'hex').reverse())
}

function byte(value: bigint): string {
  return value.toString(16).padStart(2, '0')
}
