import { rmSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { PROJECTION_NAMES } from '../../src/api/rows.ts'
import { launch, newFolder, run, runFailing, runWell } from '../support/cli.ts'

const VERBS = [
  'init',
  'start',
  'status',
  'identity',
  'peers add',
  'peers list',
  'seal',
  'announce',
  'anchor',
  'anchor upgrade',
  'anchor split',
  'keys add',
  'keys list',
  'keys rotate',
  'keys retire',
  'keys revoke',
  'keys threshold',
  'keys seal',
  'pack publish',
  'pack sign',
  'pack show',
  'pack plan',
  'pack pull',
  'pack push',
  'trust list',
  'trust proof',
  'trust pin',
  'config validate',
  'config show',
  'config reload',
  'events',
  'query',
  'tokens create',
  'tokens list',
  'tokens revoke',
  'verify',
  'verify-online',
  'digest',
  'sync',
  'bundle fetch',
  'forget',
  'log verify',
  'log rebuild',
  'log export',
  'log import',
  'log checkpoint',
  'audit',
  'backup',
  'restore',
  'store rekey',
  'signer',
  'signer adopt',
  'drill run',
  'drill matrix',
  'drill check',
  'demo'
]

describe('help', () => {
  test.each(VERBS)('%s --help says what it does, its options, those of all, and an example', async (verb) => {
    const help = await runWell([...verb.split(' '), '--help'])
    expect(help).toMatch(new RegExp(`^Usage: anchormesh ${verb}`))
    for (const option of ['--json', '--quiet', '--data', '--config', '--help', '--version'])
      expect(help).toContain(option)
    expect(help).toContain(`anchormesh ${verb}`)
    expect(help).toMatch(/^Usage: .*\n\n[A-Z]/)
    expect(help).toMatch(/Examples?:\n {2}anchormesh /)
  })

  test('the help of the program names every verb', async () => {
    const help = await runWell(['--help'])
    for (const verb of VERBS) expect(help).toContain(`  ${verb.split(' ')[0]}`)
  })

  test('the help of query names every projection', async () => {
    const help = await runWell(['query', '--help'])
    for (const name of PROJECTION_NAMES) expect(help).toMatch(new RegExp(`\\b${name}\\b`))
  })

  test('the help of forget says all that can be erased, and by which hash', async () => {
    const help = await runWell(['forget', '--help'])
    for (const what of ['receipt', 'delivery', 'report', 'comment']) expect(help).toContain(what)
  })

  test('--version prints the version of package.json', async () => {
    expect(await runWell(['--version'])).toMatch(/^[0-9]+\.[0-9]+\.[0-9]+\n$/)
    expect(await runWell(['status', '--version'])).toMatch(/^[0-9]+\.[0-9]+\.[0-9]+\n$/)
  })
})

describe('a process of its own', () => {
  test('ends with the exit code of its command, and has said all before', async () => {
    const refused = await launch(['sael', '--json']).ended
    expect({ ...refused, stderr: JSON.parse(refused.stderr) as unknown }).toMatchObject({
      code: 2,
      stdout: '',
      stderr: { error: { code: 'USAGE' } }
    })
    expect(await launch(['--version']).ended).toMatchObject({
      code: 0,
      stdout: await runWell(['--version']),
      stderr: ''
    })
    const folder = `${newFolder()}/node`
    const [made, told] = [['init', '--org', 'a'], ['status']].map((verb) => [...verb, '--data', folder])
    expect(await launch(made ?? []).ended).toMatchObject({ code: 0 })
    expect((await launch(told ?? []).ended).stdout).toMatch(/^node +not running; opened for this command\nhealth +ok\n/)
  })
})

describe('wrong usage ends with exit code 2 and changes nothing', () => {
  test.each([
    [['sael'], /unknown command/, 'Did you mean seal?'],
    [['init', '--orgg', 'a'], /unknown option/, 'Did you mean --org?'],
    [['log', 'verifi'], /unknown command/, 'Did you mean verify?'],
    [['seal', 'a.jsonl'], /required option '--namespace/, '--help'],
    [['seal', '--namespace', 'Not A Namespace', '--batch', 'b', 'a.jsonl'], /--namespace/, '--help'],
    [['seal', '--namespace', 'test:mesh', '--batch', 'b'], /missing required argument/, '--help'],
    [['query', 'batches', '--limit', '0'], /--limit/, '--help'],
    [['query', 'batches', 'receipts'], /too many arguments/, '--help'],
    [['query', 'batches', '--from', 'yesterday'], /--from/, '--help'],
    [['events', '--scope', 'everything'], /--scope/, '--help'],
    [['digest'], /required option '--namespace/, '--help']
  ] as const)('anchormesh %j', async (args, message, hint) => {
    const { exitCode, error, stdout } = await runFailing(args)
    expect({ exitCode, code: error.code, stdout }).toEqual({ exitCode: 2, code: 'USAGE', stdout: '' })
    expect(error.message).toMatch(message)
    expect(error.hint).toContain(hint)
  })

  test.each([[[]], [['log']], [['peers']], [['pack']]])(
    'anchormesh %j shows the commands that there are',
    async (args) => {
      const { code, stderr, stdout } = await run(args)
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
      expect(stderr).toContain('Commands:')
      expect(stderr).toContain('error USAGE: a command is missing')
    }
  )

  test('with --json the error is all that is said where a command is missing', async () => {
    for (const args of [['--json'], ['log', '--json']]) {
      const { code, stdout, stderr } = await run(args)
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
      expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'USAGE', message: 'a command is missing' } })
    }
  })

  test('for a person, the error is a line and a hint', async () => {
    const { code, stderr } = await run(['sael'])
    expect(code).toBe(2)
    expect(stderr).toMatch(/^error USAGE: unknown command 'sael'\nhint: Did you mean seal\?\n/)
  })

  test('a data folder that is not there', async () => {
    const { exitCode, error } = await runFailing(['status', '--data', `${newFolder()}/none`])
    expect({ exitCode, code: error.code }).toEqual({ exitCode: 2, code: 'CONFIG_INVALID' })
    expect(error.hint).toContain('anchormesh init')
  })

  test('init without a namespace says that one is missing, and with one does not', async () => {
    const folder = newFolder()
    const bare = await run(['init', '--org', 'a', '--data', `${folder}/bare`])
    expect(bare.stderr).toMatch(/^Next: name a namespace in federation.yaml/)
    const carrying = await run(['init', '--org', 'a', '--namespace', 'test:mesh', '--data', `${folder}/carrying`])
    expect(carrying.stderr).toMatch(/^Next: look at federation.yaml/)
    expect([bare.code, carrying.code]).toEqual([0, 0])
  })

  test('a peers.yaml that is gone from a data folder is not made by init', async () => {
    const folder = `${newFolder()}/node`
    await run(['init', '--org', 'a', '--data', folder])
    rmSync(`${folder}/peers.yaml`)
    const { exitCode, error } = await runFailing(['status', '--data', folder])
    expect({ exitCode, code: error.code }).toEqual({ exitCode: 2, code: 'CONFIG_INVALID' })
    expect(error.message).toContain('peers.yaml is missing')
    expect(error.hint).toContain('`peers: []`')
    expect(error.hint).not.toContain('init')
  })
})
