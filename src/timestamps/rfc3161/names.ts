import { DerError, DerReader, readOid, readWhole, TAG } from './der.ts'

const ATTRIBUTE_NAMES: ReadonlyMap<string, string> = new Map([
  ['2.5.4.3', 'CN'],
  ['2.5.4.5', 'serialNumber'],
  ['2.5.4.6', 'C'],
  ['2.5.4.7', 'L'],
  ['2.5.4.8', 'ST'],
  ['2.5.4.10', 'O'],
  ['2.5.4.11', 'OU'],
  ['1.2.840.113549.1.9.1', 'emailAddress'],
  ['0.9.2342.19200300.100.1.25', 'DC']
])

// BMPString: two octets a character.
const BMP_STRING = 0x1e

const PARTS_MAX = 32
// For people who read a verdict; the certificate itself is named by its fingerprint.
const CHARS_MAX = 256

/** A Name (RFC 5280 4.1.2.4; DER, one character an octet) for people to read, in printable characters. */
export function describeName(name: string): string {
  try {
    const sets = readWhole(new Uint8Array(Buffer.from(name, 'latin1')), TAG.sequence, 'name').all('name', PARTS_MAX)
    const parts = sets.flatMap(({ content }) => new DerReader(content).all('name', PARTS_MAX))
    return (
      parts
        .map(({ content }) => describePart(new DerReader(content)))
        .join(', ')
        .slice(0, CHARS_MAX)
        // What was cut may be half of a character, which no log takes.
        .toWellFormed()
    )
  } catch (error) {
    if (error instanceof DerError) return ''
    throw error
  }
}

function describePart(reader: DerReader): string {
  const type = readOid(reader.value(TAG.oid, 'name'), 'name')
  const { tag, content } = reader.any('name')
  const text = new TextDecoder(tag === BMP_STRING ? 'utf-16be' : 'utf-8').decode(content)
  return `${ATTRIBUTE_NAMES.get(type) ?? type}=${text.replaceAll(/\p{C}/gu, '?')}`
}
