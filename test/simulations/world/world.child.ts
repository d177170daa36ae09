import childProcess from 'node:child_process'
import crypto, { randomBytes, randomUUID } from 'node:crypto'
import dns from 'node:dns'
import fs from 'node:fs'
import { performance } from 'node:perf_hooks'
import { setInterval as ticks } from 'node:timers/promises'
import zlib from 'node:zlib'
import { runTask } from '../../../simulations/run/clockwork.ts'
import { forbidRealTime } from '../../../simulations/world/forbid.ts'
import { world } from '../../../simulations/world/world.ts'

/** Prints, as JSON, what a process in which the world is installed sees of time and chance, and what it is refused. */
const { time } = world
forbidRealTime()

const { privateKey } = crypto.generateKeyPairSync('ed25519')
const attempts: Readonly<Record<string, () => unknown>> = {
  'fs.readFile': () => fs.readFile('x', () => {}),
  'fs.promises.readFile': () => fs.promises.readFile('x'),
  'dns.promises.lookup': () => dns.promises.lookup('x'),
  'zlib.gzip': () => zlib.gzip('x', () => {}),
  'crypto.sign with a callback': () => crypto.sign(null, Buffer.from('x'), privateKey, () => {}),
  'crypto.createECDH': () => crypto.createECDH('prime256v1'),
  'crypto.generateKeySync': () => crypto.generateKeySync('aes', { length: 128 }),
  'crypto.generateKeyPairSync of RSA': () => crypto.generateKeyPairSync('rsa', { modulusLength: 2_048 }),
  'child_process.execFile': () => childProcess.execFile('true'),
  'crypto.subtle.digest': () => globalThis.crypto.subtle.digest('SHA-256', new Uint8Array()),
  fetch: () => fetch('http://127.0.0.1:1')
}
const refused = Object.entries(attempts).map(([name, attempt]) => {
  try {
    attempt()
    return [name, 'done']
  } catch (error) {
    return [name, error instanceof Error ? error.message : String(error)]
  }
})

const times: number[] = []
const drawn: unknown[] = []
await runTask(time, 'ticks', 60_000_000, async () => {
  for await (const _tick of ticks(250)) {
    times.push(performance.now(), Date.now(), process.uptime())
    drawn.push(Math.random(), randomUUID(), randomBytes(4).toString('hex'))
    if (times.length >= 9) break
  }
})
const signed = crypto.sign(null, Buffer.from('x'), privateKey).toString('hex')
console.log(JSON.stringify({ refused: Object.fromEntries(refused) as unknown, times, drawn, signed }))
process.exit(0)
