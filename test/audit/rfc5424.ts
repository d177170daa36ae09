/** A message of RFC 5424, taken apart. */
export interface SyslogMessage {
  readonly facility: number
  readonly severity: number
  readonly timestamp: string
  readonly hostname: string
  readonly appName: string
  readonly procId: string
  readonly msgId: string
  readonly elements: Readonly<Record<string, Readonly<Record<string, string>>>>
  readonly text: string
}

/** The frames of RFC 5425 section 4.3 in a stream, and what is left of one that is not whole. */
export function framesIn(stream: Buffer): { readonly frames: readonly Buffer[]; readonly rest: Buffer } {
  const frames: Buffer[] = []
  let at = 0
  for (;;) {
    const space = stream.indexOf(0x20, at)
    if (space < 0) break
    const length = stream.subarray(at, space).toString('latin1')
    if (!/^[1-9][0-9]*$/.test(length)) throw new Error(`no length: ${length}`)
    const end = space + 1 + Number(length)
    if (end > stream.length) break
    frames.push(stream.subarray(space + 1, end))
    at = end
  }
  return { frames, rest: stream.subarray(at) }
}

/** Reads a message by the ABNF of RFC 5424 section 6, and by nothing else. Throws where it does not fit. */
export function parseMessage(bytes: Buffer): SyslogMessage {
  // Octets first: only parameter values and the text may hold others than ASCII.
  const reader = new Reader(bytes.toString('latin1'))
  reader.literal('<')
  const priority = Number(reader.match(/(?:0|[1-9][0-9]{0,2})/y, 'PRIVAL'))
  if (priority > 191) throw new Error(`PRIVAL ${priority}`)
  reader.literal('>')
  reader.literal('1')
  reader.literal(' ')
  const timestamp = reader.match(
    /-|\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,6})?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)/y,
    'TIMESTAMP'
  )
  const field = (name: string, max: number): string => {
    reader.literal(' ')
    const text = reader.match(/[!-~]+/y, name)
    if (text.length > max) throw new Error(`${name} of ${text.length} characters`)
    return text
  }
  const hostname = field('HOSTNAME', 255)
  const appName = field('APP-NAME', 48)
  const procId = field('PROCID', 128)
  const msgId = field('MSGID', 32)
  reader.literal(' ')
  const elements: Record<string, Record<string, string>> = {}
  if (reader.peek() === '-') reader.literal('-')
  else {
    do {
      reader.literal('[')
      const id = reader.match(NAME, 'SD-ID')
      if (!/^[^@]+@[1-9][0-9]*(?:\.[0-9]+)*$/.test(id)) throw new Error(`SD-ID ${id}`)
      if (Object.hasOwn(elements, id)) throw new Error(`SD-ID ${id} twice`)
      const parameters: Record<string, string> = {}
      while (reader.peek() === ' ') {
        reader.literal(' ')
        const name = reader.match(NAME, 'PARAM-NAME')
        reader.literal('="')
        const value = reader.match(/(?:[^"\\\]]|\\["\\\]])*/y, 'PARAM-VALUE')
        reader.literal('"')
        parameters[name] = utf8Of(value).replaceAll(/\\(["\\\]])/g, '$1')
      }
      reader.literal(']')
      elements[id] = parameters
    } while (reader.peek() === '[')
  }
  reader.literal(' ')
  reader.literal('\xef\xbb\xbf')
  const text = utf8Of(reader.rest())
  const [facility, severity] = [Math.floor(priority / 8), priority % 8]
  return { facility, severity, timestamp, hostname, appName, procId, msgId, elements, text }
}

/** SD-NAME: PRINTUSASCII but `=`, space, `]` and `"`. */
const NAME = /[!#-<>-\\^-~]{1,32}/y

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function utf8Of(octets: string): string {
  return decoder.decode(Buffer.from(octets, 'latin1'))
}

class Reader {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  peek(): string {
    return this.#text.charAt(this.#at)
  }

  literal(expected: string): void {
    if (!this.#text.startsWith(expected, this.#at)) throw new Error(`expected ${expected} at octet ${this.#at}`)
    this.#at += expected.length
  }

  match(pattern: RegExp, name: string): string {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)?.[0]
    if (found === undefined) throw new Error(`no ${name} at octet ${this.#at}`)
    this.#at += found.length
    return found
  }

  rest(): string {
    return this.#text.slice(this.#at)
  }
}
