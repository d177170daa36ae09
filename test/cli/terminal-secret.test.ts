import { EventEmitter } from 'node:events'
import { expect, test } from 'vitest'
import { askSecret, secretTerminal } from '../../src/cli/terminal-secret.ts'
import type { SecretTerminal } from '../../src/cli/terminal-secret.ts'

class Keyboard extends EventEmitter {
  readonly isTTY = true
  raw: boolean[] = []

  setRawMode(isRaw: boolean): void {
    this.raw.push(isRaw)
  }

  resume(): void {}
  pause(): void {}

  type(...keys: readonly string[]): void {
    for (const key of keys) this.emit('data', Buffer.from(key))
  }
}

function terminal(): { keyboard: Keyboard; shown: () => string; interrupted: () => number; terminal: SecretTerminal } {
  const keyboard = new Keyboard()
  let shown = ''
  let interrupted = 0
  const output = { isTTY: true, write: (text: string) => (shown += text) !== '' }
  const made = secretTerminal(keyboard, output, () => (interrupted += 1))
  if (made === null) throw new Error('that is a terminal')
  return { keyboard, shown: () => shown, interrupted: () => interrupted, terminal: made }
}

test('what is typed is taken, with corrections, and not shown', async () => {
  const { keyboard, shown, terminal: asked } = terminal()
  const answer = askSecret(asked, 'Passphrase: ')
  keyboard.type('wrong', '\x15', 'pä', 'ö', '\x7f', 'ß', '\x1b', '\r')
  expect(await answer).toBe('päß')
  expect(shown()).toBe('Passphrase: \n')
  expect(keyboard.raw).toEqual([true, false])
  expect(keyboard.listenerCount('data')).toBe(0)
})

test('Ctrl-C interrupts the command, Ctrl-D and the end of input give up', async () => {
  for (const [keys, count] of [
    ['\x03', 1],
    ['\x04', 0],
    [null, 0]
  ] as const) {
    const { keyboard, interrupted, terminal: asked } = terminal()
    const answer = askSecret(asked, '')
    if (keys === null) keyboard.emit('end')
    else keyboard.type('abc', keys)
    await expect(answer).rejects.toMatchObject({ code: 'KEYSTORE_PASSPHRASE' })
    expect(interrupted()).toBe(count)
    expect(keyboard.raw).toEqual([true, false])
  }
})

test('without a terminal nobody is asked', () => {
  const output = { isTTY: true, write: () => true }
  expect(secretTerminal(new EventEmitter(), output, () => {})).toBeNull()
  expect(secretTerminal(new Keyboard(), { ...output, isTTY: false }, () => {})).toBeNull()
})
