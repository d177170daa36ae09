import type { Writable } from 'node:stream'
import { EXIT } from '../platform/errors.ts'
import { Interrupted } from './interruption.ts'
import type { Interruption } from './interruption.ts'

/** A stream that a command writes to; `isTTY` is true where a person reads it. */
export type TextStream = Writable & { readonly isTTY?: boolean; readonly columns?: number }

/** What a command says: answers on standard output, everything else on standard error. */
export interface Output {
  /** Writes one line of the answer; resolves when the reader has room for more. */
  readonly line: (text: string) => Promise<void>
  /** Writes a value as one line of JSON. */
  json(value: unknown): Promise<void>
  /**
   * Says something that is no part of the answer: to a person the text (not with `--quiet`), and with `--json` the
   * data, where there is any.
   */
  note(text: string, data?: unknown): void
  /** Whether a person reads the answer as it is written. */
  readonly answersToTerminal: boolean
}

/**
 * Output to the two streams. Where the reader of the answer goes away (`anchormesh events | head`), the command is
 * interrupted and ends well.
 */
export function createOutput(
  stdout: TextStream,
  stderr: TextStream,
  options: { readonly json: boolean; readonly quiet: boolean; readonly interruption: Interruption }
): Output {
  for (const stream of [stdout, stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error
      // Without a reader of notes there is still one of the answer.
      if (stream === stdout)
        options.interruption.interrupt(new Interrupted(EXIT.done, 'the reader of the answer has gone'))
    })
  }
  const line = async (text: string): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>()
    // An error comes by the stream's event, too, and is handled there.
    stdout.write(`${text}\n`, () => resolve())
    await promise
  }
  return {
    line,
    json: (value) => line(JSON.stringify(value)),
    note: (text, data) => {
      if (options.json && data !== undefined) stderr.write(`${JSON.stringify(data)}\n`)
      if (!options.json && !options.quiet) stderr.write(`${text}\n`)
    },
    answersToTerminal: stdout.isTTY === true
  }
}
