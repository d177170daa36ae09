import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

/**
 * The package as its users get it: packed, installed in an empty project, imported, compiled against and run. It takes
 * the dependencies from the registry, as an install does.
 */
const ROOT = join(import.meta.dirname, '..', '..')
const PACKED = ['package.json', 'tsconfig.json', 'README.md', 'LICENSE', 'src', 'protocols', 'simulations', 'config']
/** Packing and installing, a minute on a slow network. */
const INSTALL_MS_MAX = 300_000

const run = promisify(execFile)

/** The environment of a shell in which no npm runs, with the Node of this project first on the PATH. */
const env = Object.fromEntries(
  Object.entries({
    ...process.env,
    PATH: [join(ROOT, 'node_modules', '.bin'), process.env['PATH']].join(delimiter)
  }).filter(([name]) => !/^npm_(package|lifecycle|command|config_local_prefix)/.test(name))
)

interface PackResult {
  readonly filename: string
  readonly files: readonly { readonly path: string }[]
}

let folder = ''
let checkout = ''
let project = ''
/** Of which the package is. */
let commit = ''
let packed: PackResult = { filename: '', files: [] }

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'anchormesh-tarball-'))
  // A copy, because packing builds, and other tests may read the checkout's own `dist` meanwhile.
  checkout = join(folder, 'checkout')
  await mkdir(checkout)
  for (const name of PACKED) await cp(join(ROOT, name), join(checkout, name), { recursive: true })
  // A repository of its own, so that it has a commit, and then another one.
  const git = async (...command: readonly string[]): Promise<string> =>
    (await run('git', ['-c', 'user.name=a', '-c', 'user.email=a@b.c', ...command], { cwd: checkout })).stdout.trim()
  await git('init', '--quiet')
  await git('add', '.')
  await git('commit', '--quiet', '--message', 'One')
  commit = await git('rev-parse', 'HEAD')
  await symlink(join(ROOT, 'node_modules'), join(checkout, 'node_modules'))
  const { stdout } = await run('npm', ['pack', '--json', '--silent', '--pack-destination', folder], {
    cwd: checkout,
    env
  })
  await git('commit', '--quiet', '--allow-empty', '--message', 'Two')
  const [result] = JSON.parse(stdout.slice(stdout.indexOf('['))) as PackResult[]
  if (result !== undefined) packed = result

  project = join(folder, 'project')
  await mkdir(project)
  await writeFile(join(project, 'package.json'), '{ "name": "consumer", "private": true, "type": "module" }\n')
  const tarball = join(folder, packed.filename)
  await run('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', tarball], { cwd: project, env })
}, INSTALL_MS_MAX)

afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

