import childProcess from 'node:child_process'
import crypto, { randomBytes, randomUUID } from 'node:crypto'
import dgram from 'node:dgram'
import dns from 'node:dns'
import fs from 'node:fs'
import http from 'node:http'
import net from 'node:net'
import { performance } from 'node:perf_hooks'
import { CompressionStream as ImportedStream } from 'node:stream/web'
import { setInterval as ticks } from 'node:timers/promises'
import tls from 'node:tls'
import workers from 'node:worker_threads'
import zlib, { createGunzip } from 'node:zlib'
import { runTask } from '../../../simulations/run/clockwork.ts'
import { forbidRealTime } from '../../../simulations/world/forbid.ts'
import { world } from '../../../simulations/world/world.ts'

/** Prints, as JSON, what a process in which the world is installed sees of time and chance, and what it is refused. */
const { time } = world
forbidRealTime()

const { privateKey } = crypto.generateKeyPairSync('ed25519')
const agreed = crypto.generateKeyPairSync('x25519')
// Its types come only with those of a browser.
const { WebAssembly: wasm } = globalThis as unknown as {
  readonly WebAssembly: Readonly<Record<'compile' | 'instantiate', (bytes: Uint8Array) => unknown>>
}
// What a file with nothing in it is: its magic number and version.
const emptyWasm = Uint8Array.of(0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00)
const unloaded: string = 'data:text/javascript,export default 1'
const attempts: Readonly<Record<string, () => unknown>> = {
  'fs.readFile': () => fs.readFile('x', () => {}),
  'fs.promises.readFile': () => fs.promises.readFile('x'),
  'dns.promises.lookup': () => dns.promises.lookup('x'),
  'fs.watchFile': () => fs.watchFile('x', () => {}),
  'zlib.gzip': () => zlib.gzip('x', () => {}),
  'zlib.createGzip': () => zlib.createGzip(),
  'createGunzip, imported by name': () => createGunzip(),
  'new zlib.BrotliCompress': () => new zlib.BrotliCompress(),
  CompressionStream: () => new CompressionStream('gzip'),
  DecompressionStream: () => new DecompressionStream('gzip'),
  'CompressionStream of node:stream/web': () => new ImportedStream('gzip'),
  'WebAssembly.compile': () => wasm.compile(emptyWasm),
  'WebAssembly.instantiate': () => wasm.instantiate(emptyWasm),
  'crypto.sign with a callback': () => crypto.sign(null, Buffer.from('x'), privateKey, () => {}),
  'crypto.diffieHellman with a callback': () => crypto.diffieHellman(agreed, () => {}),
  'crypto.randomInt with a callback': () => crypto.randomInt(2, () => {}),
  'crypto.createECDH': () => crypto.createECDH('prime256v1'),
  'crypto.generateKeySync': () => crypto.generateKeySync('aes', { length: 128 }),
  'crypto.generateKeyPairSync of RSA': () => crypto.generateKeyPairSync('rsa', { modulusLength: 2_048 }),
  'child_process.execFile': () => childProcess.execFile('true'),
  'child_process.fork': () => childProcess.fork('x'),
  'crypto.subtle.digest': () => globalThis.crypto.subtle.digest('SHA-256', new Uint8Array()),
  'net.Socket.connect': () => new net.Socket().connect(1),
  'net.Server.listen': () => net.createServer().listen(0),
  'tls.connect': () => tls.connect(1),
  'http.get': () => http.get('http://127.0.0.1:1'),
  'new dgram.Socket': () => Reflect.construct(dgram.Socket, ['udp4']) as unknown,
  'new Worker': () => new workers.Worker('x'),
  'new MessageChannel': () => new MessageChannel(),
  'BroadcastChannel.postMessage': () => new BroadcastChannel('x').postMessage('y'),
  'Blob.arrayBuffer': () => new Blob(['x']).arrayBuffer(),
  'Blob.text': () => new Blob(['x']).text(),
  'Blob.stream': () => new Blob(['x']).stream(),
  'Atomics.waitAsync': () => Atomics.waitAsync(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1),
  'new WebSocket': () => new WebSocket('ws://127.0.0.1:1'),
  fetch: () => fetch('http://127.0.0.1:1'),
  'import()': () => import(unloaded)
}
const refused: string[][] = []
for (const [name, attempt] of Object.entries(attempts)) {
  try {
    await attempt()
    refused.push([name, 'done'])
  } catch (error) {
    refused.push([name, error instanceof Error ? error.message : String(error)])
  }
}

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
