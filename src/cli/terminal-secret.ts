import { AnchormeshError } from '../platform/errors.ts'
import type { TextStream } from './output.ts'

/** A terminal that can take what is typed without showing it. */
export interface SecretTerminal {
  readonly input: RawInput
  readonly output: Pick<TextStream, 'write'>
  /** What Ctrl-C does: in raw mode the terminal sends no signal. */
  interrupt(): void
}

interface RawInput {
  setRawMode(isRaw: boolean): unknown
  on(event: 'data', listener: (chunk: Uint8Array) => void): unknown
  on(event: 'end', listener: () => void): unknown
  off(event: 'data', listener: (chunk: Uint8Array) => void): unknown
  off(event: 'end', listener: () => void): unknown
  resume(): unknown
  pause(): unknown
}

/** As much as is looked at of one answer; a passphrase has at most 1,024 bytes. */
const ANSWER_BYTES_MAX = 4_096

/** The terminal of a process; `null` when its input or what it says to people is none. */
export function secretTerminal(
  input: object,
  output: Pick<TextStream, 'write'> & { readonly isTTY?: boolean },
  interrupt: () => void
): SecretTerminal | null {
  if (output.isTTY !== true || !isTerminal(input)) return null
  return { input, output, interrupt }
}

function isTerminal(input: object): input is RawInput {
  return 'isTTY' in input && input.isTTY === true && 'setRawMode' in input && typeof input.setRawMode === 'function'
}

/**
 * Asks for one line that is not shown. Throws `KEYSTORE_PASSPHRASE` when the input ends, or Ctrl-C or Ctrl-D is typed.
 */
export async function askSecret(terminal: SecretTerminal, question: string): Promise<string> {
  const { input, output } = terminal
  output.write(question)
  input.setRawMode(true)
  const answer = Promise.withResolvers<string>()
  let typed: number[] = []
  const giveUp = (): void =>
    answer.reject(new AnchormeshError('KEYSTORE_PASSPHRASE', 'no passphrase was typed', { hint: 'Try again.' }))
  const take = (byte: number): boolean => {
    if (byte === 0x0d || byte === 0x0a) {
      answer.resolve(Buffer.from(typed).toString('utf8'))
      return false
    }
    if (byte === 0x03 || byte === 0x04) {
      if (byte === 0x03) terminal.interrupt()
      giveUp()
      return false
    }
    if (byte === 0x7f || byte === 0x08) typed = withoutLast(typed)
    else if (byte === 0x15) typed = []
    else if (byte >= 0x20 && typed.length < ANSWER_BYTES_MAX) typed.push(byte)
    return true
  }
  const onData = (chunk: Uint8Array): void => {
    for (const byte of chunk) if (!take(byte)) return
  }
  input.on('data', onData)
  input.on('end', giveUp)
  input.resume()
  try {
    return await answer.promise
  } finally {
    input.off('data', onData)
    input.off('end', giveUp)
    input.pause()
    input.setRawMode(false)
    output.write('\n')
  }
}

/** One character less, which is one byte or several of UTF-8. */
function withoutLast(bytes: readonly number[]): number[] {
  const kept = [...bytes]
  let last = kept.pop()
  while (last !== undefined && (last & 0xc0) === 0x80) last = kept.pop()
  return kept
}