describe('the package installed from its tarball', () => {
  test('holds what it runs from, its specifications and its licence, and no sources or tests', () => {
    const paths = packed.files.map(({ path }) => path)
    expect(paths).toEqual(
      expect.arrayContaining([
        'package.json',
        'README.md',
        'LICENSE',
        'dist/src/index.js',
        'dist/src/index.d.ts',
        'dist/src/client/index.js',
        'dist/src/client/index.d.ts',
        'dist/src/cli/main.js',
        'dist/simulations/index.js',
        'dist/simulations/index.d.ts',
        'dist/simulations/world/install.js',
        'simulations/README.md',
        'simulations/results/README.md',
        'simulations/scenarios/split-brain.yaml',
        'simulations/experiments/lossy-links.yaml',
        'simulations/experiments/steady.yaml',
        'dist/protocols/event/v1/codec.js',
        'protocols/event/v1/SPEC.md',
        'config/federation.yaml',
        'config/peers.yaml',
        'protocols/event/v1/vectors/valid.json',
        'src/cli/anchormesh.cjs',
        'src/preinstall.cjs'
      ])
    )
    expect(paths.filter((path) => /(?<!\.d)\.ts$|(^|\/)(test|planted-bugs|node_modules)\//.test(path))).toEqual([])
  })

  test('is imported as a library', async () => {
    const script = "import { createNode } from 'anchormesh'; console.log(typeof createNode)"
    const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', script], { cwd: project, env })
    expect(stdout).toBe('function\n')
  })

  test('simulates, with checks of its user', async () => {
    const failing = "simulation.fail({ check: 'mine', detail: simulation.scenario.name })"
    await writeFile(
      join(project, 'mine.mjs'),
      `export const simulation = { checks: [{ name: 'mine', onEnd: (simulation) => ${failing} }] }\n`
    )
    const script = [
      "import { simulate } from 'anchormesh/simulations'",
      "const scenario = { v: 1, name: 'tiny', asks: 'Does it run?', nodes: 2, faultsEnd: '1s', convergeWithin: '90s' }",
      "const [{ end }] = await simulate(scenario, { extensions: ['mine.mjs'], out: 'results' })",
      'console.log(JSON.stringify(end))'
    ].join('\n')
    const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', script], { cwd: project, env })
    expect(JSON.parse(stdout)).toMatchObject({
      failures: [{ check: 'mine', detail: 'tiny' }],
      summary: { versions: { commit } }
    })
    expect(await readFile(join(project, 'results', 'report.html'), 'utf8')).toContain('tiny')
  })

  test('is of the commit that it was built from, as is the build itself when another one is checked out', async () => {
    const script = [
      "import { programVersion } from './dist/simulations/run/program-version.js'",
      'console.log((await programVersion()).commit)'
    ].join('\n')
    for (const cwd of [checkout, join(project, 'node_modules', 'anchormesh')]) {
      const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', script], { cwd, env })
      expect(stdout.trim()).toBe(commit)
    }
  })

  test('is imported as a client, which a browser can do too', async () => {
    const script = [
      // What a browser has not.
      "Object.defineProperty(process, 'getBuiltinModule', { value: undefined })",
      "const { createClient } = await import('anchormesh/client')",
      "const client = createClient({ url: 'http://127.0.0.1:1' })",
      'console.log(await client.health().catch(({ name, code }) => `${name} ${code}`))'
    ].join('\n')
    const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', script], { cwd: project, env })
    expect(stdout).toBe('ClientError UNREACHABLE\n')
  })

  test('brings the types of its client, where there is no Node', async () => {
    await writeFile(
      join(project, 'page.ts'),
      [
        "import { createClient, webCursorStore } from 'anchormesh/client'",
        "const client = createClient({ url: 'https://node.example', cursorStore: (name) => webCursorStore(name, localStorage) })",
        "for await (const update of client.subscribe('winners')) {",
        "  if (update.frame === 'winner-changed') document.title = update.cause",
        "  if (update.frame !== 'change' || update.row === null) continue",
        "  const status: 'proposed' | 'verified' | 'settled' = update.row.status",
        '  // @ts-expect-error a status is no number',
        '  const wrong: number = update.row.status',
        '  document.body.append(status, String(wrong))',
        '}',
        ''
      ].join('\n')
    )
    const options = {
      module: 'esnext',
      moduleResolution: 'bundler',
      target: 'es2024',
      lib: ['es2024', 'dom', 'dom.asynciterable'],
      strict: true,
      noEmit: true,
      skipLibCheck: true,
      types: []
    }
    await writeFile(
      join(project, 'tsconfig.page.json'),
      JSON.stringify({ compilerOptions: options, files: ['page.ts'] })
    )
    const page = run('tsc', ['-p', 'tsconfig.page.json'], { cwd: project, env })
    await expect(page).resolves.toEqual({ stdout: '', stderr: '' })
  })

  test('brings its types', async () => {
    await writeFile(
      join(project, 'use.ts'),
      [
        "import { createNode } from 'anchormesh'",
        // Were the types not found, `createNode` would be `any` and this assignment no error.
        '// @ts-expect-error createNode is a function and no number',
        'export const wrong: number = createNode',
        'export type Made = ReturnType<typeof createNode>',
        ''
      ].join('\n')
    )
    const options = {
      module: 'nodenext',
      target: 'es2024',
      strict: true,
      noEmit: true,
      skipLibCheck: true,
      types: ['node']
    }
    const typeRoots = [join(ROOT, 'node_modules', '@types')]
    await writeFile(
      join(project, 'tsconfig.json'),
      JSON.stringify({ compilerOptions: { ...options, typeRoots }, files: ['use.ts'] })
    )
    await expect(run('tsc', ['-p', project], { cwd: project, env })).resolves.toEqual({ stdout: '', stderr: '' })
  })

  test('brings the types of its simulations, for which its README has examples', async () => {
    const readme = await readFile(join(project, 'node_modules', 'anchormesh', 'simulations', 'README.md'), 'utf8')
    const example = (language: string): string =>
      new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\`$`, 'm').exec(readme)?.[1] ?? ''
    expect(example('ts')).toContain('SimulationExtension')
    expect(example('js')).toContain('await simulate(')
    const wrong = [
      "import type { SimulatedNode } from 'anchormesh/simulations'",
      '// @ts-expect-error a state is a word and no number',
      'export const wrong = ({ state }: SimulatedNode): number => state',
      ''
    ]
    const files = { 'extension.ts': example('ts'), 'program.ts': example('js'), 'wrong.ts': wrong.join('\n') }
    for (const [name, text] of Object.entries(files)) await writeFile(join(project, name), text)
    // What the README asks for, and the types of libraries are checked, too.
    const options = { module: 'nodenext', target: 'es2024', strict: true, noEmit: true, types: ['node'] }
    const typeRoots = [join(ROOT, 'node_modules', '@types')]
    await writeFile(
      join(project, 'tsconfig.simulations.json'),
      JSON.stringify({ compilerOptions: { ...options, typeRoots }, files: Object.keys(files) })
    )
    const compiling = run('tsc', ['-p', 'tsconfig.simulations.json'], { cwd: project, env })
    await expect(compiling).resolves.toEqual({ stdout: '', stderr: '' })
  })

  test('brings its command', async () => {
    const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { version: string }
    const { stdout } = await run('npx', ['anchormesh', '--version'], { cwd: project, env })
    expect(stdout).toContain(version)
    const help = await run('npx', ['anchormesh', '--help'], { cwd: project, env })
    for (const verb of ['init', 'start', 'status', 'announce', 'query']) expect(help.stdout).toContain(verb)
  })
})
