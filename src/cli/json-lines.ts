import type { JsonValue } from '../../protocols/canonical-json/v1/json.ts'
import { firstViolation } from '../../protocols/canonical-json/v1/scan.ts'
import { messageOf } from '../platform/errors.ts'

/**
 * Longest line in bytes. A receipt record has at most 64 KiB in canonical form; escapes and white space can make a
 * line several times as long, and this only ends what is no line at all.
 */
export const LINE_BYTES_MAX = 1024 * 1024

const NEWLINE = 0x0a

/** One line that holds a value; `number` counts from 1, blank lines included. */
export interface JsonLine {
  readonly number: number
  readonly value: JsonValue
}

/** A line that is no JSON, or holds what I-JSON (RFC 7493) can't: its value would not be the one that was meant. */
export class JsonLineError extends Error {
  readonly line: number

  constructor(line: number, message: string) {
    super(`line ${line}: ${message}`)
    this.name = 'JsonLineError'
    this.line = line
  }
}

/**
 * Reads JSON Lines: UTF-8, one value a line, blank lines ignored. Repeated member names, numbers that would be rounded
 * and lone surrogates are errors (`JsonLineError`), because `JSON.parse` would change what was written without a word.
 */
export async function* readJsonLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<JsonLine> {
  let number = 0
  for await (const line of readLines(chunks)) {
    number += 1
    const text = decode(line, number)
    if (text.trim() !== '') yield { number, value: parse(text, number) }
  }
}

async function* readLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  let parts: Uint8Array[] = []
  let length = 0
  let lines = 0
  const take = (part: Uint8Array): void => {
    parts.push(part)
    length += part.length
    if (length > LINE_BYTES_MAX) throw new JsonLineError(lines + 1, `is longer than ${LINE_BYTES_MAX} bytes`)
  }
  for await (const chunk of chunks) {
    let start = 0
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      take(chunk.subarray(start, end))
      yield Buffer.concat(parts)
      lines += 1
      parts = []
      length = 0
      start = end + 1
    }
    if (start < chunk.length) take(chunk.subarray(start))
  }
  if (length > 0) yield Buffer.concat(parts)
}

// A byte order mark at the start of a file is no part of its first line.
const decoder = new TextDecoder('utf-8', { fatal: true })

function decode(line: Uint8Array, number: number): string {
  try {
    return decoder.decode(line)
  } catch (error) {
    throw new JsonLineError(number, `is not UTF-8: ${messageOf(error)}`)
  }
}

function parse(text: string, number: number): JsonValue {
  let value: JsonValue
  try {
    value = JSON.parse(text) as JsonValue
  } catch (error) {
    throw new JsonLineError(number, `is not JSON: ${messageOf(error)}`)
  }
  const violation = firstViolation(text)
  if (violation === null) return value
  throw new JsonLineError(number, `${violation.code}: ${violation.detail}`)
}
