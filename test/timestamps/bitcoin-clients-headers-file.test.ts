import { truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseHeader } from '../../protocols/bitcoin-evidence/v1/header.ts'
import { hashOfPrinted } from '../../protocols/bitcoin-evidence/v1/hashes.ts'
import { toHex } from '../../protocols/primitives/bytes.ts'
import { KNOWN_HEADERS_BYTES_MAX, readKnownHeaders } from '../../protocols/bitcoin-headers/v1/known-headers.ts'
import { createBitcoinProvider } from '../../src/timestamps/clients/bitcoin-provider.ts'
import type { BitcoinProviderClient } from '../../src/timestamps/clients/bitcoin-provider.ts'
import { describeThirdParty, readJson } from '../protocols/third-party.ts'
import { temporaryFolder } from '../support/folders.ts'
import { createHandClock } from '../support/hand-clock.ts'

const NEVER = new AbortController().signal
const NO_BLOCK = '0'.repeat(64)

interface Block {
  readonly hash: string
  readonly header: Uint8Array
}

/** Headers that build on each other, with nothing true in them but that. */
function chain(length: number): readonly Block[] {
  const blocks: Block[] = []
  for (let height = 0; height < length; height += 1) {
    const header = new Uint8Array(80)
    header.set(hashOfPrinted(blocks.at(-1)?.hash ?? NO_BLOCK) as Uint8Array, 4)
    new DataView(header.buffer).setUint32(76, height)
    blocks.push({ hash: parseHeader(header)?.hash ?? '', header })
  }
  return blocks
}

const BLOCKS = chain(12)
const blockAt = (height: number): Block => BLOCKS[height] as Block
const line = (height: number): string => `${height} ${toHex(blockAt(height).header)}`
const text = (...lines: readonly string[]): string => lines.map((each) => `${each}\n`).join('')

describe('a text of known headers', () => {
  it('may leave heights out, hold comments and empty lines, and end without a line feed', () => {
    fc.assert(
      fc.property(
        fc.subarray([...BLOCKS.keys()], { minLength: 1 }),
        fc.constantFrom('\n', '\r\n', '\n\n# more\n'),
        fc.boolean(),
        (heights, between, ends) => {
          const read = readKnownHeaders(`# known headers\n${heights.map(line).join(between)}${ends ? between : ''}`)
          if (!read.ok) throw new Error(read.detail)
          const { byHash, byHeight, tipHeight } = read.headers
          expect(tipHeight).toBe(Math.max(...heights))
          expect([...byHeight.keys()]).toEqual(heights)
          for (const height of heights) {
            const { hash, header } = blockAt(height)
            expect(byHash.get(hash)).toEqual({ height, hash, header })
            expect(byHeight.get(height)).toBe(byHash.get(hash))
          }
        }
      )
    )
  })

  const header = toHex(blockAt(3).header)
  it.each([
    ['nothing', '', 1, 'there is no header'],
    ['comments alone', '# none\n', 1, 'there is no header'],
    ['a header without a height', text(line(1), header), 2, /expected a height/],
    ['two spaces', text(`3  ${header}`), 1, /expected a height/],
    ['a space at the end', text(`3 ${header} `), 1, /expected a height/],
    ['a leading zero', text(`03 ${header}`), 1, /expected a height/],
    ['a height with a sign', text(`+3 ${header}`), 1, /expected a height/],
    ['upper case', text(`3 ${'AB'.repeat(80)}`), 1, /expected a height/],
    ['a header that is short', text(`3 ${header.slice(2)}`), 1, /160 lower-case hex digits/],
    ['a header that is long', text(`3 ${header}00`), 1, /160 lower-case hex digits/],
    ['a comment behind a header', text(`3 ${header} # the third`), 1, /expected a height/],
    ['heights that go down', text('# two', line(4), line(3)), 3, 'height 3 does not come after 4'],
    ['a height twice', text(line(4), line(4)), 2, 'height 4 does not come after 4'],
    ['a header that builds on another', text(line(4), `5 ${header}`), 2, /height 5 does not build on/],
    ['a header at two heights', text(line(4), `6 ${toHex(blockAt(4).header)}`), 2, /stands at two heights/]
  ])('is refused for %s, with the line', (_what, content, at, detail) => {
    expect(readKnownHeaders(content)).toEqual({ ok: false, line: at, detail: expect.stringMatching(detail) as string })
  })
})

