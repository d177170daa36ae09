import { describe, expect, test } from 'vitest'
import { findFloorBreaks } from './floors.ts'
import { EXCEPTIONS, findClocksAndRandom } from './ports.ts'
import { FILE_LINES_MAX, findStyleBreaks } from './style.ts'
import { readHouse, scriptPaths } from './source-files.ts'
import { parseSource } from './syntax.ts'
import type { Finding } from './syntax.ts'

/** Findings as lines a person can click on; the comparison with [] prints them all. */
const lines = (findings: readonly Finding[]): string[] =>
  findings.map(({ path, line, rule, message }) => `${path}:${line} ${rule}: ${message}`)

const rules = (findings: readonly Finding[]): string[] => findings.map(({ rule }) => rule)

describe('the house as it stands', () => {
  const house = readHouse()

  test('imports run down, and in no circle', () => {
    expect(house.length).toBeGreaterThan(0)
    expect(lines(findFloorBreaks(house))).toEqual([])
  })

  test('clocks, timers and randomness are read in src/platform only', () => {
    expect(lines(house.flatMap(findClocksAndRandom))).toEqual([])
  })

  test('no default export, any, enum, parameter property, empty catch or overlong file', () => {
    expect(lines(house.flatMap(findStyleBreaks))).toEqual([])
  })

  test('every script is TypeScript, but for those that run before the version of Node is known', () => {
    expect(scriptPaths().filter((path) => !path.endsWith('.ts'))).toEqual([
      'src/cli/anchormesh.cjs',
      'src/preinstall.cjs'
    ])
  })

  test('every exception to the rule on clocks and randomness is still needed', () => {
    for (const { path, names } of EXCEPTIONS) {
      const texts = house.filter((file) => path.test(file.path)).map((file) => file.text)
      for (const name of names)
        expect(
          texts.some((text) => text.includes(name)),
          `${path} ${name}`
        ).toBe(true)
    }
  })
})

describe('the floors can fail', () => {
  const check = (files: Readonly<Record<string, string>>): string[] =>
    rules(findFloorBreaks(Object.entries(files).map(([path, text]) => parseSource(path, text))))

  test('imports that run down pass', () => {
    expect(
      check({
        'protocols/event/v1/event.ts': 'export const a = 1',
        'src/events/b.ts': "export { a } from '../../protocols/event/v1/event.ts'",
        'src/log/c.ts': "import { a } from '../events/b.ts'\nexport const c = a",
        'src/node.ts': "import type { c } from './log/c.ts'\nexport type D = typeof c"
      })
    ).toEqual([])
  })

  test.each([
    ['import', "import { b } from '../log/b.ts'"],
    ['import for its effect', "import '../log/b.ts'"],
    ['type import', "import type { b } from '../log/b.ts'"],
    ['re-export', "export { b } from '../log/b.ts'"],
    ['re-export of everything', "export * from '../log/b.ts'"],
    ['dynamic import', "export const b = import('../log/b.ts')"],
    ['import in a type', "export type B = import('../log/b.ts').B"]
  ])('an upward %s is found', (_kind, text) => {
    expect(check({ 'src/events/a.ts': text, 'src/log/b.ts': 'export const b = 1' })).toEqual(['floor-upward'])
  })

  test('a row below another path has its own floor', () => {
    expect(
      check({ 'src/timestamps/a.ts': "import './clients/b.ts'", 'src/timestamps/clients/b.ts': 'export const b = 1' })
    ).toEqual(['floor-upward'])
  })

  test('circles between files, one file included', () => {
    expect(
      check({ 'src/log/a.ts': "import './b.ts'", 'src/log/b.ts': "import './c.ts'", 'src/log/c.ts': "import './a.ts'" })
    ).toEqual(['circle-files'])
    expect(check({ 'src/log/a.ts': "import './a.ts'" })).toEqual(['circle-files'])
  })

  test('circles between rows of one floor, though no file is in a circle', () => {
    expect(
      check({
        'src/log/a.ts': "import '../projections/b.ts'",
        'src/log/c.ts': '',
        'src/projections/b.ts': '',
        'src/projections/d.ts': "import '../log/c.ts'"
      })
    ).toEqual(['circle-rows', 'circle-folders'])
  })

  test('circles between folders inside one row', () => {
    expect(
      check({
        'protocols/event/v1/a.ts': "import '../../batch/v1/b.ts'",
        'protocols/event/v1/c.ts': '',
        'protocols/batch/v1/b.ts': '',
        'protocols/batch/v1/d.ts': "import '../../event/v1/c.ts'"
      })
    ).toEqual(['circle-folders'])
  })

  test('a folder may use its own sub-folders', () => {
    expect(
      check({
        'src/http/a.ts': "import './routes/b.ts'",
        'src/http/routes/b.ts': "import '../c.ts'",
        'src/http/c.ts': ''
      })
    ).toEqual([])
  })

  test('a folder without a floor, an import of nothing, a way out of the house', () => {
    expect(check({ 'src/utils/a.ts': '' })).toEqual(['floor-unknown'])
    expect(check({ 'src/main.ts': '' })).toEqual(['floor-unknown'])
    expect(check({ 'src/log/a.ts': "import './none.ts'" })).toEqual(['import-unresolved'])
    expect(check({ 'src/log/a.ts': "import '../../test/support/a.ts'" })).toEqual(['import-unresolved'])
  })

  test('protocols import no module of Node, only its types', () => {
    const checkOne = (text: string): string[] => check({ 'protocols/event/v1/a.ts': text })
    expect(checkOne("import { createHash } from 'node:crypto'\nexport { createHash }")).toEqual(['protocols-portable'])
    expect(checkOne("import type { Hash } from 'node:crypto'\nexport type A = Hash")).toEqual([])
  })

  test('neither does what apps run in browsers, nor anything that reaches beyond it', () => {
    const files = { 'src/platform/a.ts': "import { connect } from 'node:net'\nexport { connect }" }
    expect(check({ 'src/api/b.ts': "import { connect } from 'node:net'\nexport { connect }" })).toEqual([
      'protocols-portable'
    ])
    expect(check({ ...files, 'src/client/b.ts': "export { connect } from '../platform/a.ts'" })).toEqual([
      'portable-imports'
    ])
    expect(check({ ...files, 'src/client/b.ts': "export type { connect } from '../platform/a.ts'" })).toEqual([])
  })

  test('what does not parse is an error, not a pass', () => {
    expect(() => parseSource('src/log/a.ts', 'import {')).toThrow()
  })
})

