import { createHash } from 'node:crypto'
import type { Vector, VectorFile } from './vector-file.ts'

/** The first headers of mainnet, as everybody has them. */
const FIRST: readonly string[] = [
  '0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d1dac2b7c',
  '010000006fe28c0ab6f1b372c1a6a246ae63f74f931e8365e15a089c68d6190000000000982051fd1e4ba744bbbe680e1fee14677ba1a3c3540bf7b1cdb606e857233e0e61bc6649ffff001d01e36299',
  '010000004860eb18bf1b1620e37e9490fc8a427514416fd75159ab86688e9a8300000000d5fdcc541e25de1c7a5addedf24858b8bb665c9f36ef744ee42c316022c90f9bb0bc6649ffff001d08d2bd61'
]

const line = (height: number): string => `${height} ${FIRST[height]}`

/** Descriptions, the text, and the heights that are in it. */
const VALID: readonly (readonly [description: string, text: string, heights: readonly number[]])[] = [
  ['the first two headers of mainnet', `${line(0)}\n${line(1)}\n`, [0, 1]],
  ['no line feed at the end', line(2), [2]],
  ['a height that is left out', `${line(0)}\n${line(2)}\n`, [0, 2]],
  ['carriage returns', `${line(0)}\r\n${line(1)}\r\n`, [0, 1]],
  ['comments and empty lines', `# known headers\n\n${line(1)}\n#\n\n${line(2)}\n# end\n`, [1, 2]]
]

/** Descriptions, the rule that is broken, the line where it is, and the text. */
const INVALID: readonly (readonly [description: string, rule: string, line: number, text: string])[] = [
  ['a header alone', 'BH-3', 1, `${FIRST[0]}\n`],
  ['a leading zero', 'BH-3', 1, `01 ${FIRST[1]}\n`],
  ['a height of eleven digits', 'BH-3', 1, `10000000000 ${FIRST[1]}\n`],
  ['a tabulator for the space', 'BH-3', 1, `1\t${FIRST[1]}\n`],
  ['a space before', 'BH-3', 3, `# one\n${line(0)}\n ${line(1)}\n`],
  ['a comment behind', 'BH-3', 1, `${line(0)} # first\n`],
  ['hex in upper case', 'BH-3', 1, `1 ${FIRST[1]?.toUpperCase()}\n`],
  ['79 bytes', 'BH-3', 1, `1 ${FIRST[1]?.slice(2)}\n`],
  ['81 bytes', 'BH-3', 1, `1 ${FIRST[1]}00\n`],
  ['a carriage return alone', 'BH-3', 1, `${line(0)}\r${line(1)}\n`],
  ['heights that go down', 'BH-4', 2, `${line(1)}\n${line(0)}\n`],
  ['a height twice', 'BH-4', 3, `${line(1)}\n# again\n${line(1)}\n`],
  ['a header that builds on another one', 'BH-5', 2, `${line(0)}\n1 ${FIRST[2]}\n`],
  ['a header at two heights', 'BH-6', 2, `${line(0)}\n2 ${FIRST[0]}\n`],
  ['nothing', 'BH-7', 1, ''],
  ['nothing but comments', 'BH-7', 1, '# one\n# two\n']
]

export function bitcoinHeadersVectors(): readonly VectorFile[] {
  return [
    {
      path: 'bitcoin-headers/v1/vectors/files.json',
      description:
        "`text` is a file that is read. `hashes` are the blocks by their heights, as Bitcoin's tools print them; `tip` is the height of the best chain. The headers are real.",
      vectors: VALID.map(([description, text, heights]): Vector => ({
        description,
        text,
        hashes: Object.fromEntries(heights.map((height) => [height, printedHash(FIRST[height] ?? '')])),
        tip: heights.at(-1)
      }))
    },
    {
      path: 'bitcoin-headers/v1/vectors/files-invalid.json',
      description: '`text` is a file that is refused, because in line `line` it breaks `rule`.',
      vectors: INVALID.map(([description, rule, at, text]): Vector => ({ description, rule, line: at, text }))
    }
  ]
}

function printedHash(header: string): string {
  const hash = (data: Uint8Array): Buffer => createHash('sha256').update(data).digest()
  return hash(hash(Buffer.from(header, 'hex')))
    .reverse()
    .toString('hex')
}
