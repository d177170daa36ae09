import { closeSync, openSync, writeSync } from 'node:fs'

// Lines are gathered up to about so many characters, so that a file of a million lines is not a million calls.
const BATCH_CHARS = 1 << 18

/** A file that is written with synchronous calls alone, as a simulation must. */
export interface SyncFile {
  write(bytes: Uint8Array): void
  close(): void
}

/** Makes the file, or makes it empty. */
export function openSyncFile(path: string): SyncFile {
  const file = openSync(path, 'w')
  return {
    write(bytes) {
      for (let written = 0; written < bytes.length;) written += writeSync(file, bytes, written)
    },
    close: () => closeSync(file)
  }
}

/** Writes texts one after the other. */
export function writeTexts(path: string, texts: Iterable<string>): void {
  const file = openSyncFile(path)
  try {
    let batch = ''
    for (const text of texts) {
      batch += text
      if (batch.length < BATCH_CHARS) continue
      file.write(Buffer.from(batch))
      batch = ''
    }
    file.write(Buffer.from(batch))
  } finally {
    file.close()
  }
}

/** JSON that a person can look through: a line for each member of the value, and of those objects that it holds. */
export function readableJson(value: object): string {
  const lines = (members: object, indent: string, depth: number): string =>
    `{\n${Object.entries(members)
      .map(([name, member]: [string, unknown]) => {
        const isOpened = depth > 0 && typeof member === 'object' && member !== null && !Array.isArray(member)
        const text = isOpened ? lines(member, `${indent}  `, depth - 1) : JSON.stringify(member)
        return `${indent}  ${JSON.stringify(name)}: ${text}`
      })
      .join(',\n')}\n${indent}}`
  return `${lines(value, '', 1)}\n`
}
