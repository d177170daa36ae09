import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { standardChecks } from '../../../simulations/checks/all.ts'
import { loadSweep } from '../../../simulations/run/sweep-file.ts'
import { parseScenario } from '../../../simulations/scenario/parse.ts'
import { byzantineSchema, faultSchema, scenarioSchema, workloadSchema } from '../../../simulations/scenario/schema.ts'
import { createProgram } from '../../../src/cli/program.ts'
import { newFolder } from '../../support/cli.ts'
import { written } from './tiny.ts'

const FOLDER = resolve(import.meta.dirname, '..', '..', '..', 'simulations')
const README = readFileSync(join(FOLDER, 'README.md'), 'utf8')

const blocks = (language: string): readonly string[] =>
  [...README.matchAll(new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\`$`, 'gm'))].map(([, text = '']) => text)

/** The rows of the tables below a heading, by their first cell. */
function rowsBelow(heading: string): ReadonlyMap<string, readonly string[]> {
  const [, section = ''] = README.split(new RegExp(`^#+ ${heading}\n`, 'm'))
  const [own = ''] = section.split(/^#+ /m)
  const rows = own.split('\n').filter((line) => line.startsWith('| `'))
  return new Map(
    rows.flatMap((row) => {
      const [keys = '', ...cells] = row.slice(2, -2).split(' | ')
      return [...keys.matchAll(/`([^`]+)`/g)].map(([, key = '']) => [key, cells] as const)
    })
  )
}

type Shape = Readonly<Record<string, z.core.$ZodType>>

/** What is left when defaults and options are taken off. */
function bare(type: z.core.$ZodType): z.core.$ZodType {
  const { innerType } = type._zod.def as { readonly innerType?: z.core.$ZodType }
  return innerType === undefined ? type : bare(innerType)
}

const shapeOf = (type: z.core.$ZodType): Shape | undefined => (bare(type)._zod.def as { readonly shape?: Shape }).shape

/** The key of a scenario that must be there, and the others with their defaults. */
function keysOf(shape: Shape, before = ''): readonly { readonly key: string; readonly type: z.core.$ZodType }[] {
  return Object.entries(shape).flatMap(([key, type]) => {
    const inner = key === 'topology' ? undefined : shapeOf(type)
    return inner === undefined ? [{ key: `${before}${key}`, type }] : keysOf(inner, `${before}${key}.`)
  })
}

/** What of a default must stand in the table. */
function defaultOf(type: z.core.$ZodType): RegExp {
  const empty = z.safeParse(z.strictObject({ key: type as z.ZodType }), {})
  if (!empty.success) return /^required/
  const { key } = z.encode(z.strictObject({ key: type as z.ZodType }), empty.data) as { readonly key?: unknown }
  if (key === undefined) return /^(?!required)/
  const text = (typeof key === 'string' ? key : JSON.stringify(key)).replaceAll('"', '')
  return new RegExp(`^${text.replaceAll(/[[\]{}.]/g, String.raw`\$&`)}$`)
}

const optionsOf = (union: { readonly options: readonly { readonly shape: Shape }[] }): readonly Shape[] =>
  union.options.map(({ shape }) => shape)

const kindsOf = (shape: Shape): readonly string[] => [...(shape['kind']?._zod.values ?? [])].map(String)

describe('the README of the simulations', () => {
  const scenarioRows = rowsBelow('Scenarios')
  test.each(keysOf(scenarioSchema.shape))('has the key $key with its default', ({ key, type }) => {
    const [told] = scenarioRows.get(key) ?? []
    expect(told).toBeDefined()
    // As JSON, whose quotation marks and spaces nobody wants to read.
    const plain = told?.replaceAll('`', '').replaceAll(' ', '') ?? ''
    expect(told?.startsWith('`') === true ? plain : told).toMatch(defaultOf(type))
  })

  test('has no key that there is not', () => {
    const keys = new Set(keysOf(scenarioSchema.shape).map(({ key }) => key))
    const ends = [...scenarioRows.keys()].filter((key) => !keys.has(key))
    expect(ends).toEqual([])
  })

  test.each([
    ['Workloads', optionsOf(workloadSchema)],
    ['Faults', optionsOf(faultSchema)]
  ] as const)('has all %s with their keys', (heading, shapes) => {
    const rows = rowsBelow(heading)
    expect([...rows.keys()].toSorted()).toEqual(shapes.flatMap(kindsOf).toSorted())
    const [, section = ''] = README.split(new RegExp(`^### ${heading}\n`, 'm'))
    for (const shape of shapes) {
      const told = `${rows.get(kindsOf(shape)[0] ?? '')?.join(' ')} ${section.split('\n| ')[0]}`
      for (const key of Object.keys(shape).filter((name) => name !== 'kind')) expect(told).toContain(`\`${key}\``)
    }
  })

  test('has all kinds of Byzantine nodes and all checks', () => {
    const kinds = byzantineSchema.shape.kind.options
    expect([...rowsBelow('Byzantine nodes').keys()].toSorted()).toEqual(kinds.toSorted())
    const checks = [...standardChecks().map(({ name }) => name), 'mesh-stands', 'defect']
    expect([...rowsBelow('Checks').keys()].toSorted()).toEqual(checks.toSorted())
  })

  test('has a scenario and a sweep that can be read', async () => {
    const [scenario = '', sweep = ''] = blocks('yaml')
    expect(parseScenario(scenario, 'README.md')).toMatchObject({ ok: true })
    const loaded = await loadSweep(written(newFolder(), 'loss.yaml', sweep))
    expect(loaded.points).toHaveLength(6)
  })

  const commands = [...README.matchAll(/npx anchormesh ([^`\n#]*)/g)].map(([, line = '']) => line.trim())
  test.each(commands)('%s: a command with options that there are', async (line) => {
    let ran = 0
    const runner = { run: async () => void (ran += 1), exitCode: () => 0 }
    const program = createProgram(runner, { json: false, stdout: process.stdout, stderr: process.stderr })
    await program.parseAsync(line.split(' '), { from: 'user' })
    expect(ran).toBe(1)
  })

  test('links to files that there are', () => {
    const targets = [...README.matchAll(/\]\(([^)\s#]+)\)/g)].map(([, target = '']) => target)
    expect(targets.length).toBeGreaterThan(2)
    expect(targets.filter((target) => !existsSync(join(FOLDER, target)))).toEqual([])
  })
})
