import { createConnection } from 'node:net'
import type { Socket } from 'node:net'
import { fromBase64url, toBase64url } from '../../protocols/primitives/bytes.ts'
import { checkPublicKey, verifyEd25519 } from '../../protocols/signature/v1/ed25519.ts'
import type { CheckedPublicKey } from '../../protocols/signature/v1/ed25519.ts'
import { FrameReader, IN_FLIGHT_MAX, decodeAnswer, encodeFrame, signRequest } from '../../protocols/signer/v1/codec.ts'
import type { SignerAnswer, SignerKey } from '../../protocols/signer/v1/codec.ts'
import type { Clock } from '../platform/clock.ts'
import { messageOf } from '../platform/errors.ts'
import { pause } from '../platform/pause.ts'
import type { Signer } from '../trust/signer.ts'
import { signerUnavailable } from './unavailable.ts'

/** SGN-9. An HSM answers within a second; ten leave room for one that is busy, and no operator waits longer. */
export const ANSWER_WITHIN_MS = 10_000
const RECONNECT_MS_MIN = 1_000
const RECONNECT_MS_MAX = 30_000
/** What waits for a place among those under way; beyond it a node signs more than its signer can. */
const WAITING_MAX = 1_024

export interface SocketSignerOptions {
  /** The path of the Unix socket. */
  readonly path: string
  readonly did: string
  readonly kid: string
  /** 32 bytes; signatures are verified under it. */
  readonly publicKey: Uint8Array
  readonly clock: Clock
}

/**
 * A signer whose key another process holds (signer/v1). It connects when something is to be signed, and with `watch` by
 * itself. Throws `RangeError` for a public key that is no good one.
 */
export class SocketSigner implements Signer {
  readonly did: string
  readonly kid: string
  readonly publicKey: Uint8Array
  readonly path: string
  readonly #key: CheckedPublicKey
  readonly #clock: Clock
  #connection: Promise<SignerConnection> | null = null
  #problem: string | null = null
  #busy = 0
  readonly #waiting: (() => void)[] = []

  constructor({ path, did, kid, publicKey, clock }: SocketSignerOptions) {
    const checked = checkPublicKey(publicKey)
    if (!checked.ok) throw new RangeError(checked.detail)
    this.did = did
    this.kid = kid
    this.publicKey = publicKey
    this.path = path
    this.#key = checked.key
    this.#clock = clock
  }

  /** Why it could not sign when it was last tried; `null` when it could, or was not tried yet. */
  get problem(): string | null {
    return this.#problem
  }

  /** Throws `SIGNER_UNAVAILABLE` when the process is away, holds another key, refuses, or signs wrongly. */
  async sign(message: Uint8Array): Promise<Uint8Array> {
    await this.#place()
    try {
      return await this.#signNow(message)
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#busy -= 1
      else next()
    }
  }

  /** Stays connected until the signal aborts, so that `problem` says how it is before something is to be signed. */
  async watch(signal: AbortSignal): Promise<void> {
    let pauseMs = RECONNECT_MS_MIN
    while (!signal.aborted) {
      const connection = await this.#connectedOrNull()
      if (connection !== null) {
        pauseMs = RECONNECT_MS_MIN
        await ended(connection, signal)
      }
      await pause(this.#clock, pauseMs, signal)
      pauseMs = Math.min(pauseMs * 2, RECONNECT_MS_MAX)
    }
    await this.close()
  }

  /** Ends the connection; a further `sign` makes a new one. */
  async close(): Promise<void> {
    if (this.#connection === null) return
    const connection = await this.#connectedOrNull()
    connection?.end('the connection was closed')
  }

  async #place(): Promise<void> {
    if (this.#busy < IN_FLIGHT_MAX) {
      this.#busy += 1
      return
    }
    if (this.#waiting.length >= WAITING_MAX) throw this.#unavailable('it has too much to sign', 'busy')
    await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  async #signNow(message: Uint8Array): Promise<Uint8Array> {
    const connection = await this.#connected()
    let answer: SignerAnswer
    try {
      answer = await connection.ask(this.kid, message)
    } catch (error) {
      throw this.#failed(messageOf(error), 'away')
    }
    if (answer.type !== 'signature') {
      // The connection is good, and another request may be answered.
      const said = answer.type === 'error' ? `${answer.code}: ${answer.detail}` : answer.type
      throw this.#unavailable(`it refused (${said})`, 'refused')
    }
    const signature = fromBase64url(answer.signature) ?? new Uint8Array()
    if (verifyEd25519(this.#key, message, signature)) return signature
    connection.end('it made a bad signature')
    throw this.#failed(`it made a signature that is not good under the key ${this.kid}`, 'bad-signature')
  }

  async #connected(): Promise<SignerConnection> {
    const connection = (this.#connection ??= this.#connect())
    try {
      return await connection
    } catch (error) {
      if (this.#connection === connection) this.#connection = null
      throw error
    }
  }

  /** `null` when it is away; `problem` says why. */
  async #connectedOrNull(): Promise<SignerConnection | null> {
    try {
      return await this.#connected()
    } catch (error) {
      this.#problem ??= messageOf(error)
      return null
    }
  }

  async #connect(): Promise<SignerConnection> {
    let connection: SignerConnection
    try {
      connection = await SignerConnection.open(this.path, this.#clock)
    } catch (error) {
      throw this.#failed(messageOf(error), 'away')
    }
    const text = toBase64url(this.publicKey)
    const offered = connection.keys.find(({ kid }) => kid === this.kid)
    if (offered?.publicKey !== text || (offered.did !== undefined && offered.did !== this.did)) {
      connection.end('it holds another key')
      const what = offered === undefined ? 'does not hold' : 'has another key for'
      throw this.#failed(`it ${what} ${this.kid} of ${this.did}`, 'key-differs')
    }
    this.#problem = null
    void this.#forget(connection)
    return connection
  }

  /** Once it has ended, the next who signs connects anew. */
  async #forget(connection: SignerConnection): Promise<void> {
    const reason = await connection.ended
    this.#connection = null
    this.#problem ??= messageOf(this.#unavailable(reason, 'away'))
  }

  #failed(what: string, reason: string): Error {
    const failure = this.#unavailable(what, reason)
    this.#problem = messageOf(failure)
    return failure
  }

  #unavailable(what: string, reason: string): Error {
    return signerUnavailable(this.path, what, reason)
  }
}

async function ended(connection: SignerConnection, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const onAbort = (): void => resolve()
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) resolve()
  await Promise.race([promise, connection.ended])
  signal.removeEventListener('abort', onAbort)
}