describe('the rule on clocks and randomness can fail', () => {
  const check = (text: string, path = 'src/log/a.ts'): string[] => rules(findClocksAndRandom(parseSource(path, text)))

  test.each([
    'export const at = Date.now()',
    "export const at = Date['now']()",
    'export const at = Date[`now`]()',
    'export const { now } = Date',
    'export const now = Date.now',
    'const D = Date\nexport const at = D.now()',
    'export const at = new Date()',
    'export const at = (new (Date as DateConstructor)())',
    'export const at = Date()',
    'export const at = Date(1)',
    'export const at = globalThis.Date.now()',
    "export const at = globalThis['Date']['now']()",
    'export const { Date: D } = globalThis',
    'const g = globalThis\nexport const at = g.Date.now()',
    'export const read = (name: string): unknown => globalThis[name as "Date"]',
    'export class Later extends Date {}',
    'export const at = Reflect.construct(Date, [])',
    'export const at = performance.now()',
    'export const { now } = performance',
    "import { performance as p } from 'node:perf_hooks'\nexport const at = p.now()",
    'export const at = process.hrtime.bigint()',
    'export const { hrtime } = process',
    'export const at = process.uptime()',
    'setTimeout(() => {}, 1)',
    'setInterval(() => {}, 1)',
    'setImmediate(() => {})',
    'globalThis.setTimeout(() => {}, 1)',
    'globalThis?.setTimeout(() => {}, 1)',
    '(globalThis as { setTimeout?: unknown }).setTimeout!',
    'export const { setTimeout: later } = globalThis',
    'export const timers = { setTimeout }',
    'export const run = (later = setTimeout): void => { later(() => {}, 1) }',
    'export class A { later = setTimeout }',
    "import { setTimeout as sleep } from 'node:timers/promises'\nexport const a = sleep",
    "import * as timers from 'timers'\nexport const a = timers",
    "export { setTimeout } from 'node:timers'",
    "export const a = import('node:timers')",
    "export const a = process.getBuiltinModule('node:timers')",
    'export const a = AbortSignal.timeout(1)',
    'export const { timeout } = AbortSignal',
    'Atomics.wait(new Int32Array(4), 0, 0, 1)',
    'export const at = Temporal.Now.instant()'
  ])('a clock or timer: %s', (text) => {
    expect(new Set(check(text))).toEqual(new Set(['clock']))
  })

  test.each([
    'export const a = Math.random()',
    "export const a = Math['random']()",
    'export const { random } = Math',
    'export const a = globalThis.Math.random()',
    "import { randomBytes } from 'node:crypto'\nexport const a = randomBytes(8)",
    "import { randomBytes as bytes } from 'crypto'\nexport const a = bytes(8)",
    "import * as c from 'node:crypto'\nexport const a = c.randomUUID()",
    "import c from 'node:crypto'\nconst { randomInt: pick } = c\nexport const a = pick(8)",
    "import c from 'node:crypto'\nexport const a = c['randomFillSync'](new Uint8Array(8))",
    "import { webcrypto as w } from 'node:crypto'\nexport const a = w.subtle.generateKey('Ed25519', true, [])",
    "import { generateKeyPairSync } from 'node:crypto'\nexport const a = generateKeyPairSync('ed25519')",
    "export { randomBytes } from 'node:crypto'",
    "export { randomBytes as bytes } from 'node:crypto'",
    'export const a = crypto.getRandomValues(new Uint8Array(8))',
    'export const a = globalThis.crypto?.randomUUID?.()',
    "export const a = globalThis.process?.getBuiltinModule?.('node:crypto')?.randomBytes(8)",
    "import { utils } from '@noble/ed25519'\nexport const a = utils.randomSecretKey()",
    "import { generateKeyPair } from '@libp2p/crypto/keys'\nexport const a = generateKeyPair('Ed25519')"
  ])('randomness: %s', (text) => {
    expect(new Set(check(text))).toEqual(new Set(['random']))
  })

  test.each([
    "import { Worker } from 'node:worker_threads'\nexport const a = Worker",
    "export const a = import('node:worker_threads')",
    "export { Worker } from 'worker_threads'"
  ])('threads: %s', (text) => {
    expect(check(text)).toEqual(['thread'])
  })

  test('an alias of Math is found, though it need not be used for randomness', () => {
    expect(check('const M = Math\nexport const a = M.random()')).toEqual(['clock'])
    expect(check("import { v4 } from 'uuid'\nexport const a = v4()")).toEqual(['clock'])
  })

  test.each([
    'export const at = new Date(0).toISOString()',
    'export const at = Date.parse("1970-01-01")',
    'export const is = (value: unknown): boolean => value instanceof Date',
    'export const { pow } = Math',
    'export const a = Math.max(1, 2)',
    'export type Read = typeof Date.now | typeof setTimeout',
    'export interface Clock { setTimeout(): void; performance: Date }',
    "import type { randomBytes } from 'node:crypto'\nexport type A = typeof randomBytes",
    "import { createHash, verify } from 'node:crypto'\nexport const a = [createHash, verify]",
    "export const a = globalThis.process?.getBuiltinModule?.('node:crypto')?.createHash('sha256')",
    "import { once } from 'node:events'\nexport const a = once(process, 'SIGTERM')",
    'export const { env, pid } = process',
    'export const a = { setTimeout: 1, performance: 2 }.performance',
    'export const close = (timer: { cancel(): void }): void => timer.cancel()',
    'clearTimeout(undefined)'
  ])('passes: %s', (text) => {
    expect(check(text)).toEqual([])
  })

  test('src/platform may read them all, and a listed exception only what it lists', () => {
    expect(check('export const at = Date.now()', 'src/platform/clock.ts')).toEqual([])
    expect(check('export const at = Date.now()', 'simulations/world/timers.ts')).toEqual([])
    expect(check('export const at = Date.now()', 'simulations/run/run.ts')).toEqual(['clock'])
    const generates = "export const a = crypto.subtle.generateKey('Ed25519', true, [])\n"
    const path = 'src/timestamps/clients/development-certificates.ts'
    expect(check(generates, path)).toEqual([])
    expect(check(`${generates}export const at = Date.now()`, path)).toEqual(['clock'])
    expect(check(`${generates}export const b = crypto.randomUUID()`, path)).toEqual(['random'])
    expect(check(generates, 'src/timestamps/clients/tsa-client.ts')).toEqual(['random'])
  })
})

