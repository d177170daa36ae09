import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { FrameSequence, isTerminal } from '../../../protocols/subscription/v1/sequence.ts'
import { frame as frameSchema } from '../../../src/api/frames.ts'
import type { Frame } from '../../../src/api/frames.ts'

/** What came of a request for a subscription over a connection of its own, read byte by byte. */
export class RawSubscriber {
  readonly frames: Frame[] = []
  /** Payloads of pongs. */
  readonly pongs: string[] = []
  /** What the node must not send. */
  readonly failures: string[] = []
  status: number | null = null
  body = ''
  isClosed = false
  closeCode: number | null = null
  readonly #socket: Socket
  #headers: ReadonlyMap<string, string> = new Map()
  readonly #sequence = new FrameSequence()
  #rest: Buffer = Buffer.alloc(0)

  constructor(url: string, request: string) {
    const { hostname, port } = new URL(url)
    this.#socket = connect(Number(port), hostname)
    // Of a connection that the node has ended in the midst of what came.
    this.#socket.on('error', () => undefined)
    this.#socket.on('close', () => (this.isClosed = true))
    this.#socket.on('data', (chunk: Buffer) => {
      try {
        this.#take(chunk)
      } catch (error) {
        this.failures.push(String(error))
      }
    })
    this.#socket.write(request, 'latin1')
  }

  get isStream(): boolean {
    return this.status === 101 || this.#headers.get('content-type') === 'text/event-stream'
  }

  get isTerminated(): boolean {
    const last = this.frames.at(-1)
    return last !== undefined && isTerminal(last)
  }

  /** Whether all came that comes without more being done. */
  get isAnswered(): boolean {
    if (this.isClosed || this.closeCode !== null) return true
    if (this.status === null) return false
    if (this.isStream) return this.isTerminated || this.frames.some(({ frame }) => frame === 'caught-up')
    return Buffer.byteLength(this.body, 'latin1') >= Number(this.#headers.get('content-length') ?? Infinity)
  }

  header(name: string): string | undefined {
    return this.#headers.get(name)
  }

  send(bytes: Uint8Array): void {
    if (!this.#socket.destroyed) this.#socket.write(bytes)
  }

  leave(how: 'end' | 'destroy'): void {
    if (how === 'end') this.#socket.end()
    // One that has ended may still be sent what is under way.
    this.#socket.destroySoon()
    if (how === 'destroy') this.#socket.destroy()
  }

  #take(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk])
    if (this.status === null && !this.#takeHead()) return
    if (this.status === 101) while (this.#takeMessage());
    else if (this.isStream) while (this.#takeEvent());
    else {
      this.body += this.#rest.toString('latin1')
      this.#rest = Buffer.alloc(0)
    }
  }

  #takeHead(): boolean {
    const end = this.#rest.indexOf('\r\n\r\n')
    if (end < 0) return false
    const [line = '', ...lines] = this.#rest.subarray(0, end).toString('latin1').split('\r\n')
    this.#rest = this.#rest.subarray(end + 4)
    this.#headers = new Map(
      lines.map((one) => [one.slice(0, one.indexOf(':')).toLowerCase(), one.slice(one.indexOf(':') + 1).trim()])
    )
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(line)?.[1] ?? NaN)
    // `expect: 100-continue` has a head of its own before that of the answer.
    if (status === 100) return this.#takeHead()
    this.status = status
    return true
  }

  #takeEvent(): boolean {
    const end = this.#rest.indexOf('\n\n')
    if (end < 0) return false
    const lines = this.#rest.subarray(0, end).toString('utf8').split('\n')
    this.#rest = this.#rest.subarray(end + 2)
    const data = lines.find((line) => line.startsWith('data: '))
    if (data !== undefined) this.#takeFrame(data.slice('data: '.length))
    return true
  }

  #takeMessage(): boolean {
    const [first = 0, second = 0] = this.#rest
    const headerLength = second < 126 ? 2 : second === 126 ? 4 : 10
    if (this.#rest.length < headerLength) return false
    const length =
      headerLength === 2
        ? second
        : headerLength === 4
          ? this.#rest.readUInt16BE(2)
          : Number(this.#rest.readBigUInt64BE(2))
    if (this.#rest.length < headerLength + length) return false
    const payload = this.#rest.subarray(headerLength, headerLength + length)
    this.#rest = this.#rest.subarray(headerLength + length)
    if (this.closeCode !== null) this.failures.push(`a frame ${first} after the close`)
    if (first === 0x88) this.closeCode = payload.length < 2 ? 1005 : payload.readUInt16BE(0)
    else if (first === 0x8a) this.pongs.push(payload.toString('utf8'))
    else if (first === 0x81) this.#takeFrame(payload.toString('utf8'))
    else this.failures.push(`a frame that begins with ${first}`)
    return true
  }

  #takeFrame(json: string): void {
    const frame = frameSchema.parse(JSON.parse(json))
    const broken = this.#sequence.take(frame)
    if (broken !== null) throw new Error(`${broken}: ${json}`)
    this.frames.push(frame)
  }
}