/** The keys that the signer at `path` offers. Throws `SIGNER_UNAVAILABLE`. */
export async function offeredKeys(path: string, clock: Clock): Promise<readonly SignerKey[]> {
  try {
    const connection = await SignerConnection.open(path, clock)
    connection.end('its keys are known')
    return connection.keys
  } catch (error) {
    throw signerUnavailable(path, messageOf(error), 'away')
  }
}

interface Asked {
  readonly answer: PromiseWithResolvers<SignerAnswer>
  readonly cancel: () => void
}

/** One connection to a signer after its hello. */
class SignerConnection {
  readonly keys: readonly SignerKey[]
  /** Resolves with the reason when it has ended. */
  readonly ended: Promise<string>
  readonly #socket: Socket
  readonly #clock: Clock
  readonly #asked = new Map<number, Asked>()
  readonly #end = Promise.withResolvers<string>()
  #isEnded = false
  #lastId = 0

  private constructor(socket: Socket, keys: readonly SignerKey[], clock: Clock) {
    this.#socket = socket
    this.keys = keys
    this.#clock = clock
    this.ended = this.#end.promise
  }

  get isEnded(): boolean {
    return this.#isEnded
  }

  static async open(path: string, clock: Clock): Promise<SignerConnection> {
    const opened = Promise.withResolvers<SignerConnection>()
    const socket = createConnection({ path })
    const frames = new FrameReader()
    let connection: SignerConnection | null = null
    const fail = (reason: string): void => {
      socket.destroy()
      connection?.end(reason)
      opened.reject(new Error(reason))
    }
    const cancel = clock.after(ANSWER_WITHIN_MS, () => {
      if (connection === null) fail(`it said nothing for ${ANSWER_WITHIN_MS / 1_000} s`)
    })
    socket.on('connect', () => socket.write(encodeFrame({ v: 1, type: 'hello' })))
    socket.on('error', (error) => fail(error.message))
    socket.on('close', () => fail('it closed the connection'))
    socket.on('data', (chunk) => {
      const payloads = frames.push(chunk)
      if (payloads === null) return fail('it sent a frame that is too long')
      for (const payload of payloads) {
        const answer = decodeAnswer(payload)
        if (answer === null || (answer.type === 'hello') !== (connection === null)) {
          return fail('it does not speak signer/v1')
        }
        if (answer.type !== 'hello') connection?.take(answer)
        else {
          connection = new SignerConnection(socket, answer.keys, clock)
          opened.resolve(connection)
        }
      }
    })
    try {
      return await opened.promise
    } finally {
      cancel()
    }
  }

  /** Rejects when no answer comes. */
  async ask(kid: string, message: Uint8Array): Promise<SignerAnswer> {
    if (this.#isEnded) throw new Error('it closed the connection')
    this.#lastId += 1
    const id = this.#lastId
    const answer = Promise.withResolvers<SignerAnswer>()
    const cancel = this.#clock.after(ANSWER_WITHIN_MS, () =>
      this.end(`it did not answer for ${ANSWER_WITHIN_MS / 1_000} s`)
    )
    this.#asked.set(id, { answer, cancel })
    this.#socket.write(encodeFrame(signRequest(id, kid, message)))
    return await answer.promise
  }

  take(answer: Exclude<SignerAnswer, { type: 'hello' }>): void {
    const asked = answer.id === null ? undefined : this.#asked.get(answer.id)
    if (asked === undefined || answer.id === null) {
      this.end(
        answer.type === 'error' ? `it refused (${answer.code}: ${answer.detail})` : 'it answered what nobody asked'
      )
      return
    }
    this.#asked.delete(answer.id)
    asked.cancel()
    asked.answer.resolve(answer)
  }

  end(reason: string): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#socket.destroy()
    for (const { answer, cancel } of this.#asked.values()) {
      cancel()
      answer.reject(new Error(reason))
    }
    this.#asked.clear()
    this.#end.resolve(reason)
  }
}