describe('the rules of style can fail', () => {
  const check = (text: string): string[] => rules(findStyleBreaks(parseSource('src/log/a.ts', text)))

  test.each([
    ['default-export', 'export default 1'],
    ['default-export', 'const a = 1\nexport { a as default }'],
    ['default-export', "export { a as default } from './b.ts'"],
    ['any', 'export const a = (b: any): unknown => b'],
    ['any', 'export type A = readonly any[]'],
    ['any', 'export const a = JSON.parse("1") as any'],
    ['enum', 'export enum A { B }'],
    ['enum', 'export const enum A { B }'],
    ['parameter-property', 'export class A { constructor(readonly b: number) {} }'],
    ['empty-catch', 'try { run() } catch {}'],
    ['empty-catch', 'try { run() } catch (error) { /* never mind */ }'],
    ['empty-catch', 'run().catch(() => {})'],
    ['empty-catch', 'run()?.catch(function () {})'],
    ['empty-catch', 'run().then(stop, () => {})']
  ])('%s: %s', (rule, text) => {
    expect(check(text)).toEqual([rule])
  })

  test.each([
    'export const a: unknown = 1',
    "import a from 'b'\nexport { a }",
    "export { default as a } from 'b'",
    'try { run() } catch (error) { report(error) }',
    'run().catch(report)',
    'run().then(() => {})',
    'export class A { constructor(b: number) { void b } }'
  ])('passes: %s', (text) => {
    expect(check(text)).toEqual([])
  })

  test('a file of one line too many', () => {
    expect(check('// a line\n'.repeat(FILE_LINES_MAX))).toEqual([])
    expect(check('// a line\n'.repeat(FILE_LINES_MAX + 1))).toEqual(['file-length'])
  })
})
