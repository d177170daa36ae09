import { posix } from 'node:path'
import { findingAt, nodeAt, stringOf, walk } from './syntax.ts'
import type { Finding, SourceFile, SyntaxNode } from './syntax.ts'

/**
 * The floors of the house: what stands on a floor imports from its own floor or from below.
 * The longest path that fits a file decides.
 */
export const FLOORS: readonly { readonly path: string; readonly floor: number }[] = [
  { path: 'protocols', floor: 0 },
  { path: 'src/platform', floor: 1 },
  { path: 'src/streams', floor: 2 },
  { path: 'src/events', floor: 2 },
  { path: 'src/policy', floor: 2 },
  { path: 'src/api', floor: 2 },
  { path: 'src/trust', floor: 2 },
  { path: 'src/log', floor: 3 },
  { path: 'src/projections', floor: 3 },
  { path: 'src/timestamps', floor: 3 },
  { path: 'src/audit', floor: 3 },
  { path: 'src/ingest', floor: 4 },
  { path: 'src/authoring', floor: 4 },
  { path: 'src/anchoring', floor: 4 },
  { path: 'src/verification', floor: 4 },
  { path: 'src/sync', floor: 4 },
  { path: 'src/bundles', floor: 4 },
  { path: 'src/proofs', floor: 4 },
  { path: 'src/packs', floor: 4 },
  { path: 'src/pack-sync', floor: 4 },
  { path: 'src/transparency', floor: 4 },
  { path: 'src/backup', floor: 4 },
  { path: 'src/access', floor: 4 },
  { path: 'src/partners', floor: 4 },
  { path: 'src/deliveries', floor: 4 },
  { path: 'src/findings', floor: 4 },
  { path: 'src/subscriptions', floor: 4 },
  { path: 'src/network', floor: 5 },
  { path: 'src/http', floor: 5 },
  { path: 'src/signers', floor: 5 },
  { path: 'src/client', floor: 5 },
  { path: 'src/metrics', floor: 5 },
  { path: 'src/drill', floor: 5 },
  { path: 'src/operations.ts', floor: 5 },
  { path: 'src/explorer', floor: 5 },
  { path: 'src/timestamps/clients', floor: 5 },
  { path: 'src/cli', floor: 6 },
  { path: 'src/node.ts', floor: 6 },
  { path: 'src/node-parts.ts', floor: 6 },
  { path: 'src/running-node.ts', floor: 6 },
  { path: 'src/node-life.ts', floor: 6 },
  { path: 'src/node-status.ts', floor: 6 },
  { path: 'src/node-counts.ts', floor: 6 },
  { path: 'src/node-gateway.ts', floor: 6 },
  { path: 'src/readiness.ts', floor: 6 },
  { path: 'src/anchormesh-node.ts', floor: 6 },
  { path: 'src/node-reload.ts', floor: 6 },
  { path: 'src/live-settings.ts', floor: 6 },
  { path: 'src/mesh-door.ts', floor: 6 },
  { path: 'src/index.ts', floor: 6 },
  { path: 'simulations', floor: 6 }
]

/** What browsers run too. */
const PORTABLE: ReadonlySet<string> = new Set(['protocols', 'src/api', 'src/client'])

function isPortable(row: (typeof FLOORS)[number] | undefined): boolean {
  return row !== undefined && PORTABLE.has(row.path)
}

/**
 * One import of one file by another, types included: a type from above ties a floor to the one above it all the same.
 */
interface Edge {
  readonly from: SourceFile
  readonly to: string
  readonly node: SyntaxNode
}

/**
 * Finds, over all files of the house: an import that leads to no file of it (`import-unresolved`), a file that
 * stands on no floor (`floor-unknown`), an import that runs upward (`floor-upward`), a circle between files
 * (`circle-files`), between rows of the table (`circle-rows`) or between folders of which neither holds the other
 * (`circle-folders`), and in what browsers run too a static `node:` import (`protocols-portable`), their own or one that
 * what they import reaches (`portable-imports`).
 */
