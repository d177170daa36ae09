import type { JsonValue } from '../../protocols/canonical-json/v1/json.ts'
import { firstViolation } from '../../protocols/canonical-json/v1/scan.ts'
import { messageOf } from '../platform/errors.ts'
import { LineTooLong, splitLines } from '../platform/lines.ts'

/**
 * Longest line in bytes. A receipt record has at most 64 KiB in canonical form; escapes and white space can make a
 * line several times as long, and this only ends what is no line at all.
 */
export const LINE_BYTES_MAX = 1024 * 1024

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

async function* readLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* splitLines(chunks, LINE_BYTES_MAX)
  } catch (error) {
    throw error instanceof LineTooLong ? new JsonLineError(error.line, `is longer than ${LINE_BYTES_MAX} bytes`) : error
  }
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
