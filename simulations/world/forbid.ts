import buffer from 'node:buffer'
import childProcess from 'node:child_process'
import crypto from 'node:crypto'
import dgram from 'node:dgram'
import dns from 'node:dns'
import fs from 'node:fs'
import nodeModule, { syncBuiltinESMExports } from 'node:module'
import net from 'node:net'
import webStreams from 'node:stream/web'
import tls from 'node:tls'
import workers from 'node:worker_threads'
import zlib from 'node:zlib'

/** What is done in threads, and what draws from a generator that can't be seeded. */
const REFUSED_CRYPTO = [
  'generateKeyPair',
  'generateKey',
  'generateKeySync',
  'generatePrime',
  'generatePrimeSync',
  'createECDH',
  'ECDH',
  'createDiffieHellman',
  'DiffieHellman',
  'createDiffieHellmanGroup',
  'DiffieHellmanGroup',
  'getDiffieHellman',
  'checkPrime',
  'argon2',
  'scrypt',
  'pbkdf2',
  'hkdf',
  'encapsulate',
  'publicEncrypt',
  'randomFill',
  'randomUUIDv7'
]

const REFUSED_GLOBALS = ['MessageChannel', 'fetch', 'WebSocket', 'CompressionStream', 'DecompressionStream']

/** What of `node:crypto` is done when it returns, unless it is given who to call. */
const WITH_OR_WITHOUT_CALLBACK = ['sign', 'verify', 'diffieHellman', 'decapsulate', 'randomInt']

/**
 * Makes what no seed rules, or what completes in an order that none does, throw from now on: nodes of a simulation have
 * memory for a disk and wires of its own. All modules are loaded by then, and results are written by calls that end in
 * `Sync`.
 */
export function forbidRealTime(): void {
  forbid('node:fs', fs, either(hasSync(fs), named('watch', 'watchFile', 'openAsBlob')))
  forbid('node:fs/promises', fs.promises)
  forbid('node:dns', dns)
  forbid('node:dns/promises', dns.promises)
  forbid('node:net', net, named('connect', 'createConnection'))
  // What `http` and libraries come to in the end.
  forbid('net.Socket', net.Socket.prototype, named('connect'))
  forbid('net.Server', net.Server.prototype, named('listen'))
  forbid('node:tls', tls, named('connect'))
  forbid('node:dgram', dgram, named('createSocket', 'Socket'))
  forbid('node:worker_threads', workers, named('Worker', 'MessageChannel'))
  // Locks of libp2p make one for threads that there are none of: nothing is ever sent to it.
  forbid('BroadcastChannel', workers.BroadcastChannel.prototype, named('postMessage'))
  forbid('node:child_process', childProcess, either(hasSync(childProcess), named('fork')))
  forbid('node:zlib', zlib, (name) => !name.endsWith('Sync') && name !== 'crc32')
  forbid('node:stream/web', webStreams, named('CompressionStream', 'DecompressionStream'))
  forbid('node:crypto', crypto, named(...REFUSED_CRYPTO))
  for (const name of WITH_OR_WITHOUT_CALLBACK) forbidCallback('node:crypto', crypto, name)
  forbid('crypto.subtle', Object.getPrototypeOf(globalThis.crypto.subtle) as object)
  forbid('Blob', buffer.Blob.prototype, named('arrayBuffer', 'bytes', 'stream', 'text'))
  const wasm = Reflect.get(globalThis, 'WebAssembly') as object
  forbid('WebAssembly', wasm, named('compile', 'compileStreaming', 'instantiate', 'instantiateStreaming'))
  forbid('Atomics', Atomics, named('waitAsync'))
  forbid('globalThis', globalThis, named(...REFUSED_GLOBALS))
  syncBuiltinESMExports()
  forbidImport()
}

type Which = (name: string) => boolean

const named = (...names: readonly string[]): Which => {
  const set = new Set(names)
  return (name) => set.has(name)
}

const either =
  (one: Which, other: Which): Which =>
  (name) =>
    one(name) || other(name)

/** Of a function of which there is another form that is done when it returns. */
const hasSync =
  (holder: object): Which =>
  (name) =>
    typeof Reflect.get(holder, `${name}Sync`) === 'function'

/** The function is done when it returns, unless it is given who to call. */
function forbidCallback(module: string, holder: object, name: string): void {
  const real: unknown = Reflect.get(holder, name)
  if (typeof real !== 'function') return
  Object.defineProperty(holder, name, {
    value: (...given: readonly unknown[]): unknown => {
      if (typeof given.at(-1) === 'function') throw refusal(module, name)
      return Reflect.apply(real, holder, given)
    }
  })
}

/** What is loaded already can be imported again, and `require` is done when it returns. */
function forbidImport(): void {
  // Node before 22.15 has no such hooks.
  if (!('registerHooks' in nodeModule)) return
  nodeModule.registerHooks({
    load(url, context, nextLoad) {
      if (context.conditions.includes('import')) throw refusal('import() of', url)
      return nextLoad(url, context)
    }
  })
}

const refusal = (module: string, name: string): Error =>
  new Error(`${module} ${name} can't be used in a simulation: no seed rules what comes of it, or when`)

function forbid(module: string, holder: object, which: Which = () => true): void {
  for (const name of Object.getOwnPropertyNames(holder)) {
    if (name === 'constructor' || !which(name)) continue
    // Some globals are accessors until somebody reads them.
    const real: unknown = Reflect.get(holder, name)
    if (typeof real !== 'function') continue
    const refuse = (): never => {
      throw refusal(module, name)
    }
    // Still what `instanceof` asks for, where it is a class.
    const value = new Proxy(real, { apply: refuse, construct: refuse })
    const { configurable = true, enumerable = true } = Object.getOwnPropertyDescriptor(holder, name) ?? {}
    Object.defineProperty(holder, name, { configurable, enumerable, writable: true, value })
  }
}