export function findFloorBreaks(files: readonly SourceFile[]): Finding[] {
  const byPath = new Map(files.map((file) => [file.path, file]))
  const findings: Finding[] = []
  const edges: Edge[] = []
  for (const file of files) {
    const row = rowOf(file.path)
    if (row === undefined) {
      findings.push(
        findingAt(file, file.program, 'floor-unknown', `${file.path} stands on no floor: add its folder to FLOORS`)
      )
    }
    for (const { specifier, node } of importsOf(file)) {
      if (isPortable(row) && specifier.startsWith('node:') && !isTypeImport(node)) {
        findings.push(
          findingAt(file, node, 'protocols-portable', `this runs in browsers too, but it imports ${specifier}`)
        )
      }
      if (!specifier.startsWith('.')) continue
      const to = posix.normalize(posix.join(posix.dirname(file.path), specifier))
      if (!byPath.has(to)) {
        findings.push(findingAt(file, node, 'import-unresolved', `${specifier} is no file of the house`))
        continue
      }
      edges.push({ from: file, to, node })
      const target = rowOf(to)
      const reached = isPortable(row) && !isTypeImport(node) ? moduleOfNode(to, byPath) : null
      if (reached !== null && !isPortable(target)) {
        findings.push(
          findingAt(file, node, 'portable-imports', `this runs in browsers too, but it reaches ${reached} by ${to}`)
        )
      }
      if (row !== undefined && target !== undefined && target.floor > row.floor) {
        findings.push(
          findingAt(
            file,
            node,
            'floor-upward',
            `floor ${row.floor} (${row.path}) imports floor ${target.floor} (${to})`
          )
        )
      }
    }
  }
  findings.push(...circles('circle-files', edges, (path) => path))
  findings.push(...circles('circle-rows', edges, (path) => rowOf(path)?.path ?? path))
  findings.push(...circles('circle-folders', edges, (path) => posix.dirname(path)))
  return findings
}

/** A module of Node that a file imports when it runs, itself or by what it imports; `null` where there is none. */
function moduleOfNode(path: string, files: ReadonlyMap<string, SourceFile>): string | null {
  const queue = [path]
  for (const at of queue) {
    const file = files.get(at)
    for (const { specifier, node } of file === undefined ? [] : importsOf(file)) {
      if (isTypeImport(node)) continue
      if (specifier.startsWith('node:')) return specifier
      const to = posix.normalize(posix.join(posix.dirname(at), specifier))
      if (specifier.startsWith('.') && !queue.includes(to)) queue.push(to)
    }
  }
  return null
}

function isTypeImport(node: SyntaxNode): boolean {
  return node.type === 'TSImportType' || node['importKind'] === 'type' || node['exportKind'] === 'type'
}

function rowOf(path: string): (typeof FLOORS)[number] | undefined {
  return FLOORS.filter((row) => path === row.path || path.startsWith(`${row.path}/`)).toSorted(
    (a, b) => b.path.length - a.path.length
  )[0]
}

/** The imports of files that were looked at before. */
const seenImports = new WeakMap<SourceFile, { specifier: string; node: SyntaxNode }[]>()

/** Every specifier that a file names: `import`, `export … from`, `import()` and `import('…')` in types. */
export function importsOf(file: SourceFile): { specifier: string; node: SyntaxNode }[] {
  const seen = seenImports.get(file)
  if (seen !== undefined) return seen
  const found: { specifier: string; node: SyntaxNode }[] = []
  walk(file.program, (node) => {
    if (!/^(Import|Export|TSImport)/.test(node.type)) return
    const specifier = stringOf(nodeAt(node, 'source'))
    if (specifier !== undefined) found.push({ specifier, node })
  })
  seenImports.set(file, found)
  return found
}

/**
 * One finding per set of groups that reach each other. `groupOf` says what counts as one: a file, a row, a folder.
 * Between a row or folder and one inside it no circle is looked for: a folder may use its own sub-folders.
 */
function circles(rule: string, edges: readonly Edge[], groupOf: (path: string) => string): Finding[] {
  const next = new Map<string, Map<string, Edge>>()
  for (const edge of edges) {
    const from = groupOf(edge.from.path)
    const to = groupOf(edge.to)
    const nested = `${from}/`.startsWith(`${to}/`) || `${to}/`.startsWith(`${from}/`)
    const ownFile = rule === 'circle-files' && from === to
    if (nested && !ownFile) continue
    const targets = next.get(from) ?? new Map<string, Edge>()
    if (!targets.has(to)) targets.set(to, edge)
    next.set(from, targets)
  }
  const findings: Finding[] = []
  const reported = new Set<string>()
  for (const start of [...next.keys()].toSorted()) {
    const circle = reported.has(start) ? undefined : shortestCircle(start, next)
    if (circle === undefined) continue
    const names = circle.map((edge) => groupOf(edge.from.path))
    for (const name of names) reported.add(name)
    const first = circle[0]
    if (first === undefined) continue
    const places = circle.map((edge) => `${edge.from.path} imports ${edge.to}`).join(', ')
    findings.push(findingAt(first.from, first.node, rule, `${[...names, start].join(' → ')} (${places})`))
  }
  return findings
}

/** The shortest way from a group back to itself, by breadth-first search. */
function shortestCircle(start: string, next: ReadonlyMap<string, ReadonlyMap<string, Edge>>): Edge[] | undefined {
  const queue: { at: string; way: Edge[] }[] = [{ at: start, way: [] }]
  const seen = new Set<string>()
  for (const { at, way } of queue) {
    for (const [to, edge] of next.get(at) ?? []) {
      if (to === start) return [...way, edge]
      if (seen.has(to)) continue
      seen.add(to)
      queue.push({ at: to, way: [...way, edge] })
    }
  }
  return undefined
}
