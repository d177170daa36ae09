import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { createProgram } from '../../src/cli/program.ts'
import { federationSchema, peersSchema } from '../../src/policy/config-schema.ts'
import { parseConfig } from '../../src/policy/yaml.ts'

const ROOT = resolve(import.meta.dirname, '..', '..')
const README = readFileSync(join(ROOT, 'README.md'), 'utf8')
const LIBRARY = pathToFileURL(join(ROOT, 'src', 'index.ts')).href

const blocks = (language: string): readonly string[] =>
  [...README.matchAll(new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\`$`, 'gm'))].map(([, text = '']) => text)

/** A command as a shell would hand it over, without its comment, its redirections, and with values for its placeholders. */
const argumentsOf = (line: string): readonly string[] =>
  line
    .replace(/\s+#.*$/, '')
    .replace(/\s+(?:>.*|&)$/, '')
    .replace(/LEAFHASH|PACKHASH/, 'a'.repeat(64))
    .split(/\s+/)
    .slice(2)

const commands = blocks('sh')
  .flatMap((block) => block.split('\n'))
  .filter((line) => line.startsWith('npx anchormesh '))

/** `npm run SCRIPT -- …`: the options after the script's own, each value of the shell's as an address. */
const scripts = blocks('sh')
  .flatMap((block) => block.replaceAll('\\\n', ' ').split('\n'))
  .flatMap((line) => [...line.matchAll(/npm run ([\w:-]+)([^&#]*)/g)])
  .map(([line, name = '', more = '']) => ({
    line: line.trim(),
    name,
    more: more.replaceAll(/"\$\([^)]*\)\.url"\)"/g, 'http://127.0.0.1:8090')
  }))

const packageJson = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  readonly scripts: Readonly<Record<string, string>>
}

/** The anchors of the headings, as GitHub makes them. */
const anchors = new Set(
  [...README.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} -]/gu, '')
      .replaceAll(' ', '-')
  )
)

/** A piece of `peers.yaml` begins with one of its keys. */
const programOf = (runner: Parameters<typeof createProgram>[0]): ReturnType<typeof createProgram> =>
  createProgram(runner, { json: false, stdout: process.stdout, stderr: process.stderr })

const isOfPeers = (piece: string): boolean => /^(?:peers|organisations|crossOrg):/.test(piece)

describe('the README', () => {
  test('shows commands', () => expect(commands.length).toBeGreaterThan(10))

  test.each(commands)('%s: a command with options that there are', async (line) => {
    let ran = 0
    const runner = { run: async () => void (ran += 1), exitCode: () => 0 }
    await programOf(runner).parseAsync([...argumentsOf(line)], { from: 'user' })
    expect(ran).toBe(1)
  })

  test.each(scripts)('$line: a script that there is, with options that there are', async ({ name, more }) => {
    const { [name]: script = '' } = packageJson.scripts
    expect(script).not.toBe('')
    const [, verb] = /^node src\/cli\/main\.ts (.*)$/.exec(script) ?? []
    if (verb === undefined) return
    let ran = 0
    const runner = { run: async () => void (ran += 1), exitCode: () => 0 }
    const further = more.split(/\s+/).filter((part) => part !== '' && part !== '--')
    await programOf(runner).parseAsync([...verb.split(' '), ...further], { from: 'user' })
    expect(ran).toBe(1)
  })

  test('links to files and headings that there are', () => {
    const targets = [...README.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target)
    const local = targets.filter((target) => !/^https?:/.test(target))
    expect(local.length).toBeGreaterThan(30)
    expect(
      local.filter((target) =>
        target.startsWith('#') ? !anchors.has(target.slice(1)) : !existsSync(join(ROOT, target.replace(/#.*/, '')))
      )
    ).toEqual([])
  })

  test.each(blocks('yaml').filter(isOfPeers))('a piece of peers.yaml: %s', (piece) => {
    const parsed = parseConfig(`v: 1\n${piece}`, 'peers.yaml', peersSchema)
    expect(parsed.ok ? [] : parsed.problems).toEqual([])
  })

  test.each(blocks('yaml').filter((piece) => !isOfPeers(piece)))('a piece of federation.yaml: %s', (piece) => {
    const text = `v: 1\nnode: { did: 'did:key:z6MkewaoF7UJp3y899UYa7xfcnPaXU3vkpbX81x9MNwdjTRL', orgId: alpha }\n${piece}`
    const parsed = parseConfig(text, 'federation.yaml', federationSchema)
    expect(parsed.ok ? [] : parsed.problems).toEqual([])
  })

  test('has an example of the library that runs as it stands, and ends with a winner', async () => {
    const [example = ''] = blocks('js')
    const folder = mkdtempSync(join(tmpdir(), 'anchormesh-readme-'))
    try {
      const file = join(folder, 'example.mjs')
      writeFileSync(file, example.replaceAll("'anchormesh'", JSON.stringify(LIBRARY)))
      const { stdout } = await promisify(execFile)(process.execPath, [file])
      expect(stdout).toContain("state: 'announced'")
      expect(stdout).toContain("status: 'verified'")
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