interface File {
  readonly path: string
  readonly provider: BitcoinProviderClient
}

function file(content?: string, network = 'mainnet'): File {
  const folder = temporaryFolder()
  const path = join(folder, 'known.headers')
  if (content !== undefined) writeFileSync(path, content)
  const clock = createHandClock()
  return {
    path,
    provider: createBitcoinProvider({ kind: 'headers', file: 'known.headers' }, { network, folder, clock })
  }
}

describe('a file of known headers', () => {
  it('tells header, hash at the height and the last height', async () => {
    const { provider } = file(text(line(3), line(4), line(9)))
    const { hash, header } = blockAt(4)
    expect(await provider.place(hash, 4, NEVER)).toEqual({
      ok: true,
      value: { header, hashAtHeight: hash, tipHeight: 9 }
    })
    expect(await provider.place(NO_BLOCK, 4, NEVER)).toEqual({
      ok: true,
      value: { header: null, hashAtHeight: hash, tipHeight: 9 }
    })
    expect(await provider.place(hash, 10, NEVER)).toEqual({
      ok: true,
      value: { header, hashAtHeight: null, tipHeight: 9 }
    })
    expect(provider.health).toEqual({ name: 'known.headers', asked: 3, failed: 0, failure: null })
  })

  it('tells nothing of a height that it leaves out', async () => {
    const { provider } = file(text(line(3), line(9)))
    expect(await provider.place(blockAt(4).hash, 4, NEVER)).toEqual({
      ok: false,
      code: 'PROVIDER_UNREACHABLE',
      detail: 'known.headers has no header of height 4',
      retryAfterMs: 0
    })
  })

  it('is read again when it has changed, when it comes, and when it is mended', async () => {
    const { path, provider } = file()
    const { hash } = blockAt(4)
    expect(await provider.place(hash, 4, NEVER)).toMatchObject({
      code: 'PROVIDER_UNREACHABLE',
      detail: 'known.headers could not be read (ENOENT)'
    })
    writeFileSync(path, text(line(4)))
    expect(await provider.place(hash, 4, NEVER)).toMatchObject({ ok: true, value: { tipHeight: 4 } })
    writeFileSync(path, text(line(4), 'next'))
    expect(await provider.place(hash, 4, NEVER)).toMatchObject({
      code: 'PROVIDER_MALFORMED',
      detail: expect.stringContaining('known.headers line 2: ') as string
    })
    expect(provider.health).toMatchObject({ asked: 3, failed: 2, failure: { code: 'PROVIDER_MALFORMED' } })
    writeFileSync(path, text(line(4), line(5)))
    expect(await provider.place(hash, 4, NEVER)).toMatchObject({ ok: true, value: { tipHeight: 5 } })
    expect(provider.health.failure).toBeNull()
  })

  it('that is too large is not read', async () => {
    const { path, provider } = file('')
    truncateSync(path, KNOWN_HEADERS_BYTES_MAX + 1)
    expect(await provider.place(NO_BLOCK, 4, NEVER)).toMatchObject({
      code: 'PROVIDER_MALFORMED',
      detail: `known.headers has more than ${KNOWN_HEADERS_BYTES_MAX} bytes`
    })
  })

  it('that begins with the first block of another network is of another chain', async () => {
    const { provider } = file(text(line(0), line(1)))
    expect(await provider.place(blockAt(1).hash, 1, NEVER)).toMatchObject({ ok: false, code: 'PROVIDER_CHAIN' })
  })

  it('rejects when it is aborted', async () => {
    const { provider } = file(text(line(3)))
    await expect(provider.place(NO_BLOCK, 3, AbortSignal.abort(new Error('stopped')))).rejects.toThrow('stopped')
  })
})

describeThirdParty('bitcoin/derived', (folder) => {
  it('a file with real headers is read', async () => {
    const blocks = ['block-277647.json', 'block-300025.json', 'block-702861.json'].map(
      (name) => readJson(folder, name) as { height: number; blockHash: string; header: string }
    )
    const { provider } = file(text(...blocks.map(({ height, header }) => `${height} ${header}`)))
    for (const { height, blockHash, header } of blocks) {
      const place = await provider.place(blockHash, height, NEVER)
      expect(place).toMatchObject({ ok: true, value: { hashAtHeight: blockHash, tipHeight: 702_861 } })
      expect(place.ok && place.value.header !== null && toHex(place.value.header)).toBe(header)
    }
  })
})
